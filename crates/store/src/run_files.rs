//! Files of runs (rule 47). What must not live here: how their bytes arrive (`uploads`), and the bytes.

use chrono::{DateTime, Utc};
use regalia_domain::ids::{BlobId, RunId};

use crate::access::Caller;
use crate::manifests::ContentRow;
use crate::{Connection, Error, Result, Tx};

/// Points a run's file at its newest bytes.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn set_file(tx: &mut Tx, run: RunId, name: &str, blob: BlobId) -> Result<()> {
    sqlx::query!(
        "-- run_files::set_file
        insert into run_files (run_id, name, blob_id) values ($1, $2, $3)
        on conflict (run_id, md5(name)) do update set blob_id = excluded.blob_id, updated_at = now()",
        run.0,
        name,
        blob.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A run's file.
#[derive(Debug, Clone)]
pub struct RunFileRow {
    /// The run.
    pub run_id: RunId,
    /// Path below the run.
    pub name: String,
    /// Length in bytes.
    pub size: i64,
    /// MD5 of the bytes.
    pub md5: Vec<u8>,
    /// When these bytes came.
    pub updated_at: DateTime<Utc>,
}

/// Which files of a run are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Which {
    /// These names alone.
    pub names: Option<Vec<String>>,
    /// Names that this pattern of SQL's `like` fits.
    pub like: Option<String>,
}

/// One part of the list of each run, by name. The caller of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn files(connection: &mut Connection, runs: &[i64], which: &Which, after: &str, first: i64) -> Result<Vec<RunFileRow>> {
    Ok(sqlx::query_as!(
        RunFileRow,
        r#"-- run_files::files
        select r.id as "run_id!", f.name, f.size, f.md5, f.updated_at
        from unnest($1::bigint[]) r (id)
        cross join lateral (
            select f.name, b.size, b.md5, f.updated_at from run_files f join blobs b on b.id = f.blob_id
            where f.run_id = r.id
                and ($2::text[] is null or f.name = any($2) and md5(f.name) = any(array(select md5(n) from unnest($2) n)))
                and ($3::text is null or f.name like $3)
                and f.name > $4
            order by f.name limit $5
        ) f
        order by r.id, f.name"#,
        runs,
        which.names.as_deref(),
        which.like,
        after,
        first
    )
    .fetch_all(connection)
    .await?)
}

/// How many files of each run are wanted: the run's number, and how many.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn count(connection: &mut Connection, runs: &[i64], which: &Which) -> Result<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"-- run_files::count
        select f.run_id, count(*) as "count!" from run_files f
        where f.run_id = any($1)
            and ($2::text[] is null or f.name = any($2) and md5(f.name) = any(array(select md5(n) from unnest($2) n)))
            and ($3::text is null or f.name like $3)
        group by f.run_id"#,
        runs,
        which.names.as_deref(),
        which.like
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.run_id, row.count)).collect())
}

/// A run's file, if the caller may read it.
///
/// # Errors
/// `NotFound`: absent or not permitted.
pub async fn content(connection: &mut Connection, caller: &Caller, run: RunId, name: &str) -> Result<ContentRow> {
    sqlx::query_as!(
        ContentRow,
        r#"-- run_files::content
        select b.id as "blob_id!", b.scope_id as "scope_id!", b.sha256 as "sha256!", b.size as "size!", f.name as "path!"
        from run_files f join blobs b on b.id = f.blob_id join runs r on r.id = f.run_id
        where f.run_id = $2 and md5(f.name) = md5($3) and f.name = $3 and access_level(r.project_id, $1) >= 2"#,
        caller.user.0,
        run.0,
        name
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::NotFound)
}
