//! What nobody needs any more goes, bytes last: a version that ended names no manifest, a manifest that no version names goes with
//! its entries, bytes that nothing names go after a day. What must not live here: what ends versions (`changes`, `collections`,
//! `expiry`), and when this runs (the server's).
//!
//! Any number of servers may do it at once, and each may die at any moment: every batch is one transaction, which looks again under
//! its locks, and the next time begins with what is left. No object is deleted inside a transaction: the row of the blob goes first,
//! and leaves a note of the object, which goes after the object.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt as _, stream};
use regalia_domain::ids::BlobId;
use regalia_store::blobs::BlobKey;
use regalia_store::{garbage, manifests};

use crate::files::key;
use crate::{Error, Result, Service};

/// After so long without a further announcement nobody goes on with a version that was begun: for the first half of it the URLs
/// for uploads are good, and for the other half what was begun by them may last.
const BEGUN: TimeDelta = TimeDelta::days(2);

/// So long a client may say its own name of a version: longer than any process waits with what it has to send.
const CLIENT_IDS: TimeDelta = TimeDelta::days(30);

/// So long the processes that make a version together may be silent. Who came later would commit one without what the others were told
/// is in it.
const SHARED: TimeDelta = TimeDelta::days(30);

/// So long bytes stay that nothing names: who is about to name them has done so by then.
const UNNAMED: TimeDelta = TimeDelta::days(1);

/// So long an ended version stays that no history names: longer than its announcements.
const ENDED: TimeDelta = TimeDelta::days(3);

/// After so long an object whose number was given has its row, or never gets one.
const AWAITED: TimeDelta = TimeDelta::days(1);

/// Manifests and blobs that one statement looks at.
const LOOKED_AT: i64 = 2000;

/// Entries that one transaction deletes, if one manifest hasn't more.
const ENTRIES: i64 = 100_000;

/// Objects of one page, and how many are deleted at the same time.
const OBJECTS: i64 = 500;
const AT_ONCE: usize = 8;

/// What went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Versions that were begun and left, or ended and are in no history.
    pub versions: u64,
    /// Manifests.
    pub manifests: u64,
    /// Blobs' rows.
    pub blobs: u64,
    /// Objects.
    pub objects: u64,
    /// Steps that failed, each of which is logged: the others are done, and these are tried again the next time.
    pub failed: u64,
}

impl Collected {
    fn note(&mut self, step: &str, done: Result<()>) {
        if let Err(error) = done {
            self.failed += 1;
            tracing::warn!(?error, step, "what nothing needs could not be cleared; this is tried again");
        }
    }
}

impl Service {
    /// Clears away what nobody needs: step by step, of which none waits for another's success. `now` is the database's time, by which
    /// everything here was written.
    pub async fn collect(&self, now: DateTime<Utc>) -> Collected {
        let mut gone = Collected::default();
        let done = self.collect_abandoned(now, &mut gone.versions).await;
        gone.note("versions that were begun", done);
        let done = self.collect_words(now).await;
        gone.note("announcements and clients' names", done);
        let done = self.collect_ended(now, &mut gone.versions).await;
        gone.note("ended versions", done);
        let done = self.collect_manifests(&mut gone.manifests).await;
        gone.note("manifests", done);
        let done = self.collect_blobs(now, &mut gone.blobs).await;
        gone.note("blobs", done);
        let done = self.collect_objects(now, &mut gone.objects).await;
        gone.note("objects", done);
        let done = self.collect_staged().await;
        gone.note("staged entries", done);
        gone
    }

    async fn collect_abandoned(&self, now: DateTime<Utc>, gone: &mut u64) -> Result<()> {
        loop {
            let mut tx = self.begin_long().await?;
            let (versions, more) = garbage::abandoned(&mut tx, now - BEGUN, now - SHARED).await?;
            regalia_store::commit(tx).await?;
            *gone += versions;
            if !more {
                return Ok(());
            }
        }
    }

    async fn collect_words(&self, now: DateTime<Utc>) -> Result<()> {
        while garbage::announcements(&mut *self.store.read().await?, now - BEGUN).await? > 0 {}
        while garbage::drafts(&mut *self.store.read().await?, now - BEGUN).await? > 0 {}
        while garbage::client_ids(&mut *self.store.read().await?, now - CLIENT_IDS).await? > 0 {}
        Ok(())
    }

    async fn collect_ended(&self, now: DateTime<Utc>, gone: &mut u64) -> Result<()> {
        loop {
            let versions = garbage::unnamed_versions(&mut *self.store.read().await?, now - ENDED).await?;
            *gone += versions;
            if versions == 0 {
                return Ok(());
            }
        }
    }

    async fn collect_staged(&self) -> Result<()> {
        while manifests::unstage_old(&mut *self.store.read().await?).await? {}
        Ok(())
    }

    async fn collect_manifests(&self, gone: &mut u64) -> Result<()> {
        let mut after = 0;
        loop {
            let mut unnamed = {
                let mut connection = self.store.read().await?;
                let Some(until) = garbage::manifests_until(&mut connection, after, LOOKED_AT).await? else { return Ok(()) };
                let unnamed = garbage::unnamed_manifests(&mut connection, after, until).await?;
                after = until;
                unnamed.into_iter().peekable()
            };
            while let Some(first) = unnamed.next() {
                let (mut ids, mut entries) = (vec![first.id], first.entries);
                while let Some(next) = unnamed.next_if(|next| entries + next.entries <= ENTRIES) {
                    ids.push(next.id);
                    entries += next.entries;
                }
                let mut tx = self.begin_long().await?;
                *gone += garbage::manifests(&mut tx, &ids).await?;
                regalia_store::commit(tx).await?;
            }
        }
    }

    async fn collect_blobs(&self, now: DateTime<Utc>, gone: &mut u64) -> Result<()> {
        let mut after = 0;
        loop {
            let mut connection = self.store.read().await?;
            let Some(until) = garbage::blobs_until(&mut connection, after, LOOKED_AT).await? else { break };
            garbage::mark_blobs(&mut connection, after, until, now).await?;
            after = until;
        }
        loop {
            let mut tx = self.begin().await?;
            let (looked_at, deleted) = garbage::blobs(&mut tx, now - UNNAMED).await?;
            regalia_store::commit(tx).await?;
            *gone += deleted;
            if looked_at == 0 {
                return Ok(());
            }
        }
    }

    async fn collect_objects(&self, now: DateTime<Utc>, gone: &mut u64) -> Result<()> {
        garbage::give_up(&mut *self.store.read().await?, now - AWAITED).await?;
        let mut after = 0;
        loop {
            let page = garbage::going(&mut *self.store.read().await?, after, OBJECTS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id.0;
            let deleted: Vec<BlobId> = stream::iter(page)
                .map(|row| self.delete_object(row))
                .buffer_unordered(AT_ONCE)
                .filter_map(std::future::ready)
                .collect()
                .await;
            garbage::gone(&mut *self.store.read().await?, &deleted).await?;
            *gone += deleted.len() as u64;
        }
    }

    /// None when the storage failed; then it is tried again the next time.
    async fn delete_object(&self, row: BlobKey) -> Option<BlobId> {
        let deleted = async {
            let key = key(row.id, row.scope_id, &row.sha256)?;
            self.blobs.delete(&key).await.map_err(Error::from)
        };
        match deleted.await {
            Ok(()) => Some(row.id),
            Err(error) => {
                tracing::warn!(?error, blob = row.id.0, "an object could not be deleted; this is tried again");
                None
            }
        }
    }
}
