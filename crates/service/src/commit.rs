//! Committing a version: the manifest is parsed as a stream into staging and rewritten without what clients leak; then one
//! transaction finds each file's blob, recomputes the digest, takes the index and makes the version visible. What must not
//! live here: how several manifests become one (`merging`), how entries are checked one by one (domain) and over all rows (store).

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use regalia_domain::alias::LATEST;
use regalia_domain::digest::{ManifestDigest, Sha256};
use regalia_domain::ids::{BlobId, CollectionId, RunId, VersionId};
use regalia_domain::manifest::{
    EntryContent, ManifestEntry, ManifestError, ManifestLimits, ParseFailure, SortedPathChecker, parse_manifest,
};
use regalia_store::access::Caller;
use regalia_store::manifests::{self, Totals};
use regalia_store::{Tx, aliases, audit, blobs, collections, drafts, memberships, versions};
use serde_json::json;
use sha2::Digest as _;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::files::{Object, key, receive_error, size};
use crate::merging::{Sources, base_text};
use crate::runs::missing_version;
use crate::versions::{alias_event, writable};
use crate::{Error, Request, Result, Service, to_the_end};

/// Most entries that go to the database in one piece.
const BATCH: usize = 1000;

/// A piece is sent on when its text is so long, however few entries it has.
const BATCH_BYTES: usize = 256 * 1024;

/// Pieces between the parser and its two readers: what bounds the memory of a commit.
const BATCHES_UNDER_WAY: usize = 4;

impl Service {
    /// Commits a pending version. Committing again changes nothing and succeeds.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` when the manifest or a file hasn't arrived; `Invalid` when the manifest breaks a
    /// rule or isn't what its digest says. Nothing is changed then.
    pub async fn commit_version(&self, request: &Request, version: VersionId) -> Result<()> {
        // A task of its own goes on when the client gives up waiting: its repetition finds the version committed, and
        // nothing stays staged.
        let (service, request) = (self.clone(), request.clone());
        to_the_end(async move { service.commit_to_the_end(&request, version).await }).await
    }

    async fn commit_to_the_end(&self, request: &Request, version: VersionId) -> Result<()> {
        let caller = request.caller()?;
        let (pending, sources, scope) = {
            let mut tx = self.begin().await?;
            let (project, granted) = writable(&mut tx, caller, version).await?;
            let pending = versions::pending(&mut tx, &granted, version).await?;
            if pending.state == "committed" {
                return Ok(());
            }
            let sources = Sources::of(&drafts::of_version(&mut tx, &granted, version).await?)?;
            regalia_store::commit(tx).await?;
            (pending, sources, project.scope())
        };
        let staging = self.random_uuid();
        let outcome = self.stage_and_commit(request, caller, version, &pending, scope, &sources, staging).await;
        // What stays here is cleared later; the outcome stands.
        if let Err(error) = self.unstage(staging).await {
            tracing::warn!(?error, "a commit's staged entries are left behind for a day");
        }
        outcome
    }

    async fn unstage(&self, staging: Uuid) -> Result<()> {
        while manifests::unstage(&mut *self.store.read().await?, staging).await? {}
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // One step of one function, split for reading.
    async fn stage_and_commit(
        &self,
        request: &Request,
        caller: &Caller,
        version: VersionId,
        pending: &versions::PendingRow,
        scope: i64,
        sources: &Sources,
        staging: Uuid,
    ) -> Result<()> {
        let staged = match sources.whole() {
            Some(uploaded) => self.stage(scope, uploaded, staging).await?,
            None => self.stage_merged(caller, scope, sources, staging).await?,
        };
        let written = self.write(request, caller, version, pending, scope, sources, &staged, staging).await;
        self.settle(&staged.file, written).await
    }

    /// The commit's transaction with the blob of the clean text that it points at; none when another commit of this version
    /// came first.
    #[allow(clippy::too_many_arguments)] // One step of one function, split for reading.
    async fn write(
        &self,
        request: &Request,
        caller: &Caller,
        version: VersionId,
        pending: &versions::PendingRow,
        scope: i64,
        sources: &Sources,
        staged: &Staged,
        staging: Uuid,
    ) -> Result<Option<(Tx, BlobId)>> {
        let mut tx = self.begin().await?;
        let (_, granted) = writable(&mut tx, caller, version).await?;
        let longer = regalia_store::take_for(&mut tx, staged.entries).await?;
        let present = manifests::staged_count(&mut tx, staging).await?;
        if present != staged.entries {
            // A crash of PostgreSQL empties the staging table, which is unlogged. The client repeats this.
            return Err(Error::Unavailable(format!("{present} of {} staged entries are there", staged.entries).into()));
        }
        if let Some(base) = sources.base.filter(|_| sources.onto) {
            base_text(&mut tx, caller, scope, base).await?;
        }
        let missing = manifests::resolve(&mut tx, caller, &granted, version, sources.base, staging, scope).await?;
        let summary = summarize(&mut tx, staging, staged.text).await?;
        if summary.digest != pending.digest && !sources.merged() {
            return Err(Error::Invalid(format!(
                "The manifest's digest is {}, but the version was begun with {}. Log the version again.",
                summary.digest, pending.digest
            )));
        }
        complete(&missing)?;
        let file = staged.file.row(&mut tx).await?;
        let manifest = manifests::keep(&mut tx, &granted, staging, scope, summary.hash, file, summary.totals).await?;
        if longer {
            regalia_store::take_usual(&mut tx).await?;
        }
        let collection =
            collections::lock_by_id(&mut tx, &granted, CollectionId(pending.collection_id)).await.map_err(missing_version)?;
        let aliases_by_now = match versions::lock_pending(&mut tx, &collection, version).await? {
            Some((state, aliases)) if state == "pending" => aliases,
            Some((state, _)) if state == "committed" => return Ok(None),
            _ => return Err(missing_version(regalia_store::Error::NotFound)),
        };
        // Behind the lock nothing more is announced.
        if Sources::of(&drafts::of_version(&mut tx, &granted, version).await?)? != *sources {
            return Err(Error::Conflict("Somebody added to this version while it was being committed. Commit it again.".into()));
        }
        let index = collections::take_index(&mut tx, &collection).await?;
        versions::commit(&mut tx, &collection, version, manifest, &summary.digest).await?;
        memberships::insert(&mut tx, &collection, version, index, caller.user).await?;
        let mut names = aliases_by_now;
        names.push(LATEST.to_owned());
        let moved = aliases::set(&mut tx, &collection, version, &names, caller.user).await?;
        if let Some(run) = pending.run_id {
            versions::note_output(&mut tx, &granted, RunId(run), version).await?;
        }
        if sources.patches {
            drafts::note_outputs(&mut tx, &granted, version).await?;
        }
        let tags: Vec<String> =
            regalia_store::tags::of_versions(&mut tx, &[version.0]).await?.into_iter().map(|row| row.tag).collect();
        let mut events = vec![audit::Event {
            kind: audit::Kind::VersionCommitted,
            subject: format!("Version:{version}"),
            before: None,
            after: Some(json!({ "collection": collection.id().0, "index": index, "digest": summary.digest, "tags": tags })),
        }];
        events.extend(moved.iter().map(|moved| alias_event(&collection, version, moved)));
        audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
        Ok(Some((tx, file)))
    }

    /// Parses the uploaded manifest once: its entries go into staging, and its clean text into an object.
    async fn stage(&self, scope: i64, uploaded: BlobId, staging: Uuid) -> Result<Staged> {
        let (text_in, text_out) = mpsc::channel::<Bytes>(BATCHES_UNDER_WAY);
        let text = tokio_stream(text_out).map(Ok::<_, std::convert::Infallible>);
        let name = format!("manifest.{staging}");
        let receive = async { self.blobs.receive(&name, text, u64::MAX).await.map_err(receive_error) };
        match tokio::join!(self.stage_entries(uploaded, staging, None, Some(text_in)), receive) {
            (Ok(entries), Ok(received)) => {
                let text = received.sha256;
                Ok(Staged { file: self.object(scope, received).await?, text, entries })
            }
            (Err(error), received) => {
                if let Ok(received) = received {
                    self.blobs.discard(received).await;
                }
                Err(error)
            }
            (_, Err(error)) => Err(error),
        }
    }

    /// Parses a manifest that others are merged with: its entries go into staging. How many.
    pub(crate) async fn stage_part(&self, uploaded: BlobId, staging: Uuid, part: i32) -> Result<i64> {
        self.stage_entries(uploaded, staging, Some(part), None).await
    }

    /// Parses a manifest into staging, and returns how many entries it has. The text goes on to whoever wants it.
    async fn stage_entries(
        &self,
        uploaded: BlobId,
        staging: Uuid,
        part: Option<i32>,
        text: Option<mpsc::Sender<Bytes>>,
    ) -> Result<i64> {
        let row = {
            let mut connection = self.store.read().await?;
            blobs::blob(&mut connection, uploaded).await?.ok_or(regalia_store::Error::NotFound)?
        };
        let stream = self.blobs.read(&key(row.id, row.scope_id, &row.sha256)?, 0..size(row.size)?).await?;
        let reader = tokio_util::io::StreamReader::new(Box::pin(stream.map_err(std::io::Error::other)));
        let (entries_in, entries_out) = mpsc::channel::<Vec<ManifestEntry>>(BATCHES_UNDER_WAY);
        // Parsing is blocking work on a blocking reader; it ends when the file does, or when a receiver goes away.
        let reader = tokio_util::io::SyncIoBridge::new(reader);
        let limits = self.settings.manifests.clone();
        let parser = tokio::task::spawn_blocking(move || parse(reader, &limits, &entries_in, text.as_ref()));
        let staged = manifests::stage(&self.store, staging, part, tokio_stream(entries_out)).await;
        let parsed = parser.await?;
        // The parser's own error says more than that of a receiver which it left behind.
        let entries = parsed?;
        staged?;
        Ok(entries)
    }
}

fn tokio_stream<T>(mut receiver: mpsc::Receiver<T>) -> impl futures_util::Stream<Item = T> + Unpin {
    futures_util::stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// The receivers went away: they failed, and their error is the one to tell.
#[derive(Debug)]
struct Abandoned;

fn parse(
    reader: impl std::io::Read,
    limits: &ManifestLimits,
    entries: &mpsc::Sender<Vec<ManifestEntry>>,
    text: Option<&mpsc::Sender<Bytes>>,
) -> Result<i64> {
    let mut count = 0;
    let mut batch = Vec::new();
    let mut clean = CleanManifest::default();
    let parsed = parse_manifest(reader, limits, &mut |entry: ManifestEntry| {
        // Written also where nobody wants it: its length is what bounds a piece.
        clean.entry(&entry);
        count += 1;
        batch.push(entry);
        if batch.len() == BATCH || clean.text.len() >= BATCH_BYTES {
            entries.blocking_send(std::mem::take(&mut batch)).map_err(|_| Abandoned)?;
            let piece = clean.take();
            if let Some(text) = text {
                text.blocking_send(piece).map_err(|_| Abandoned)?;
            }
        }
        Ok(())
    });
    match parsed {
        Ok(header) => {
            clean.end(header.storage_region.as_deref());
            // A receiver that went away has an error of its own.
            let _ = entries.blocking_send(batch);
            if let Some(text) = text {
                let _ = text.blocking_send(clean.take());
            }
            Ok(count)
        }
        Err(ParseFailure::Sink(Abandoned)) => Ok(count),
        Err(ParseFailure::Manifest(error @ ManifestError::Read { .. })) => Err(Error::Internal(Box::new(error))),
        Err(ParseFailure::Manifest(error)) => Err(error.into()),
    }
}

/// Writes a manifest as it is served: what was parsed, and nothing else that the client sent.
#[derive(Default)]
pub(crate) struct CleanManifest {
    text: String,
    begun: bool,
}

impl CleanManifest {
    /// One that goes on where another ended, if entries came before.
    pub(crate) fn behind(begun: bool) -> Self {
        Self { text: String::new(), begun }
    }

    pub(crate) fn entry(&mut self, entry: &ManifestEntry) {
        if self.begun {
            self.text.push(',');
        } else {
            self.begin();
        }
        let mut fields = serde_json::Map::new();
        fields.insert("digest".into(), entry.content.digest_text().into());
        fields.insert("size".into(), entry.size.into());
        if let Some(birth) = &entry.birth_artifact {
            fields.insert("birthArtifactID".into(), birth.as_str().into());
        }
        if let EntryContent::Reference { uri, .. } = &entry.content {
            fields.insert("ref".into(), uri.as_str().into());
        }
        if entry.skip_cache {
            fields.insert("skip_cache".into(), true.into());
        }
        self.text.push_str(&serde_json::Value::from(entry.path.as_str()).to_string());
        self.text.push(':');
        let fields = serde_json::Value::Object(fields).to_string();
        match &entry.extra {
            None => self.text.push_str(&fields),
            // The extra's text is kept as it was given, number by number.
            Some(extra) => {
                self.text.push_str(fields.strip_suffix('}').unwrap_or(&fields));
                self.text.push_str(",\"extra\":");
                self.text.push_str(extra);
                self.text.push('}');
            }
        }
    }

    fn begin(&mut self) {
        self.begun = true;
        self.text.push_str(r#"{"version":1,"storagePolicy":"wandb-storage-policy-v1","contents":{"#);
    }

    /// Ends it with what is known when all was parsed: the storage region as the client named it.
    pub(crate) fn end(&mut self, region: Option<&str>) {
        if !self.begun {
            self.begin();
        }
        let mut policy = serde_json::json!({ "storageLayout": "V2" });
        if let Some(region) = region {
            policy["storageRegion"] = region.into();
        }
        self.text.push_str(&format!("}},\"storagePolicyConfig\":{policy}}}"));
    }

    pub(crate) fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.text))
    }
}

/// Says which file of a manifest is missing (rules 27 and 39).
fn complete(missing: &[manifests::Unresolved]) -> Result<()> {
    let Some(first) = missing.first() else { return Ok(()) };
    Err(match first.uploaded {
        Some(uploaded) => Error::Invalid(format!(
            "The manifest says that \"{}\" has {} bytes, but the file that was uploaded has {uploaded}. Log the version again.",
            first.path, first.size
        )),
        None => Error::Conflict(format!(
            "The file \"{}\" of this version hasn't been uploaded. Upload every file of the manifest, then commit. Files of a \
             version of another organization, or of somebody's own project, are not taken over: download them and add them.",
            first.path
        )),
    })
}

/// A manifest whose entries are staged.
pub(crate) struct Staged {
    /// Its clean text, stored; the commit writes its row.
    pub(crate) file: Object,
    /// SHA-256 of that text.
    pub(crate) text: Sha256,
    /// How many entries it has.
    pub(crate) entries: i64,
}

struct Summary {
    /// As the client computes it, lowercase hexadecimal.
    digest: String,
    /// Over the clean text and the bytes of every file: all that a reader could tell apart.
    hash: Sha256,
    totals: Totals,
}

/// Goes over the staged entries once, in path order.
async fn summarize(tx: &mut Tx, staging: Uuid, text: Sha256) -> Result<Summary> {
    let mut digest = ManifestDigest::new();
    let mut hash = sha2::Sha256::new();
    hash.update(text.0);
    let mut paths = SortedPathChecker::default();
    let mut totals = Totals { entries: 0, size: 0 };
    let mut rows = std::pin::pin!(manifests::staged(tx, staging));
    while let Some(row) = rows.try_next().await? {
        paths.next(&row.path)?;
        digest.entry(&row.path, &row.digest);
        hash.update(row.sha256.as_deref().unwrap_or(&[0; 32]));
        totals.entries += 1;
        totals.size = totals
            .size
            .checked_add(row.size)
            .ok_or_else(|| Error::Invalid("The manifest's sizes add up to more than 2^63 bytes.".into()))?;
    }
    Ok(Summary { digest: digest.finish().to_hex(), hash: Sha256(hash.finalize().into()), totals })
}
