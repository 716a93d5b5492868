//! Runs: begun, updated, heard of, ended; the versions they use; their files (rule 47). What must not live here: history
//! lines and console output, which are accepted at the door and dropped.

use regalia_domain::description;
use regalia_domain::ids::{ProjectId, RunId, VersionId};
use regalia_domain::metadata::Metadata;
use regalia_domain::names::{EntityName, ProjectName, RunName};
use regalia_domain::roles::Right;
use regalia_store::access::{self, Caller, Contribute, ProjectKind, ProjectRow};
use regalia_store::runs::{self, RunFields, RunRow};
use regalia_store::{uploads, versions};

use crate::files::UploadTarget;
use crate::projects::{ensure_project, forbidden_project, missing_project};
use crate::{Error, Request, Result, Service, at_most};

/// Most bytes of a run's configuration or summary.
const LARGEST_RUN_JSON: usize = 8 * 1024 * 1024;

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
        at_most("tags", fields.tags.as_ref().map_or(0, Vec::len), 1000)?;
        for (what, text) in [("config", &fields.config), ("summaryMetrics", &fields.summary)] {
            check_json(what, text.as_deref())?;
        }
        for text in [&fields.description, &fields.notes] {
            description::check(text.as_deref())?;
        }
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, _) = ensure_project(&mut tx, request, caller, entity, project, None).await?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let (id, inserted) = runs::upsert(&mut tx, &granted, name, fields).await?;
        let run = runs::runs(&mut tx, &[id.0]).await?.pop().ok_or(regalia_store::Error::NotFound)?;
        regalia_store::commit(tx).await?;
        Ok((run, project, inserted))
    }

    /// A run of a project that the caller sees.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn run(&self, project: ProjectId, name: &str) -> Result<RunRow> {
        let mut connection = self.store.read().await?;
        runs::by_name(&mut connection, project, name).await?.ok_or_else(|| missing_run(name))
    }

    /// Runs by number, of projects that the caller was allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn runs_by_id(&self, ids: &[i64]) -> Result<Vec<RunRow>> {
        let mut connection = self.store.read().await?;
        Ok(runs::runs(&mut connection, ids).await?)
    }

    /// Notes that a run was heard of, with a new summary and an exit code if it brought them.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`.
    pub async fn run_heartbeat(
        &self,
        request: &Request,
        entity: &EntityName,
        project: &ProjectName,
        name: &RunName,
        summary: Option<&str>,
        ended: Option<i32>,
    ) -> Result<()> {
        // A summary that can't be kept doesn't cost the run its end.
        let checked = check_json("summary", summary);
        let summary = summary.filter(|_| checked.is_ok());
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let project = access::project_by_name(&mut tx, caller, entity.as_str(), ProjectKind::Project, project.as_str())
            .await
            .map_err(missing_project(entity.as_str(), project.as_str()))?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        runs::heartbeat(&mut tx, &granted, name, summary, ended)
            .await
            .map_err(Error::named(missing_run(name.as_str()).to_string(), ""))?;
        regalia_store::commit(tx).await?;
        checked
    }

    /// Announces files of a run and gives each an upload URL, in the order asked for.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`.
    pub async fn announce_run_files(
        &self,
        request: &Request,
        entity: &EntityName,
        project: &ProjectName,
        name: &RunName,
        files: &[String],
    ) -> Result<(RunId, Vec<UploadTarget>)> {
        let caller = request.caller()?;
        at_most("files", files.len(), 5000)?;
        let mut new = Vec::with_capacity(files.len());
        for file in files {
            let path = regalia_domain::paths::EntryPath::parse(file)?;
            new.push(uploads::NewUpload { id: self.random_uuid(), name: path.as_str().to_owned(), md5: None });
        }
        let mut tx = self.begin().await?;
        let project = access::project_by_name(&mut tx, caller, entity.as_str(), ProjectKind::Project, project.as_str())
            .await
            .map_err(missing_project(entity.as_str(), project.as_str()))?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let run = runs::by_name(&mut tx, project.id, name.as_str()).await?.ok_or_else(|| missing_run(name.as_str()))?;
        uploads::announce(&mut tx, &granted, uploads::Owner::Run(run.id), project.scope(), &new).await?;
        regalia_store::commit(tx).await?;
        let targets = new.iter().map(|file| self.upload_target(request, caller, file.id)).collect();
        Ok((run.id, targets))
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
        versions::note_input(&mut tx, &granted, run.id, version).await?;
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

/// A run's configuration and summary are JSON as Python writes it: with `NaN`, `Infinity` and `-Infinity` for numbers that
/// JSON doesn't have, because a diverged training must not fail for them. The text is kept as it came.
fn check_json(what: &str, text: Option<&str>) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    if text.len() > LARGEST_RUN_JSON {
        return Err(Error::Invalid(format!("The run's {what} is longer than {LARGEST_RUN_JSON} bytes.")));
    }
    let plain = serde_json::from_str::<serde::de::IgnoredAny>(text);
    let Err(error) = plain else { return Ok(()) };
    match serde_json::from_str::<serde::de::IgnoredAny>(&without_python_numbers(text)) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Invalid(format!("The run's {what} is not JSON: {error}."))),
    }
}

/// The text with Python's three literals replaced by zeros, outside strings.
fn without_python_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if next == '"' {
            let end = string_end(rest);
            plain.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if let Some(after) = ["NaN", "-Infinity", "Infinity"].iter().find_map(|literal| rest.strip_prefix(literal)) {
            plain.push('0');
            rest = after;
        } else {
            plain.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    plain
}

/// Where the string that a text begins with ends.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule 47: a run's configuration and summary are kept, also those of a diverged training.
    #[test]
    fn rule_47_python_numbers_are_json_here() {
        for text in [r#"{"a":1}"#, r#"{"a":NaN}"#, r#"{"a":[Infinity,-Infinity],"NaN":"\"Infinity"}"#, r#"{"ä":"NaN"}"#] {
            assert!(check_json("config", Some(text)).is_ok(), "{text}");
        }
        for text in ["", "{", r#"{"a":nan}"#, r#"{"a":"#, r#"{"a":NaN"#, "NaNNaN", r#"{"a":"\"#] {
            assert!(check_json("config", Some(text)).is_err(), "{text}");
        }
    }
}
