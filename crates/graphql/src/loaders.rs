//! Batches of rows for one request, carrying its caller: a page of anything costs one statement for each kind of thing on it.
//! Rows that the caller doesn't see are absent. What must not live here: anything that lives longer than a request.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use regalia_service::store::access::{Caller, ProjectRow};
use regalia_service::store::aliases::AliasRow;
use regalia_service::store::collections::CollectionRow;
use regalia_service::store::memberships::MembershipRow;
use regalia_service::store::projects::TypeRow;
use regalia_service::store::runs::RunRow;
use regalia_service::store::versions::VersionRow;
use regalia_service::{Error, Service};
use tracing::Instrument as _;

/// The rows of one request.
pub type Rows = DataLoader<RowLoader, HashMapCache>;

/// Loads rows by number for one caller.
pub struct RowLoader {
    service: Arc<Service>,
    caller: Caller,
}

/// The loader of a request. Its batches are logged as that request's.
#[must_use]
pub fn rows(service: Arc<Service>, caller: Caller) -> Rows {
    DataLoader::with_cache(
        RowLoader { service, caller },
        |batch| tokio::spawn(batch.instrument(tracing::Span::current())),
        HashMapCache::default(),
    )
}

macro_rules! key {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub i64);
    )*};
}

key! {
    /// A project or registry.
    ProjectKey,
    /// A version.
    VersionKey,
    /// A collection; the loader doesn't check its project.
    CollectionKey,
    /// A run; the loader doesn't check its project.
    RunKey,
    /// The artifact types of a project.
    TypesOf,
    /// The aliases of today that point at a version, in any collection.
    AliasesOf,
    /// The places of a version, in any collection.
    PlacesOf,
}

/// The newest places of a collection, at most so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NewestOf {
    /// The collection.
    pub collection: i64,
    /// How many.
    pub first: i64,
}

/// The first collections of a project by name, at most so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FirstOf {
    /// The project.
    pub project: i64,
    /// How many.
    pub first: i64,
}

fn numbers<K: Copy>(keys: &[K], number: impl Fn(K) -> i64) -> Vec<i64> {
    keys.iter().map(|key| number(*key)).collect()
}

fn grouped<K: Copy + Eq + std::hash::Hash, V>(keys: &[K], rows: Vec<V>, key: impl Fn(&V) -> K) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = keys.iter().map(|key| (*key, Vec::new())).collect();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

impl Loader<ProjectKey> for RowLoader {
    type Value = ProjectRow;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[ProjectKey]) -> Result<HashMap<ProjectKey, ProjectRow>, Arc<Error>> {
        let rows = self.service.projects_by_id(&self.caller, &numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (ProjectKey(row.id.0), row)).collect())
    }
}

impl Loader<VersionKey> for RowLoader {
    type Value = VersionRow;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[VersionKey]) -> Result<HashMap<VersionKey, VersionRow>, Arc<Error>> {
        let rows = self.service.versions_by_id(&self.caller, &numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (VersionKey(row.id.0), row)).collect())
    }
}

impl Loader<CollectionKey> for RowLoader {
    type Value = CollectionRow;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[CollectionKey]) -> Result<HashMap<CollectionKey, CollectionRow>, Arc<Error>> {
        let rows = self.service.collections_by_id(&numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (CollectionKey(row.id.0), row)).collect())
    }
}

impl Loader<RunKey> for RowLoader {
    type Value = RunRow;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[RunKey]) -> Result<HashMap<RunKey, RunRow>, Arc<Error>> {
        let rows = self.service.runs_by_id(&numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (RunKey(row.id.0), row)).collect())
    }
}

impl Loader<TypesOf> for RowLoader {
    type Value = Vec<TypeRow>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[TypesOf]) -> Result<HashMap<TypesOf, Vec<TypeRow>>, Arc<Error>> {
        let rows = self.service.types(&numbers(keys, |key| key.0)).await?;
        Ok(grouped(keys, rows, |row| TypesOf(row.project_id.0)))
    }
}

impl Loader<AliasesOf> for RowLoader {
    type Value = Vec<AliasRow>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[AliasesOf]) -> Result<HashMap<AliasesOf, Vec<AliasRow>>, Arc<Error>> {
        let rows = self.service.aliases_of_versions(&numbers(keys, |key| key.0)).await?;
        Ok(grouped(keys, rows, |row| AliasesOf(row.version_id.0)))
    }
}

impl Loader<PlacesOf> for RowLoader {
    type Value = Vec<MembershipRow>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[PlacesOf]) -> Result<HashMap<PlacesOf, Vec<MembershipRow>>, Arc<Error>> {
        let rows = self.service.memberships_of_versions(&numbers(keys, |key| key.0)).await?;
        Ok(grouped(keys, rows, |row| PlacesOf(row.version_id.0)))
    }
}

impl Loader<NewestOf> for RowLoader {
    type Value = Vec<MembershipRow>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[NewestOf]) -> Result<HashMap<NewestOf, Vec<MembershipRow>>, Arc<Error>> {
        // One field asks for one length, so a batch has one or two lengths.
        let mut groups = HashMap::new();
        for first in keys.iter().map(|key| key.first).collect::<std::collections::HashSet<_>>() {
            let same: Vec<NewestOf> = keys.iter().copied().filter(|key| key.first == first).collect();
            let rows = self.service.newest_memberships(&numbers(&same, |key| key.collection), first).await?;
            groups.extend(grouped(&same, rows, |row| NewestOf { collection: row.collection_id.0, first }));
        }
        Ok(groups)
    }
}

impl Loader<FirstOf> for RowLoader {
    type Value = Vec<CollectionRow>;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[FirstOf]) -> Result<HashMap<FirstOf, Vec<CollectionRow>>, Arc<Error>> {
        let mut groups = HashMap::new();
        for first in keys.iter().map(|key| key.first).collect::<std::collections::HashSet<_>>() {
            let same: Vec<FirstOf> = keys.iter().copied().filter(|key| key.first == first).collect();
            let rows = self.service.first_collections(&numbers(&same, |key| key.project), first).await?;
            groups.extend(grouped(&same, rows, |row| FirstOf { project: row.project_id.0, first }));
        }
        Ok(groups)
    }
}
