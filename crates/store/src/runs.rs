//! Runs (rule 47). What must not live here: their files (`run_files`), charts, console output, anything a run streams.

use chrono::{DateTime, Utc};
use regalia_domain::ids::{ProjectId, RunId};
use regalia_domain::names::RunName;
use regalia_domain::run_values::RunValues;

use crate::access::{Contribute, Granted};
use crate::{Connection, Error, Result, Tx};

/// A run, without its long texts.
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
    /// running, finished, failed; crashed when it hasn't ended and wasn't heard of for long.
    pub state: String,
    /// Groups runs of one job.
    pub group_name: Option<String>,
    /// Kind of job.
    pub job_type: Option<String>,
    /// Commit of the code.
    pub git_commit: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Whether somebody asked it to stop and it hasn't ended since.
    pub stop_requested: bool,
    /// Length of the description in bytes; none without one.
    pub description_bytes: Option<i32>,
    /// Length of the notes in bytes; none without any.
    pub notes_bytes: Option<i32>,
    /// Length of the configuration in bytes.
    pub config_bytes: i32,
    /// Length of the summary in bytes.
    pub summary_bytes: i32,
    /// Who started it.
    pub created_by: Option<i64>,
    /// When it started.
    pub created_at: DateTime<Utc>,
    /// When it was last heard of.
    pub heartbeat_at: DateTime<Utc>,
}

macro_rules! select_run {
    ($name:literal, $where:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            RunRow,
            "-- runs::" + $name + "
            select id, project_id, name, display_name,
                case when state = 'running' and heartbeat_at < $1 then 'crashed' else state end as \"state!\",
                group_name, job_type, git_commit, tags, stop_requested, octet_length(description) as description_bytes,
                octet_length(notes) as notes_bytes, octet_length(config) as \"config_bytes!\",
                octet_length(summary) as \"summary_bytes!\", created_by, created_at, heartbeat_at
            from runs " + $where,
            $($argument),+
        )
    };
}

/// The number of a run of a project that the caller was allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn by_name(connection: &mut Connection, project: ProjectId, name: &str) -> Result<Option<RunId>> {
    let id = sqlx::query_scalar!(
        "-- runs::by_name
        select id from runs where project_id = $1 and name = $2",
        project.0,
        name
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(RunId))
}

/// Runs by their projects and names, in any order. Those that haven't been heard of since `silent` have crashed. The caller of
/// this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn by_names(
    connection: &mut Connection,
    projects: &[i64],
    names: &[&str],
    silent: DateTime<Utc>,
) -> Result<Vec<RunRow>> {
    Ok(select_run!(
        "by_names",
        "where (project_id, name) in (select * from unnest($2::bigint[], $3::text[]))",
        silent,
        projects,
        names as &[&str]
    )
    .fetch_all(connection)
    .await?)
}

/// Runs by number, in any order. Those that haven't been heard of since `silent` have crashed. The caller of this checks their
/// projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn runs(connection: &mut Connection, ids: &[i64], silent: DateTime<Utc>) -> Result<Vec<RunRow>> {
    Ok(select_run!("runs", "where id = any($2)", silent, ids).fetch_all(connection).await?)
}

/// A long text of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LongText {
    /// Free text.
    Description,
    /// Free text.
    Notes,
    /// The configuration, a JSON object as Python writes it.
    Config,
    /// The summary, a JSON object as Python writes it.
    Summary,
}

impl LongText {
    const ALL: [Self; 4] = [Self::Description, Self::Notes, Self::Config, Self::Summary];

    fn column(self) -> &'static str {
        match self {
            Self::Description => "description",
            Self::Notes => "notes",
            Self::Config => "config",
            Self::Summary => "summary",
        }
    }
}

/// Long texts of runs, in any order, without those that are null. The caller of this checks the projects, and the texts' length.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn texts(connection: &mut Connection, wanted: &[(i64, LongText)]) -> Result<Vec<(i64, LongText, String)>> {
    let (ids, columns): (Vec<i64>, Vec<&str>) = wanted.iter().map(|(id, text)| (*id, text.column())).unzip();
    let rows = sqlx::query!(
        r#"-- runs::texts
        select r.id, w.name as "name!", t.text as "text!"
        from unnest($1::bigint[], $2::text[]) w (id, name) join runs r on r.id = w.id
        cross join lateral (select case w.name when 'description' then r.description when 'notes' then r.notes
            when 'config' then r.config when 'summary' then r.summary end) t (text)
        where t.text is not null"#,
        &ids,
        &columns as &[&str]
    )
    .fetch_all(connection)
    .await?;
    let text = |name: &str| LongText::ALL.into_iter().find(|text| text.column() == name);
    Ok(rows.into_iter().filter_map(|row| Some((row.id, text(&row.name)?, row.text))).collect())
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
    /// Configuration.
    pub config: Option<RunValues>,
    /// Summary.
    pub summary: Option<RunValues>,
    /// Tags.
    pub tags: Option<Vec<String>>,
}

/// A configuration as it was sent, and for filters.
fn config_columns(values: Option<&RunValues>) -> (Option<&str>, Option<String>) {
    (values.map(RunValues::as_text), values.map(RunValues::config_index_text))
}

/// A summary as it was sent, and for filters.
fn summary_columns(values: Option<&RunValues>) -> (Option<&str>, Option<String>) {
    (values.map(RunValues::as_text), values.map(RunValues::index_text))
}

/// When a client says something of its run.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now.
    pub now: DateTime<Utc>,
    /// A run that hasn't been heard of since has crashed.
    pub silent: DateTime<Utc>,
}

/// Makes a run or updates it, which lets one that has ended run again; says whether it is new. A new run that names itself not
/// is called `run-N`.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn upsert(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    name: &RunName,
    fields: &RunFields,
    moment: Moment,
) -> Result<(RunId, bool)> {
    if let Some(id) = resume(tx, project, name, moment).await? {
        update(tx, project, id, fields).await?;
        return Ok((id, false));
    }
    let number = sqlx::query_scalar!(
        r#"-- runs::upsert_number
        update projects set next_run_number = next_run_number + 1 where id = $1 returning next_run_number - 1 as "number!""#,
        project.target().0
    )
    .fetch_one(&mut **tx)
    .await?;
    let (config, config_index) = config_columns(fields.config.as_ref());
    let (summary, summary_index) = summary_columns(fields.summary.as_ref());
    let id = sqlx::query_scalar!(
        "-- runs::upsert_insert
        insert into runs (project_id, name, display_name, description, notes, group_name, job_type, host, git_commit, program, repo,
            config, config_index, summary, summary_index, tags, created_by, heartbeat_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce($12, '{}'), coalesce($13::text::jsonb, '{}'),
            coalesce($14, '{}'), coalesce($15::text::jsonb, '{}'), coalesce($16, '{}'::text[]), $17, $18)
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
        config,
        config_index,
        summary,
        summary_index,
        fields.tags.as_deref(),
        project.actor().0,
        moment.now
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(id) = id {
        return Ok((RunId(id), true));
    }
    // Made by another request while this one waited for the number: it is there now.
    let id = resume(tx, project, name, moment).await?.ok_or(Error::NotFound)?;
    update(tx, project, id, fields).await?;
    Ok((id, false))
}

/// Notes that a run was heard of, and that it runs again if it had ended: then nobody wants it to stop any more.
async fn resume(tx: &mut Tx, project: &Granted<Contribute>, name: &RunName, moment: Moment) -> Result<Option<RunId>> {
    let id = sqlx::query_scalar!(
        "-- runs::resume
        update runs set stop_requested = stop_requested and state = 'running' and heartbeat_at >= $4, state = 'running',
            exit_code = null, heartbeat_at = $3
        where project_id = $1 and name = $2 returning id",
        project.target().0,
        name.as_str(),
        moment.now,
        moment.silent
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(id.map(RunId))
}

/// Changes a run's own fields.
///
/// # Errors
/// `NotFound` when the project has no such run.
pub async fn update(tx: &mut Tx, project: &Granted<Contribute>, run: RunId, fields: &RunFields) -> Result<()> {
    let (config, config_index) = config_columns(fields.config.as_ref());
    let (summary, summary_index) = summary_columns(fields.summary.as_ref());
    let done = sqlx::query!(
        "-- runs::update
        update runs set display_name = coalesce($3, display_name), description = coalesce($4, description), notes = coalesce($5, notes),
            group_name = coalesce($6, group_name), job_type = coalesce($7, job_type), host = coalesce($8, host),
            git_commit = coalesce($9, git_commit), program = coalesce($10, program), repo = coalesce($11, repo),
            config = coalesce($12, config), config_index = coalesce($13::text::jsonb, config_index),
            summary = coalesce($14, summary), summary_index = coalesce($15::text::jsonb, summary_index),
            tags = coalesce($16, tags), updated_at = now()
        where project_id = $1 and id = $2",
        project.target().0,
        run.0,
        fields.display_name,
        fields.description,
        fields.notes,
        fields.group_name,
        fields.job_type,
        fields.host,
        fields.git_commit,
        fields.program,
        fields.repo,
        config,
        config_index,
        summary,
        summary_index,
        fields.tags.as_deref()
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// Asks a run to stop. One that has ended is left as it is.
///
/// # Errors
/// `NotFound` when the project has no such run.
pub async fn ask_to_stop(tx: &mut Tx, project: &Granted<Contribute>, run: RunId) -> Result<()> {
    let done = sqlx::query!(
        "-- runs::ask_to_stop
        update runs set stop_requested = (state = 'running') where project_id = $1 and id = $2",
        project.target().0,
        run.0
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// Notes that a run was heard of, and how it ended, if it did; says whether somebody asked it to stop.
///
/// # Errors
/// `NotFound` when the project has no such run.
pub async fn heartbeat(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    name: &RunName,
    summary: Option<&RunValues>,
    ended: Option<i32>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (summary, summary_index) = summary_columns(summary);
    sqlx::query_scalar!(
        "-- runs::heartbeat
        update runs set heartbeat_at = $6, summary = coalesce($3, summary), summary_index = coalesce($4::text::jsonb, summary_index),
            exit_code = coalesce($5, exit_code), stop_requested = stop_requested and $5 is null,
            state = case when $5 is null then state when $5 = 0 then 'finished' else 'failed' end
        where project_id = $1 and name = $2 returning stop_requested",
        project.target().0,
        name.as_str(),
        summary,
        summary_index,
        ended,
        now
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)
}
