//! Runs: begun, updated, heard of, ended, listed; the versions they use (rule 47). What must not live here: their files
//! (`run_files`); history lines and console output, which are accepted at the door and dropped.

use chrono::TimeDelta;
use regalia_domain::description;
use regalia_domain::filters::{Filter, RunTest};
use regalia_domain::ids::{RunId, VersionId};
use regalia_domain::metadata::Metadata;
use regalia_domain::names::{EntityName, ProjectName, RunName};
use regalia_domain::orders::RunOrder;
use regalia_domain::roles::Right;
use regalia_domain::run_values::{RunValues, RunValuesError};
use regalia_store::access::{self, Caller, Contribute, Granted, ProjectKind, ProjectRow};
use regalia_store::lists::{Listed, Part, Runs};
use regalia_store::runs::{self, LongText, Moment, RunFields, RunRow};
use regalia_store::{Tx, versions};

use crate::projects::{ensure_project, forbidden_project, missing_project};
use crate::{Error, Request, Result, Service, at_most};

/// A run that hasn't ended and wasn't heard of for so long has crashed (ours). Clients are heard of every 30 seconds.
pub const SILENCE: TimeDelta = TimeDelta::minutes(5);

/// Most bytes of a run's texts but its description and notes, and of each tag.
pub const LONGEST_WORD: usize = 1024;

impl Service {
    /// Makes a run or updates it, with its project if that is missing; says whether the run is new.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`.
    pub async fn upsert_run(
        &self,
        request: &Request,
        entity: &EntityName,
        project: &ProjectName,
        name: &RunName,
        fields: &RunFields,
    ) -> Result<(RunRow, ProjectRow, bool)> {
        check(fields)?;
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, _) = ensure_project(&mut tx, request, caller, entity, project, None).await?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let (id, inserted) = runs::upsert(&mut tx, &granted, name, fields, self.moment()).await?;
        let run = self.run_of(&mut tx, id).await?;
        regalia_store::commit(tx).await?;
        Ok((run, project, inserted))
    }

    /// Changes a run's own fields, and nothing of whether it runs.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`.
    pub async fn update_run(&self, request: &Request, run: RunId, fields: &RunFields) -> Result<RunRow> {
        check(fields)?;
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let granted = contribute(&mut tx, caller, run).await?;
        runs::update(&mut tx, &granted, run, fields).await.map_err(missing_id)?;
        let row = self.run_of(&mut tx, run).await?;
        regalia_store::commit(tx).await?;
        Ok(row)
    }

    /// Asks a run to stop: it is told when it is next heard of. One that has ended is left as it is.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn stop_run(&self, request: &Request, run: RunId) -> Result<()> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let granted = contribute(&mut tx, caller, run).await?;
        runs::ask_to_stop(&mut tx, &granted, run).await.map_err(missing_id)?;
        regalia_store::commit(tx).await?;
        Ok(())
    }

    async fn run_of(&self, tx: &mut Tx, run: RunId) -> Result<RunRow> {
        Ok(runs::runs(tx, &[run.0], self.moment().silent).await?.pop().ok_or(regalia_store::Error::NotFound)?)
    }

    pub(crate) fn moment(&self) -> Moment {
        let now = self.clock.now();
        Moment { now, silent: now - SILENCE }
    }

    /// Runs by name, each of a project that the caller sees.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn runs_named(&self, projects: &[i64], names: &[&str]) -> Result<Vec<RunRow>> {
        let mut connection = self.store.read().await?;
        Ok(runs::by_names(&mut connection, projects, names, self.moment().silent).await?)
    }

    /// Runs by number, of projects that the caller was allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn runs_by_id(&self, ids: &[i64]) -> Result<Vec<RunRow>> {
        let mut connection = self.store.read().await?;
        Ok(runs::runs(&mut connection, ids, self.moment().silent).await?)
    }

    /// Long texts of runs, of projects that the caller was allowed to see. The caller of this limits their length.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn run_texts(&self, wanted: &[(i64, LongText)]) -> Result<Vec<(i64, LongText, String)>> {
        let mut connection = self.store.read().await?;
        Ok(runs::texts(&mut connection, wanted).await?)
    }

    /// One part of the list of each parent.
    ///
    /// # Errors
    /// `TooSlow`.
    pub async fn list_runs(
        &self,
        caller: &Caller,
        projects: &[i64],
        filter: &Filter<RunTest>,
        part: Part<'_, RunOrder>,
    ) -> Result<Vec<Listed>> {
        let mut connection = self.store.read().await?;
        Ok(Runs { caller, projects, filter, silent: self.moment().silent }.part(&mut connection, part).await?)
    }

    /// How many there are of each parent, by its number.
    ///
    /// # Errors
    /// `TooSlow`.
    pub async fn count_runs(&self, caller: &Caller, projects: &[i64], filter: &Filter<RunTest>) -> Result<Vec<(i64, i64)>> {
        let mut connection = self.store.read().await?;
        Ok(Runs { caller, projects, filter, silent: self.moment().silent }.count(&mut connection).await?)
    }

    /// Notes that a run was heard of, with a new summary and an exit code if it brought them; says whether it shall stop. A summary that
    /// can't be kept is dropped and logged: at a refusal the SDK would send nothing more of the run.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn run_heartbeat(
        &self,
        request: &Request,
        entity: &EntityName,
        project: &ProjectName,
        name: &RunName,
        summary: Option<&str>,
        ended: Option<i32>,
    ) -> Result<bool> {
        let dropped = |error: &RunValuesError| tracing::warn!(run = name.as_str(), %error, "a run's summary is dropped");
        let summary = summary.and_then(|text| RunValues::parse("summary", text).inspect_err(dropped).ok());
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let project = access::project_by_name(&mut tx, caller, entity.as_str(), ProjectKind::Project, project.as_str())
            .await
            .map_err(missing_project(entity.as_str(), project.as_str()))?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let stop = runs::heartbeat(&mut tx, &granted, name, summary.as_ref(), ended, self.moment().now)
            .await
            .map_err(Error::named(missing_run(name.as_str()).to_string(), ""))?;
        regalia_store::commit(tx).await?;
        Ok(stop)
    }

    /// Notes that a run used a version; the same again changes nothing.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn use_version(
        &self,
        request: &Request,
        entity: &EntityName,
        project: &ProjectName,
        run: &RunName,
        version: VersionId,
    ) -> Result<versions::VersionRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let used = versions::version(&mut tx, caller, version).await.map_err(missing_version)?;
        if used.state != "committed" {
            return Err(Error::Conflict("This version is not committed yet. Finish logging it before a run uses it.".into()));
        }
        if !used.allows(Right::Download) {
            return Err(Error::Forbidden(
                "Your role shows you this version but doesn't let you use or download it. Ask for the viewer role.".into(),
            ));
        }
        let project = access::project_by_name(&mut tx, caller, entity.as_str(), ProjectKind::Project, project.as_str())
            .await
            .map_err(missing_project(entity.as_str(), project.as_str()))?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let run = runs::by_name(&mut tx, project.id, run.as_str()).await?.ok_or_else(|| missing_run(run.as_str()))?;
        versions::note_input(&mut tx, &granted, run, version).await?;
        regalia_store::commit(tx).await?;
        Ok(used)
    }

    /// The entity that a caller's runs go to when he names none.
    ///
    /// # Errors
    /// `NotFound` when the account has gone.
    pub async fn default_entity(&self, caller: &Caller) -> Result<String> {
        let mut connection = self.store.read().await?;
        let user = regalia_store::accounts::users(&mut connection, &[caller.user.0]).await?.pop();
        Ok(user.ok_or(regalia_store::Error::NotFound)?.default_entity)
    }
}

/// The fields' lengths: of what filters and orders know, of free text, of tags.
fn check(fields: &RunFields) -> Result<()> {
    at_most("tags", fields.tags.as_ref().map_or(0, Vec::len), 1000)?;
    let together: usize = fields.tags.iter().flatten().map(String::len).sum();
    if together > description::MAX_BYTES {
        return Err(Error::Invalid(format!(
            "The run's tags have {together} bytes together; at most {} are kept.",
            description::MAX_BYTES
        )));
    }
    let tags = fields.tags.iter().flatten().map(|tag| ("tag", tag));
    let words = [
        ("display name", &fields.display_name),
        ("group", &fields.group_name),
        ("job type", &fields.job_type),
        ("host", &fields.host),
        ("commit", &fields.git_commit),
        ("program", &fields.program),
        ("repository", &fields.repo),
    ];
    let words = words.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?))).chain(tags);
    for (what, text) in words {
        if text.len() > LONGEST_WORD {
            return Err(Error::Invalid(format!("The run's {what} has {} bytes; at most {LONGEST_WORD} are kept.", text.len())));
        }
    }
    for text in [&fields.description, &fields.notes] {
        description::check(text.as_deref())?;
    }
    Ok(())
}

/// The right to change a run.
async fn contribute(tx: &mut Tx, caller: &Caller, run: RunId) -> Result<Granted<Contribute>> {
    let project = access::project_of_run(tx, caller, run).await.map_err(missing_id)?;
    project.grant(caller).map_err(forbidden_project(&project))
}

fn missing_id(error: regalia_store::Error) -> Error {
    Error::named("There is no such run, or you may not see it.", "")(error)
}

pub(crate) fn missing_run(name: &str) -> Error {
    Error::NotFound(format!("There is no run \"{name}\" in this project, or you may not see it."))
}

pub(crate) fn missing_version(error: regalia_store::Error) -> Error {
    Error::named("There is no such version, or you may not see it.", "You do not have the right to do this with this version.")(
        error,
    )
}

/// Metadata as the domain has it; absent is an empty object.
pub(crate) fn metadata(text: Option<&str>) -> Result<Metadata> {
    Ok(text.map_or_else(|| Ok(Metadata::empty()), Metadata::parse)?)
}
