//! A manifest made of others: parsed into staging one after the other, merged there, and its text written in pages. What must
//! not live here: the commit's transaction, which is the same for every manifest.

use bytes::Bytes;
use futures_util::stream;
use regalia_blobs::ReceiveError;
use regalia_domain::digest::Md5;
use regalia_domain::ids::{BlobId, VersionId};
use regalia_domain::manifest::{EntryContent, ManifestEntry, ManifestError};
use regalia_domain::paths::EntryPath;
use regalia_store::Connection;
use regalia_store::access::Caller;
use regalia_store::drafts::DraftRow;
use regalia_store::manifests;
use regalia_store::merging::{self, MergedRow};
use uuid::Uuid;

use crate::commit::{CleanManifest, Staged};
use crate::drafts::missing_base;
use crate::files::receive_error;
use crate::{Error, Result, Service};

/// Entries of a merged manifest that are read at once, and how long those are together that one more is read after.
const PAGE: i32 = 1000;
const PAGE_BYTES: i64 = 256 * 1024;

/// The manifest of a version, as it was announced: what its commit stages, and looks at again in its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sources {
    /// The version that it is based on; a hint if it isn't `onto`.
    pub base: Option<VersionId>,
    /// The manifests that make it, the later the higher.
    pub parts: Vec<BlobId>,
    /// Whether the entries come on top of the base's.
    pub onto: bool,
    /// Whether there may be several.
    pub patches: bool,
}

impl Sources {
    /// What has been announced and has arrived.
    ///
    /// # Errors
    /// `Conflict` while something is missing.
    pub(crate) fn of(drafts: &[DraftRow]) -> Result<Self> {
        let missing = || Error::Conflict("The manifest of this version hasn't been uploaded yet. Upload it, then commit.".into());
        let mut parts = Vec::with_capacity(drafts.len());
        for draft in drafts {
            match draft.blob_id {
                Some(blob) => parts.push(BlobId(blob)),
                // Of what a client asked for again because it heard no answer, nothing more is ever announced.
                None if draft.patch && !draft.announced => {}
                None if draft.patch => {
                    let whose = draft.run.as_ref().map_or_else(String::new, |run| format!(" by the run \"{run}\""));
                    return Err(Error::Conflict(format!(
                        "A part of this version was begun{whose} and hasn't been uploaded yet. Wait for it, then commit; if it won't come, \
                         make the version again under another distributed id."
                    )));
                }
                None => return Err(missing()),
            }
        }
        if parts.is_empty() {
            return Err(missing());
        }
        let base = drafts.iter().rev().find_map(|draft| draft.base_id).map(VersionId);
        let onto = base.is_some() && drafts.iter().any(|draft| draft.incremental);
        Ok(Self { base, parts, onto, patches: drafts.iter().any(|draft| draft.patch) })
    }

    /// The blob of a whole manifest, for which nothing has to be merged.
    pub(crate) fn whole(&self) -> Option<BlobId> {
        match self.parts.as_slice() {
            [only] if !self.merged() => Some(*only),
            _ => None,
        }
    }

    /// Whether the client's digest is only that of what it sent, and the version's is known once all is merged (rule 27).
    pub(crate) fn merged(&self) -> bool {
        self.onto || self.patches
    }
}

impl Service {
    /// Stages the entries of several manifests, of each path the latest, and stores the text of the whole.
    pub(crate) async fn stage_merged(&self, caller: &Caller, scope: i64, sources: &Sources, staging: Uuid) -> Result<Staged> {
        let most = self.settings.manifests.max_entries;
        let mut staged = 0;
        if let Some(base) = sources.base.filter(|_| sources.onto) {
            let text = {
                let mut connection = self.store.read().await?;
                base_text(&mut connection, caller, scope, base).await?
            };
            staged += self.stage_part(text, staging, 0).await?;
        }
        for (number, blob) in (1..).zip(&sources.parts) {
            staged += self.stage_part(*blob, staging, number).await?;
            // Parts may say the same again, but not without end: all of them lie in the staging table before they are merged.
            if u64::try_from(staged).is_ok_and(|staged| staged > 2 * most) {
                return Err(ManifestError::TooManyEntries(most).into());
            }
        }
        let entries = {
            let mut tx = self.begin().await?;
            regalia_store::take_for(&mut tx, staged).await?;
            if let Some(path) = merging::twice(&mut tx, staging).await? {
                return Err(ManifestError::duplicate(&path).into());
            }
            let (entries, merged) = merging::merge(&mut tx, staging).await?;
            if merged != staged {
                // A crash of PostgreSQL empties the staging table, which is unlogged. The client repeats this.
                return Err(Error::Unavailable(format!("{merged} of {staged} staged entries are there").into()));
            }
            regalia_store::commit(tx).await?;
            entries
        };
        if u64::try_from(entries).is_ok_and(|entries| entries > most) {
            return Err(ManifestError::TooManyEntries(most).into());
        }
        let text = stream::try_unfold(Some(0), |after| self.text_page(staging, after));
        // What no commit could read again as its base isn't kept.
        let longest = self.settings.manifests.max_bytes;
        let received = self.blobs.receive(&format!("manifest.{staging}"), text, longest).await.map_err(|error| match error {
            ReceiveError::Sender(error) => error,
            ReceiveError::TooLarge(_) => ManifestError::TooLong(longest).into(),
            other => receive_error(other),
        })?;
        let text = received.sha256;
        Ok(Staged { file: self.object(scope, received).await?, text, entries })
    }

    /// The text of the merged entries behind a place, with what stands around them all; none behind the end.
    async fn text_page(&self, staging: Uuid, after: Option<i32>) -> Result<Option<(Bytes, Option<i32>)>> {
        let Some(after) = after else { return Ok(None) };
        let rows = {
            let mut connection = self.store.read().await?;
            merging::page(&mut connection, staging, after, PAGE, PAGE_BYTES).await?
        };
        let mut text = CleanManifest::behind(after > 0);
        let last = rows.last().map(|row| row.ordinal);
        for row in rows {
            text.entry(&entry(row)?);
        }
        if last.is_none() {
            text.end(None);
        }
        Ok(Some((text.take(), last)))
    }
}

/// The manifest of a version that the caller may download, if its bytes are of the scope (rules 39 and 41).
pub(crate) async fn base_text(connection: &mut Connection, caller: &Caller, scope: i64, base: VersionId) -> Result<BlobId> {
    let text = manifests::manifest_file(connection, caller, base).await.map_err(|error| match error {
        regalia_store::Error::NotFound => missing_base(),
        other => other.into(),
    })?;
    if text.scope_id != scope {
        return Err(Error::Invalid(
            "A version can only be based on one of the same organization, or of the same personal projects. Log a whole version."
                .into(),
        ));
    }
    Ok(text.blob_id)
}

/// A staged entry as it was parsed.
fn entry(row: MergedRow) -> Result<ManifestEntry> {
    let content = match row.reference {
        Some(uri) => EntryContent::Reference { uri, digest: row.digest },
        None => EntryContent::File { md5: Md5::from_base64(&row.digest).map_err(|error| Error::Internal(Box::new(error)))? },
    };
    Ok(ManifestEntry {
        path: EntryPath::parse(&row.path)?,
        content,
        size: row.size,
        birth_artifact: row.birth_artifact,
        extra: row.extra,
        skip_cache: row.skip_cache,
    })
}
