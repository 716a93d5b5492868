//! Logging a version without the W&B protocol: the caller names the files with sizes and digests, the server writes the
//! manifest, the caller sends the bytes and commits. What must not live here: another way of storing or committing.

use std::collections::BTreeMap;

use regalia_domain::digest::{ManifestDigest, Md5};
use regalia_domain::ids::VersionId;
use regalia_domain::manifest::{EntryContent, ManifestEntry, SortedPathChecker};
use regalia_domain::paths::EntryPath;
use regalia_store::uploads;

use crate::commit::CleanManifest;
use crate::drafts::NewManifest;
use crate::files::UploadTarget;
use crate::versions::{Announced, NewFile, NewVersion};
use crate::{Error, Request, Result, Service};

/// Most files of a version that is logged this way: they all stand in one request.
pub const MOST_FILES: usize = 5000;

/// A file of a version to be.
#[derive(Debug)]
pub struct PlannedFile {
    /// Path in the version.
    pub path: EntryPath,
    /// MD5 of its bytes.
    pub md5: Md5,
    /// Length in bytes.
    pub size: i64,
}

/// What is left to do.
#[derive(Debug)]
pub struct UploadPlan {
    /// The version: pending, or the collection's newest when that is the same (rule 26).
    pub version: VersionId,
    /// Files to send, by path; files that the collection holds already are not among them.
    pub uploads: Vec<(String, UploadTarget)>,
}

impl Service {
    /// Begins a version of these files. `new.digest` is computed here and overwritten.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`, `Conflict`.
    pub async fn plan_version(&self, request: &Request, mut new: NewVersion, files: Vec<PlannedFile>) -> Result<UploadPlan> {
        let caller = request.caller()?;
        if files.len() > MOST_FILES {
            return Err(Error::Invalid(format!("At most {MOST_FILES} files can be logged in one request.")));
        }
        let mut by_path = BTreeMap::new();
        for file in files {
            if file.size < 0 {
                return Err(Error::Invalid(format!("The size of \"{}\" is negative.", file.path.as_str())));
            }
            if let Some(twice) = by_path.insert(file.path.as_str().to_owned(), file) {
                return Err(Error::Invalid(format!("The path \"{}\" is named twice.", twice.path.as_str())));
            }
        }
        let mut digest = ManifestDigest::new();
        let mut paths = SortedPathChecker::new();
        let mut text = CleanManifest::default();
        for (path, file) in &by_path {
            paths.next(path)?;
            digest.entry(path, &file.md5.to_base64());
            text.entry(&ManifestEntry {
                path: file.path.clone(),
                content: EntryContent::File { md5: file.md5 },
                size: file.size,
                birth_artifact: None,
                extra: None,
                skip_cache: false,
            });
        }
        text.end(None);
        let manifest = text.take();
        new.digest = digest.finish();
        new.deduplicate = true;
        let version = self.log_version(request, &new).await?.version;
        if self.version(caller, version).await?.state == "committed" {
            return Ok(UploadPlan { version, uploads: Vec::new() });
        }
        let (_, target) = self.announce_manifest(request, version, &NewManifest::whole(Some(Md5::of(&manifest)))).await?;
        let target = target.ok_or_else(|| Error::from(regalia_store::Error::NotFound))?;
        self.send(request, target, manifest).await?;
        let files: Vec<NewFile> = by_path.into_values().map(|file| NewFile { path: file.path, md5: file.md5 }).collect();
        let announced = self.announce_files(request, version, None, &files).await?;
        let uploads = files
            .into_iter()
            .zip(announced)
            .filter_map(|(file, announced)| match announced {
                Announced::Upload(target) => Some((file.path.as_str().to_owned(), target)),
                Announced::Stored(_) => None,
            })
            .collect();
        Ok(UploadPlan { version, uploads })
    }

    /// An announced upload, done by the server itself.
    ///
    /// # Errors
    /// As of any upload.
    pub(crate) async fn send(&self, request: &Request, target: UploadTarget, bytes: bytes::Bytes) -> Result<()> {
        let caller = request.caller()?;
        let upload = {
            let mut connection = self.store.read().await?;
            uploads::find(&mut connection, caller, target.id).await?
        };
        let name = format!("{}.{}", target.id, self.random_uuid());
        let body = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
        let received = self.blobs.receive(&name, body, u64::MAX).await.map_err(crate::files::receive_error)?;
        self.fulfil(caller.user, &upload, received).await
    }
}
