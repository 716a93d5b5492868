//! The use-cases: what Regalia does, whichever door it was asked through. A service function begins the transaction, gets
//! the permission, lets the domain decide, has the store write, and commits together with the audit event. What must not
//! live here: anything of a protocol, SQL, or a rule that needs no database (the domain crate has those).
//!
//! No HTTP or object-store call happens inside an open transaction.

pub mod accounts;
pub mod changes;
pub mod collections;
pub mod commit;
pub mod demo;
pub mod drafts;
pub mod error;
pub mod expiry;
pub mod files;
pub mod garbage;
pub mod history;
pub mod lineage;
pub mod links;
pub mod lists;
mod merging;
pub mod organizations;
pub mod passwords;
pub mod profiles;
pub mod projects;
pub mod registries;
pub mod registry_members;
mod removal;
pub mod run_files;
pub mod runs;
pub mod sealer;
pub mod service_accounts;
pub mod sessions;
pub mod signing;
pub mod teams;
pub mod upload_plan;
pub mod versions;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use regalia_blobs::Blobs;
use regalia_domain::manifest::ManifestLimits;
use regalia_store::access::Caller;
use regalia_store::audit::Origin;
use regalia_store::{Store, Tx};
use serde_json::{Map, Value};
use tracing::Instrument as _;
use uuid::Uuid;

pub use error::{Error, Result};
pub use regalia_blobs as blobs;
pub use regalia_store as store;

/// The time, as a parameter.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Now.
    fn now(&self) -> DateTime<Utc>;
}

/// Randomness, as a parameter.
pub trait Random: Send + Sync + std::fmt::Debug {
    /// Fills a buffer with unpredictable bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// What an installation may set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address under which clients reach this server; none: that of each request.
    pub public_url: Option<String>,
    /// Most bytes of one uploaded file.
    pub largest_file: u64,
    /// How much a version's manifest may hold, also one that is made of others.
    pub manifests: ManifestLimits,
}

/// The use-cases of one installation.
#[derive(Debug, Clone)]
pub struct Service {
    /// Rows.
    pub store: Store,
    /// Bytes.
    pub blobs: Blobs,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// What signs URLs.
    pub signer: signing::Signer,
    /// What computes passwords' hashes.
    pub hasher: passwords::Hasher,
    /// What the installation set.
    pub settings: Settings,
}

/// Who asks, and in which request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The authenticated user; none for anonymous requests.
    pub caller: Option<Caller>,
    /// As in the log.
    pub id: Uuid,
    /// Address under which this client reaches the server, without a slash at the end.
    pub base_url: String,
}

impl Request {
    /// The caller.
    ///
    /// # Errors
    /// `Unauthenticated` for anonymous requests.
    pub fn caller(&self) -> Result<&Caller> {
        self.caller.as_ref().ok_or_else(Error::unauthenticated)
    }

    /// Who an audit event names.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin { actor: self.caller.as_ref().map(|caller| caller.user), request: self.id }
    }
}

/// One page of a list that is ordered by a text key.
#[derive(Debug, Clone)]
pub struct Page {
    /// Rows after this key; empty for the first page.
    pub after: String,
    /// How many rows at most.
    pub first: i64,
}

impl Page {
    /// How many rows a page has when the client doesn't say.
    pub const DEFAULT: i64 = 20;
    /// How many rows a page has at most.
    pub const MOST: i64 = 1000;
}

/// Of named fields, before and after, those that differ: what an event tells of a change.
pub(crate) fn differing<'f>(
    fields: impl IntoIterator<Item = (&'f str, Value, Value)>,
) -> (Map<String, Value>, Map<String, Value>) {
    let differing = fields.into_iter().filter(|(_, before, after)| before != after);
    differing.map(|(name, before, after)| ((name.to_owned(), before), (name.to_owned(), after))).unzip()
}

/// Refuses a list that is longer than anybody needs: everything in it is written in one transaction.
pub(crate) fn at_most(what: &str, length: usize, most: usize) -> Result<()> {
    if length > most {
        Err(Error::Invalid(format!("{length} {what} were sent; at most {most} are taken in one request.")))
    } else {
        Ok(())
    }
}

/// Runs a use-case in a task of its own, which goes on when the client gives up waiting.
pub(crate) async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work.in_current_span()).await?
}

impl Service {
    /// Random bytes.
    #[must_use]
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// An unguessable name for a row that is about to be.
    #[must_use]
    pub fn random_uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random_bytes()).into_uuid()
    }

    /// The same use-cases for one request, which takes at most so many connections at once.
    #[must_use]
    pub fn sharing(&self, connections: usize) -> Self {
        Self { store: self.store.sharing(connections), ..self.clone() }
    }

    pub(crate) async fn begin(&self) -> Result<Tx> {
        Ok(self.store.begin().await?)
    }

    /// A transaction whose statements may take long, because they go over all that something holds.
    pub(crate) async fn begin_long(&self) -> Result<Tx> {
        let mut tx = self.begin().await?;
        regalia_store::take_long(&mut tx).await?;
        Ok(tx)
    }
}
