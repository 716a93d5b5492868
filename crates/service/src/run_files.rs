//! Files of runs (rule 47): announced, listed, read. Their bytes arrive as a version's do (`files`). What must not live here: runs.

use regalia_domain::ids::RunId;
use regalia_domain::names::{EntityName, ProjectName, RunName};
use regalia_domain::paths::RunFilePath;
use regalia_store::access::{self, Caller, Contribute, ProjectKind};
use regalia_store::run_files::{self, RunFileRow, Which};
use regalia_store::{runs, uploads};

use crate::files::{Content, UploadTarget, gone};
use crate::projects::{forbidden_project, missing_project};
use crate::runs::missing_run;
use crate::signing::{DOWNLOAD_LIFETIME, Purpose, Signature};
use crate::{Error, Page, Request, Result, Service, at_most};

/// Most names in one request (rule 44).
const MOST_NAMES: usize = 5000;

/// The longest pattern of names, in bytes.
const LONGEST_PATTERN: usize = 1024;

/// Which files are wanted: these names, or those that a pattern of SQL's `like` fits; without either all.
///
/// # Errors
/// `Invalid` for more than anybody needs.
pub fn which(names: Option<Vec<String>>, pattern: Option<String>) -> Result<Which> {
    let mut names = names;
    // What has a NUL is nowhere, and nothing that PostgreSQL may be asked.
    if let Some(names) = &mut names {
        at_most("names", names.len(), MOST_NAMES)?;
        names.retain(|name| !name.contains('\0'));
    }
    let mut like = pattern;
    if let Some(like) = &mut like {
        if like.len() > LONGEST_PATTERN || like.contains('\0') {
            return Err(Error::Invalid(format!(
                "The pattern of names is longer than {LONGEST_PATTERN} bytes, or contains a NUL character. Send a shorter one, such as \"%.json\"."
            )));
        }
        // A backslash that escapes nothing stands for itself.
        if like.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
            like.push('\\');
        }
    }
    Ok(Which { names, like })
}

impl Service {
    /// Announces files of a run and gives each an upload URL, in the order asked for; none where a name can't be that of a file,
    /// for clients announce all files of a run at once, and the others shall not be lost with it.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`: none of the names can be taken, among others.
    pub async fn announce_run_files(
        &self,
        request: &Request,
        entity: &EntityName,
        project: &ProjectName,
        name: &RunName,
        files: &[String],
    ) -> Result<(RunId, Vec<Option<UploadTarget>>)> {
        let caller = request.caller()?;
        at_most("files", files.len(), 5000)?;
        let mut ids = Vec::with_capacity(files.len());
        let mut new = Vec::with_capacity(files.len());
        let mut refused = None;
        for file in files {
            match RunFilePath::parse(file) {
                Ok(path) => {
                    let id = self.random_uuid();
                    new.push(uploads::NewUpload { id, name: path.as_str().to_owned(), md5: None, stored: None });
                    ids.push(Some(id));
                }
                Err(error) => {
                    refused.get_or_insert(error);
                    ids.push(None);
                }
            }
        }
        if let Some(error) = refused.filter(|_| new.is_empty()) {
            return Err(error.into());
        }
        let mut tx = self.begin().await?;
        let project = access::project_by_name(&mut tx, caller, entity.as_str(), ProjectKind::Project, project.as_str())
            .await
            .map_err(missing_project(entity.as_str(), project.as_str()))?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let run = runs::by_name(&mut tx, project.id, name.as_str()).await?.ok_or_else(|| missing_run(name.as_str()))?;
        uploads::announce(&mut tx, &granted, uploads::Owner::Run(run), project.scope(), &new).await?;
        regalia_store::commit(tx).await?;
        let targets = ids.into_iter().map(|id| id.map(|id| self.upload_target(request, caller, id))).collect();
        Ok((run, targets))
    }

    /// Whether all these files of a run have arrived. A file is the run's as soon as its bytes are here, so nothing else is left to
    /// be noted when a client says that it has sent them.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`.
    pub async fn run_files_arrived(
        &self,
        request: &Request,
        entity: &EntityName,
        project: &ProjectName,
        name: &RunName,
        files: Vec<String>,
    ) -> Result<bool> {
        let caller = request.caller()?;
        let mut wanted = files;
        wanted.sort_unstable();
        wanted.dedup();
        let names = wanted.len();
        let which = which(Some(wanted), None)?;
        let mut connection = self.store.read().await?;
        let project = access::project_by_name(&mut connection, caller, entity.as_str(), ProjectKind::Project, project.as_str())
            .await
            .map_err(missing_project(entity.as_str(), project.as_str()))?;
        project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let run = runs::by_name(&mut connection, project.id, name.as_str()).await?.ok_or_else(|| missing_run(name.as_str()))?;
        let found = run_files::count(&mut connection, &[run.0], &which).await?.pop().map_or(0, |(_, count)| count);
        Ok(usize::try_from(found).is_ok_and(|found| found == names))
    }

    /// Files of runs, by name, of projects that the caller was allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn run_files(&self, runs: &[i64], which: &Which, page: &Page) -> Result<Vec<RunFileRow>> {
        let mut connection = self.store.read().await?;
        Ok(run_files::files(&mut connection, runs, which, &page.after, page.first).await?)
    }

    /// How many files there are of each run, by its number, of projects that the caller was allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn count_run_files(&self, runs: &[i64], which: &Which) -> Result<Vec<(i64, i64)>> {
        let mut connection = self.store.read().await?;
        Ok(run_files::count(&mut connection, runs, which).await?)
    }

    /// A URL for a run's file, which needs a key.
    #[must_use]
    pub fn run_file_url(&self, request: &Request, run: RunId, encoded_name: &str) -> String {
        format!("{}/storage/run_files/{run}/{encoded_name}", request.base_url)
    }

    /// A URL for a run's file that authorizes itself.
    #[must_use]
    pub fn signed_run_file_url(&self, request: &Request, caller: &Caller, run: RunId, name: &str, encoded_name: &str) -> String {
        let expires = self.clock.now() + DOWNLOAD_LIFETIME;
        let signature = self.signer.sign(Purpose::RunFile, &target(run, name), caller.user, expires);
        format!("{}?{}", self.run_file_url(request, run, encoded_name), signature.query())
    }

    /// A run's file, by a key.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound`.
    pub async fn run_file(&self, request: &Request, run: RunId, name: &str) -> Result<Content> {
        self.run_file_for(request.caller()?, run, name).await
    }

    /// A run's file by a signed URL, authorized again.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn signed_run_file(&self, run: RunId, name: &str, signature: &Signature) -> Result<Content> {
        let caller = self.signed(Purpose::RunFile, &target(run, name), signature).await?;
        self.run_file_for(&caller, run, name).await
    }

    async fn run_file_for(&self, caller: &Caller, run: RunId, name: &str) -> Result<Content> {
        let path = RunFilePath::parse(name)?;
        let mut connection = self.store.read().await?;
        run_files::content(&mut connection, caller, run, path.as_str()).await.map_err(gone)?.try_into()
    }
}

/// What a signed URL is for: the newest bytes of this name.
fn target(run: RunId, name: &str) -> String {
    format!("{run}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_never_ends_in_the_middle_of_an_escape() {
        for (pattern, like) in [("%.json", "%.json"), ("a\\", "a\\\\"), ("a\\\\", "a\\\\"), ("\\%", "\\%"), ("", "")] {
            assert_eq!(which(None, Some(pattern.to_owned())).unwrap().like.as_deref(), Some(like), "{pattern}");
        }
        assert!(which(None, Some("%".repeat(LONGEST_PATTERN + 1))).is_err());
        assert!(which(Some(vec![String::new(); MOST_NAMES + 1]), None).is_err());
    }
}
