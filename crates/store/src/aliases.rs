//! Aliases with their history: the alias of today is the row whose range is open. What must not live here: which names
//! are aliases (rule 29 is in the domain crate).

use chrono::{DateTime, Utc};
use regalia_domain::ids::{AliasId, CollectionId, UserId, VersionId};

use crate::collections::Locked;
use crate::{Connection, Result, Tx};

/// An alias of today.
#[derive(Debug, Clone)]
pub struct AliasRow {
    /// Number of the period.
    pub id: AliasId,
    /// The collection that it belongs to.
    pub collection_id: CollectionId,
    /// What it points at.
    pub version_id: VersionId,
    /// Name.
    pub alias: String,
}

/// What setting aliases changed: the name and what it pointed at before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The alias.
    pub alias: String,
    /// The version that held it.
    pub from: Option<VersionId>,
}

/// Points aliases of a locked collection at a version. Whatever held them loses them in the same transaction (rule 30),
/// and the time of the change is later than that of every change before it in this collection.
///
/// # Errors
/// `Protected`, when one of them is to change that only an admin of the registry changes (rule 32).
pub async fn set(tx: &mut Tx, collection: &Locked, version: VersionId, names: &[String], actor: UserId) -> Result<Vec<Moved>> {
    // Nothing is written for what is so already, not even the time of a change.
    let needed = sqlx::query_scalar!(
        r#"-- aliases::set_needed
        select name as "name!" from unnest($3::text[]) name
        where not exists (
            select 1 from aliases a
            where a.collection_id = $1 and a.version_id = $2 and a.alias = name and upper_inf(a.valid))"#,
        collection.id().0,
        version.0,
        names
    )
    .fetch_all(&mut **tx)
    .await?;
    if needed.is_empty() {
        return Ok(Vec::new());
    }
    collection.may_change(&needed)?;
    let at: DateTime<Utc> = sqlx::query_scalar!(
        "-- aliases::set_clock
        update collections set alias_clock = greatest(clock_timestamp(), alias_clock + interval '1 microsecond')
        where id = $1 returning alias_clock",
        collection.id().0
    )
    .fetch_one(&mut **tx)
    .await?;
    let closed = sqlx::query!(
        "-- aliases::set_close
        update aliases set valid = tstzrange(lower(valid), $3)
        where collection_id = $1 and alias = any($2) and upper_inf(valid)
        returning alias, version_id",
        collection.id().0,
        &needed,
        at
    )
    .fetch_all(&mut **tx)
    .await?;
    sqlx::query!(
        "-- aliases::set_open
        insert into aliases (collection_id, version_id, alias, valid, set_by)
        select $1, $2, name, tstzrange($4, null), $5 from unnest($3::text[]) name",
        collection.id().0,
        version.0,
        &needed,
        at,
        actor.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(needed
        .into_iter()
        .map(|alias| {
            let from = closed.iter().find(|row| row.alias == alias).map(|row| VersionId(row.version_id));
            Moved { alias, from }
        })
        .collect())
}

/// One page of the aliases of today of each of several collections, by name: at most `limit` after the name `after`. The caller
/// of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_collections(connection: &mut Connection, collections: &[i64], after: &str, limit: i64) -> Result<Vec<AliasRow>> {
    Ok(sqlx::query_as!(
        AliasRow,
        "-- aliases::of_collections
        select a.id, a.collection_id, a.version_id, a.alias from unnest($1::bigint[]) c (id)
        cross join lateral (
            select * from aliases where collection_id = c.id and upper_inf(valid) and alias > $2 order by alias limit $3
        ) a
        order by a.collection_id, a.alias",
        collections,
        after,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// The aliases of today that point at these versions, in any collection, by name. The caller of this filters by what
/// collections may be seen.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_versions(connection: &mut Connection, versions: &[i64]) -> Result<Vec<AliasRow>> {
    Ok(sqlx::query_as!(
        AliasRow,
        "-- aliases::of_versions
        select id, collection_id, version_id, alias from aliases where version_id = any($1) and upper_inf(valid) order by alias",
        versions
    )
    .fetch_all(connection)
    .await?)
}
