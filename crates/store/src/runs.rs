//! Runs and their files (rule 47). What must not live here: charts, console output, anything a run streams.

use chrono::{DateTime, Utc};
use regalia_domain::ids::{BlobId, ProjectId, RunId};
use regalia_domain::names::RunName;

use crate::access::{Contribute, Granted};
use crate::{Connection, Error, Result, Tx};

/// A run.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Number.
    pub id: RunId,
    /// Where it runs.
    pub project_id: ProjectId,
    /// The client's id.
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// running, finished or failed.
    pub state: String,
    /// Free text.
    pub description: Option<String>,
    /// Free text.
    pub notes: Option<String>,
    /// JSON object.
    pub config: String,
    /// JSON object.
    pub summary: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Who started it.
    pub created_by: Option<i64>,
    /// When it started.
    pub created_at: DateTime<Utc>,
    /// When it was last heard of.
    pub heartbeat_at: DateTime<Utc>,
}

macro_rules! select_run {
    ($name:literal, $rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            RunRow,
            "-- runs::" + $name + "
            select id, project_id, name, display_name, state, description, notes, config,
                summary, tags, created_by, created_at, heartbeat_at
            from runs " + $rest,
            $($argument),+
        )
    };
}

/// A run of a project that the caller was allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn by_name(connection: &mut Connection, project: ProjectId, name: &str) -> Result<Option<RunRow>> {
    Ok(select_run!("by_name", "where project_id = $1 and name = $2", project.0, name).fetch_optional(connection).await?)
}

/// Runs by number, in any order. The caller of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn runs(connection: &mut Connection, ids: &[i64]) -> Result<Vec<RunRow>> {
    Ok(select_run!("runs", "where id = any($1)", ids).fetch_all(connection).await?)
}

/// What a client says of a run; what is absent stays as it is.
#[derive(Debug, Default, Clone)]
pub struct RunFields {
    /// What people see.
    pub display_name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Free text.
    pub notes: Option<String>,
    /// Groups runs of one job.
    pub group_name: Option<String>,
    /// Kind of job.
    pub job_type: Option<String>,
    /// Machine.
    pub host: Option<String>,
    /// Commit of the code.
    pub git_commit: Option<String>,
    /// Program.
    pub program: Option<String>,
    /// Repository.
    pub repo: Option<String>,
    /// JSON object.
    pub config: Option<String>,
    /// JSON object.
    pub summary: Option<String>,
    /// Tags.
    pub tags: Option<Vec<String>>,
}

/// Makes a run or updates it; says whether it is new. A new run that names itself not is called `run-N`.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn upsert(tx: &mut Tx, project: &Granted<Contribute>, name: &RunName, fields: &RunFields) -> Result<(RunId, bool)> {
    if let Some(id) = update(tx, project, name, fields).await? {
        return Ok((id, false));
    }
    let number = sqlx::query_scalar!(
        r#"-- runs::upsert_number
        update projects set next_run_number = next_run_number + 1 where id = $1 returning next_run_number - 1 as "number!""#,
        project.target().0
    )
    .fetch_one(&mut **tx)
    .await?;
    let id = sqlx::query_scalar!(
        "-- runs::upsert_insert
        insert into runs (project_id, name, display_name, description, notes, group_name, job_type, host, git_commit, program, repo,
            config, summary, tags, created_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce($12, '{}'), coalesce($13, '{}'),
            coalesce($14, '{}'::text[]), $15)
        on conflict do nothing returning id",
        project.target().0,
        name.as_str(),
        fields.display_name.clone().unwrap_or_else(|| format!("run-{number}")),
        fields.description,
        fields.notes,
        fields.group_name,
        fields.job_type,
        fields.host,
        fields.git_commit,
        fields.program,
        fields.repo,
        fields.config,
        fields.summary,
        fields.tags.as_deref(),
        project.actor().0
    )
    .fetch_optional(&mut **tx)
    .await?;
    match id {
        Some(id) => Ok((RunId(id), true)),
        // Made by another request while this one waited for the number: it is there now.
        None => Ok((update(tx, project, name, fields).await?.ok_or(Error::NotFound)?, false)),
    }
}

async fn update(tx: &mut Tx, project: &Granted<Contribute>, name: &RunName, fields: &RunFields) -> Result<Option<RunId>> {
    let id = sqlx::query_scalar!(
        "-- runs::update
        update runs set display_name = coalesce($3, display_name), description = coalesce($4, description), notes = coalesce($5, notes),
            group_name = coalesce($6, group_name), job_type = coalesce($7, job_type), host = coalesce($8, host),
            git_commit = coalesce($9, git_commit), program = coalesce($10, program), repo = coalesce($11, repo),
            config = coalesce($12, config), summary = coalesce($13, summary), tags = coalesce($14, tags),
            updated_at = now(), heartbeat_at = now()
        where project_id = $1 and name = $2 returning id",
        project.target().0,
        name.as_str(),
        fields.display_name,
        fields.description,
        fields.notes,
        fields.group_name,
        fields.job_type,
        fields.host,
        fields.git_commit,
        fields.program,
        fields.repo,
        fields.config,
        fields.summary,
        fields.tags.as_deref()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(id.map(RunId))
}

/// Notes that a run was heard of, and how it ended, if it did.
///
/// # Errors
/// `NotFound` when the project has no such run.
pub async fn heartbeat(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    name: &RunName,
    summary: Option<&str>,
    ended: Option<i32>,
) -> Result<()> {
    let done = sqlx::query!(
        "-- runs::heartbeat
        update runs set heartbeat_at = now(), summary = coalesce($3, summary),
            exit_code = coalesce($4, exit_code),
            state = case when $4 is null then state when $4 = 0 then 'finished' else 'failed' end
        where project_id = $1 and name = $2",
        project.target().0,
        name.as_str(),
        summary,
        ended
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// Points a run's file at its newest bytes.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn set_file(tx: &mut Tx, run: RunId, name: &str, blob: BlobId) -> Result<()> {
    sqlx::query!(
        "-- runs::set_file
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
