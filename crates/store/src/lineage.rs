//! Which runs made and used which versions, as far as a caller sees both: a run whose project is invisible, and a version that stands
//! nowhere where the caller sees it, are as if they weren't there. What must not live here: how far a graph is followed (the
//! service), and the rows of runs and versions.

use regalia_domain::ids::{RunId, VersionId};

use crate::access::Caller;
use crate::{Connection, Result};

/// That a run made a version, or used it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Made; else used. A run that logged what was there already made it, too.
    pub made: bool,
    /// The run.
    pub run: RunId,
    /// The version.
    pub version: VersionId,
}

/// Whose edges are wanted: numbers of runs or of versions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Of<'o> {
    /// Those whose making is wanted.
    pub made: &'o [i64],
    /// Those whose use is wanted.
    pub used: &'o [i64],
}

/// How many of them are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Those at whose other end is a higher number than this.
    pub after: i64,
    /// Of each run or version at most so many.
    pub each: i64,
    /// Of all together at most so many: the first of each before the second of any.
    pub all: i64,
}

// Which projects the caller sees is decided once for each, however many edges lead there.
macro_rules! versions {
    ($name:literal, $rest:literal, $($argument:expr),+) => {
        sqlx::query!(
            "-- lineage::" + $name + "
            with edge as materialized (
                select true as made, o.run_id, o.version_id from run_outputs o join versions v on v.id = o.version_id
                where o.run_id = any($2) and v.state = 'committed'
                union all
                select false, i.run_id, i.version_id from run_inputs i join versions v on v.id = i.version_id
                where i.run_id = any($3) and v.state = 'committed'
            ), home as materialized (
                select distinct m.version_id, c.project_id from memberships m join collections c on c.id = m.collection_id
                where m.version_id in (select version_id from edge)
            ), open as materialized (
                select p.project_id from (select distinct project_id from home) p
                where exists (select from role_sources(p.project_id, $1) s where s.level >= 1)
            ), seen as materialized (
                select e.* from edge e
                where e.version_id in (select h.version_id from home h where h.project_id in (select project_id from open))
            )
            " + $rest,
            $($argument),+
        )
    };
}

/// The committed versions that runs made or used and that the caller sees, those of a run by number. For runs that the caller was
/// allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn versions(connection: &mut Connection, caller: &Caller, runs: Of<'_>, part: Part) -> Result<Vec<Edge>> {
    let rows = versions!(
        "versions",
        "select made as \"made!\", run_id as \"run!\", version_id as \"version!\"
        from (
            select s.*, row_number() over (partition by made, run_id order by version_id) as place
            from seen s where version_id > $4
        ) s
        where place <= $5 order by place, run_id, version_id, made limit $6",
        caller.user.0,
        runs.made,
        runs.used,
        part.after,
        part.each,
        part.all
    )
    .fetch_all(connection)
    .await?;
    let edge = |made, run, version| Edge { made, run: RunId(run), version: VersionId(version) };
    Ok(rows.into_iter().map(|row| edge(row.made, row.run, row.version)).collect())
}

/// How many of these versions there are: made or used, of which run, how many. A run without any is left out.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn count_versions(connection: &mut Connection, caller: &Caller, runs: Of<'_>) -> Result<Vec<(bool, RunId, i64)>> {
    let rows = versions!(
        "count_versions",
        "select made as \"made!\", run_id as \"run!\", count(*) as \"count!\" from seen group by made, run_id",
        caller.user.0,
        runs.made,
        runs.used
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.made, RunId(row.run), row.count)).collect())
}

/// The runs that made or used versions and that the caller sees, those of a version by number. For versions that the caller was
/// allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn runs(connection: &mut Connection, caller: &Caller, versions: Of<'_>, part: Part) -> Result<Vec<Edge>> {
    let rows = sqlx::query!(
        r#"-- lineage::runs
        with edge as materialized (
            select true as made, o.run_id, o.version_id, r.project_id from run_outputs o join runs r on r.id = o.run_id
            where o.version_id = any($2) and o.run_id > $4
            union all
            select false, i.run_id, i.version_id, r.project_id from run_inputs i join runs r on r.id = i.run_id
            where i.version_id = any($3) and i.run_id > $4
        ), open as materialized (
            select p.project_id from (select distinct project_id from edge) p
            where exists (select from role_sources(p.project_id, $1) s where s.level >= 1)
        )
        select made as "made!", run_id as "run!", version_id as "version!"
        from (
            select e.*, row_number() over (partition by made, version_id order by run_id) as place
            from edge e where project_id in (select project_id from open)
        ) e
        where place <= $5 order by place, version_id, run_id, made limit $6"#,
        caller.user.0,
        versions.made,
        versions.used,
        part.after,
        part.each,
        part.all
    )
    .fetch_all(connection)
    .await?;
    let edge = |made, run, version| Edge { made, run: RunId(run), version: VersionId(version) };
    Ok(rows.into_iter().map(|row| edge(row.made, row.run, row.version)).collect())
}

/// What runs made and used of versions, in any order: at most so many. For runs and versions that the caller was allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn between(connection: &mut Connection, runs: &[i64], versions: &[i64], most: i64) -> Result<Vec<Edge>> {
    let rows = sqlx::query!(
        r#"-- lineage::between
        select true as "made!", run_id as "run!", version_id as "version!" from run_outputs
        where run_id = any($1) and version_id = any($2)
        union all
        select false, run_id, version_id from run_inputs where run_id = any($1) and version_id = any($2)
        limit $3"#,
        runs,
        versions,
        most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| Edge { made: row.made, run: RunId(row.run), version: VersionId(row.version) }).collect())
}
