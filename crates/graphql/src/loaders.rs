//! Rows of one request by their keys: what many resolvers ask for, each for itself, is loaded together in one statement and
//! kept until the request writes. So a page of anything costs one statement for each kind of thing on it. Rows that the caller
//! doesn't see are absent. What must not live here: anything that lives longer than a request.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, Shared, ready};
use regalia_domain::ids::ProjectId;
use regalia_service::store::access::{Caller, EntityRow, ProjectKind, ProjectRow};
use regalia_service::store::accounts::UserRow;
use regalia_service::store::aliases::AliasRow;
use regalia_service::store::collections::CollectionRow;
use regalia_service::store::manifests::EntryRow;
use regalia_service::store::memberships::MembershipRow;
use regalia_service::store::projects::TypeRow;
use regalia_service::store::runs::RunRow;
use regalia_service::store::tags::TagRow;
use regalia_service::store::teams::BelongingRow;
use regalia_service::store::versions::VersionRow;
use regalia_service::{Error, Page, Result, Service};

use crate::meter::Room;
use crate::rounds::Rounds;

/// A key that something is loaded by.
pub trait Key: Hash + Eq + Clone + Send + Sync + 'static {
    /// What is loaded.
    type Value: Clone + Send + Sync + 'static;

    /// The text in it, if there is one. What is named by a text with a NUL character is absent, and nobody asks PostgreSQL, which
    /// would refuse all that is asked for with it.
    fn text(&self) -> Option<&str> {
        None
    }

    /// Loads many at once, in a number of statements that doesn't depend on how many. What is absent or invisible is left out.
    ///
    /// # Errors
    /// The service's.
    fn load(source: &Source, keys: &[Self]) -> impl Future<Output = Result<HashMap<Self, Self::Value>>> + Send;
}

/// What keys load from.
#[derive(Debug)]
pub struct Source {
    /// The use-cases.
    pub service: Arc<Service>,
    /// Who asks.
    pub caller: Caller,
    /// How much the request may still read of what may be long.
    pub room: Room,
}

/// What is told to each that asked: errors are shared.
type Answer<V> = std::result::Result<Option<V>, Arc<Error>>;

/// An answer to come, for as many as wait for it.
type Told<V> = Shared<BoxFuture<'static, Answer<V>>>;

/// What is known and asked for of one kind of key.
struct Kind<K: Key> {
    answers: HashMap<K, Told<K::Value>>,
    asked: HashMap<K, oneshot::Sender<Answer<K::Value>>>,
}

trait AnyKind: Any + Send {
    fn forget(&mut self);
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<K: Key> Kind<K> {
    /// The answer to come for a key, and whether it is the first that the next load is for.
    fn ask(&mut self, key: K) -> (Told<K::Value>, bool) {
        if let Some(answer) = self.answers.get(&key) {
            return (answer.clone(), false);
        }
        let first = self.asked.is_empty();
        let (tell, told) = oneshot::channel();
        self.asked.insert(key.clone(), tell);
        // A load ends by telling; if it can't, that is a bug and no absence.
        let answer = told.map(|told| told.unwrap_or_else(|gone| Err(Arc::new(Error::Internal(Box::new(gone)))))).boxed().shared();
        self.answers.insert(key, answer.clone());
        (answer, first)
    }

    /// Takes what is asked for: what is asked for from now on is for another load.
    fn take(&mut self) -> HashMap<K, oneshot::Sender<Answer<K::Value>>> {
        std::mem::take(&mut self.asked)
    }
}

impl<K: Key> AnyKind for Kind<K> {
    fn forget(&mut self) {
        let Self { answers, asked } = self;
        // What no load has taken yet is read after the write.
        answers.retain(|key, _| asked.contains_key(key));
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

/// The loaders of one request. Clones are the same.
#[derive(Clone)]
pub struct Loaders {
    source: Arc<Source>,
    rounds: Rounds,
    kinds: Arc<Mutex<HashMap<TypeId, Box<dyn AnyKind>>>>,
}

impl Loaders {
    /// Loaders whose loads are run by these rounds.
    #[must_use]
    pub fn new(service: Arc<Service>, caller: Caller, rounds: Rounds) -> Self {
        Self { source: Arc::new(Source { service, caller, room: Room::default() }), rounds, kinds: Arc::default() }
    }

    /// Loads one with what else is asked for until the round begins; none when it is absent or invisible.
    ///
    /// # Errors
    /// The service's.
    pub fn load<K: Key>(&self, key: K) -> impl Future<Output = Answer<K::Value>> + Send + use<K> {
        if key.text().is_some_and(|text| text.contains('\0')) {
            return Either::Left(ready(Ok(None)));
        }
        let (answer, first) = self.kind(|kind| kind.ask(key));
        if first {
            let loaders = self.clone();
            self.rounds.add(move || loaders.begin::<K>());
        }
        Either::Right(answer)
    }

    /// Keeps what another statement brought along, for whoever asks for it. What has been asked for already is loaded.
    pub(crate) fn know<K: Key>(&self, key: K, row: Option<K::Value>) {
        self.kind(|kind: &mut Kind<K>| {
            kind.answers.entry(key).or_insert_with(|| futures_util::future::ready(Ok(row)).boxed().shared());
        });
    }

    /// Takes what was asked for and loads it.
    fn begin<K: Key>(&self) -> BoxFuture<'static, ()> {
        let asked = self.kind(Kind::<K>::take);
        let source = Arc::clone(&self.source);
        Box::pin(async move {
            let keys: Vec<K> = asked.keys().cloned().collect();
            let mut loaded = K::load(&source, &keys).await.map_err(Arc::new);
            for (key, tell) in asked {
                let answer = match &mut loaded {
                    Ok(rows) => Ok(rows.remove(&key)),
                    Err(error) => Err(Arc::clone(error)),
                };
                // Nobody waits any more: the resolver was cancelled.
                let _ = tell.send(answer);
            }
        })
    }

    /// Forgets what was loaded, after each write: a document may write, read, write and read again.
    pub fn forget(&self) {
        for kind in self.kinds.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            kind.forget();
        }
    }

    #[allow(clippy::expect_used)] // Each kind is kept under its own type.
    fn kind<K: Key, T>(&self, act: impl FnOnce(&mut Kind<K>) -> T) -> T {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds
            .entry(TypeId::of::<K>())
            .or_insert_with(|| Box::new(Kind::<K> { answers: HashMap::new(), asked: HashMap::new() }));
        act(kind.as_any().downcast_mut().expect("a kind of key under its own type"))
    }
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
    /// The metadata of a version, which is long, so it is read where it is asked for; the loader doesn't check who sees it.
    MetadataOf,
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
    /// A place; the loader doesn't check its project.
    PlaceKey,
    /// The newest place of a collection; the loader doesn't check its project.
    NewestIn,
    /// The tags of a collection; the loader doesn't check its project.
    TagsOfCollection,
    /// The tags of a version; the loader doesn't check who sees it.
    TagsOfVersion,
    /// A user, team or organization.
    EntityKey,
    /// All who belong to a team or an organization.
    BelongingTo,
    /// A user, if the caller sees him: for users whom a row names that the caller sees.
    UserSeen,
    /// Bytes of the versions of a user's, team's or organization's projects.
    BytesOf,
}

/// A page of the things that belong to one row. Rows whose pages begin and end alike are loaded together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageOf {
    pub(crate) parent: i64,
    pub(crate) after: String,
    pub(crate) first: i64,
}

macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(pub $crate::loaders::PageOf);

        impl $name {
            /// The page of this row's things.
            #[must_use]
            pub fn new(parent: i64, page: &regalia_service::Page) -> Self {
                Self($crate::loaders::PageOf { parent, after: page.after.clone(), first: page.first })
            }
        }

        impl From<$crate::loaders::PageOf> for $name {
            fn from(page: $crate::loaders::PageOf) -> Self {
                Self(page)
            }
        }

        impl AsRef<$crate::loaders::PageOf> for $name {
            fn as_ref(&self) -> &$crate::loaders::PageOf {
                &self.0
            }
        }
    )*};
}
pub(crate) use pages;

pages! {
    /// A page of the aliases of a collection; the loader doesn't check its project.
    AliasesIn;
    /// A page of the entries of a manifest; the loader doesn't check who may read it.
    EntriesOf;
}

macro_rules! named {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(pub i64, pub String);
    )*};
}

named! {
    /// A collection of a project by name; the loader doesn't check the project.
    CollectionNamed,
    /// A place in a project by `collection:alias`; the loader doesn't check the project.
    PlaceNamed,
}

/// A project or registry by its owner, kind and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProjectNamed(pub i64, pub ProjectKind, pub String);

fn numbers<K: Copy>(keys: &[K], number: impl Fn(K) -> i64) -> Vec<i64> {
    keys.iter().map(|key| number(*key)).collect()
}

/// Rows under the key that each belongs to; a key without rows has an empty list.
pub(crate) fn grouped<K: Hash + Eq + Clone, R>(keys: &[K], rows: impl IntoIterator<Item = (K, R)>) -> HashMap<K, Vec<R>> {
    let mut groups: HashMap<K, Vec<R>> = keys.iter().map(|key| (key.clone(), Vec::new())).collect();
    for (key, row) in rows {
        groups.entry(key).or_default().push(row);
    }
    groups
}

/// The rows of pages: one call of `load` for all parents whose pages are alike. `load` answers each row with its parent.
pub(crate) async fn paged<K, R, F>(keys: &[K], load: impl Fn(Vec<i64>, Page) -> F) -> Result<HashMap<K, Vec<R>>>
where
    K: AsRef<PageOf> + From<PageOf> + Hash + Eq + Clone,
    F: Future<Output = Result<Vec<(i64, R)>>>,
{
    let mut parents: HashMap<(&str, i64), Vec<i64>> = HashMap::new();
    for key in keys {
        let PageOf { parent, after, first } = key.as_ref();
        parents.entry((after, *first)).or_default().push(*parent);
    }
    let mut rows = Vec::new();
    for ((after, first), parents) in parents {
        let loaded = load(parents, Page { after: after.to_owned(), first }).await?;
        rows.extend(loaded.into_iter().map(|(parent, row)| (K::from(PageOf { parent, after: after.to_owned(), first }), row)));
    }
    Ok(grouped(keys, rows))
}

impl Key for ProjectKey {
    type Value = ProjectRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.projects_by_id(&source.caller, &numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (ProjectKey(row.id.0), row)).collect())
    }
}

impl Key for VersionKey {
    type Value = VersionRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.versions_by_id(&source.caller, &numbers(keys, |key| key.0), source.room.left()).await?;
        source.room.fill(rows.iter().map(|row| row.description.as_ref().map_or(0, String::len)).sum());
        Ok(rows.into_iter().map(|row| (VersionKey(row.id.0), row)).collect())
    }
}

impl Key for MetadataOf {
    type Value = Arc<str>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.metadata_of(&numbers(keys, |key| key.0), source.room.left()).await?;
        source.room.fill(rows.iter().map(|(_, metadata)| metadata.len()).sum());
        Ok(rows.into_iter().map(|(version, metadata)| (MetadataOf(version), metadata.into())).collect())
    }
}

impl Key for CollectionKey {
    type Value = CollectionRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.collections_by_id(&numbers(keys, |key| key.0), source.room.left()).await?;
        source.room.fill(rows.iter().map(|row| row.description.as_ref().map_or(0, String::len)).sum());
        Ok(rows.into_iter().map(|row| (CollectionKey(row.id.0), row)).collect())
    }
}

impl Key for RunKey {
    type Value = RunRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.runs_by_id(&numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (RunKey(row.id.0), row)).collect())
    }
}

impl Key for TypesOf {
    type Value = Vec<TypeRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.types(&numbers(keys, |key| key.0)).await?;
        Ok(grouped(keys, rows.into_iter().map(|row| (TypesOf(row.project_id.0), row))))
    }
}

impl Key for AliasesOf {
    type Value = Vec<AliasRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.aliases_of_versions(&numbers(keys, |key| key.0)).await?;
        Ok(grouped(keys, rows.into_iter().map(|row| (AliasesOf(row.version_id.0), row))))
    }
}

impl Key for PlacesOf {
    type Value = Vec<MembershipRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.memberships_of_versions(&numbers(keys, |key| key.0)).await?;
        Ok(grouped(keys, rows.into_iter().map(|row| (PlacesOf(row.version_id.0), row))))
    }
}

impl Key for PlaceKey {
    type Value = MembershipRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.memberships_by_id(&numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (PlaceKey(row.id.0), row)).collect())
    }
}

impl Key for NewestIn {
    type Value = MembershipRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.newest_memberships(&numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (NewestIn(row.collection_id.0), row)).collect())
    }
}

impl Key for TagsOfCollection {
    type Value = Vec<TagRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.tags_of_collections(&numbers(keys, |key| key.0)).await?;
        Ok(grouped(keys, rows.into_iter().map(|row| (TagsOfCollection(row.owner), row))))
    }
}

impl Key for TagsOfVersion {
    type Value = Vec<TagRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.tags_of_versions(&numbers(keys, |key| key.0)).await?;
        Ok(grouped(keys, rows.into_iter().map(|row| (TagsOfVersion(row.owner), row))))
    }
}

impl Key for EntityKey {
    type Value = EntityRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.entities_by_id(&source.caller, &numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (EntityKey(row.id), row)).collect())
    }
}

impl Key for UserSeen {
    type Value = UserRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.users_seen(&source.caller, &numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|row| (UserSeen(row.id.0), row)).collect())
    }
}

impl Key for BelongingTo {
    type Value = Vec<BelongingRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.belonging(&source.caller, &numbers(keys, |key| key.0)).await?;
        Ok(grouped(keys, rows.into_iter().map(|row| (BelongingTo(row.entity_id), row))))
    }
}

impl Key for BytesOf {
    type Value = i64;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let rows = source.service.stored_bytes(&source.caller, &numbers(keys, |key| key.0)).await?;
        Ok(rows.into_iter().map(|(entity, bytes)| (BytesOf(entity), bytes)).collect())
    }
}

impl Key for AliasesIn {
    type Value = Vec<AliasRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        paged(keys, |collections, page| async move {
            let rows = source.service.aliases_of_collections(&collections, &page).await?;
            Ok(rows.into_iter().map(|row| (row.collection_id.0, row)).collect())
        })
        .await
    }
}

impl Key for EntriesOf {
    type Value = Vec<EntryRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        paged(keys, |manifests, page| async move {
            let rows = source.service.entries(&manifests, &page, source.room.left()).await?;
            source.room.fill(rows.iter().map(EntryRow::length).sum());
            Ok(rows.into_iter().map(|row| (row.manifest_id, row)).collect())
        })
        .await
    }
}

impl Key for ProjectNamed {
    type Value = ProjectRow;

    fn text(&self) -> Option<&str> {
        Some(&self.2)
    }

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let entities: Vec<i64> = keys.iter().map(|key| key.0).collect();
        let kinds: Vec<&str> = keys.iter().map(|key| key.1.as_str()).collect();
        let names: Vec<&str> = keys.iter().map(|key| key.2.as_str()).collect();
        let rows = source.service.projects_named(&source.caller, &entities, &kinds, &names).await?;
        Ok(rows.into_iter().map(|row| (ProjectNamed(row.entity_id, row.kind, row.name.clone()), row)).collect())
    }
}

impl Key for CollectionNamed {
    type Value = CollectionRow;

    fn text(&self) -> Option<&str> {
        Some(&self.1)
    }

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let (projects, names): (Vec<i64>, Vec<&str>) = keys.iter().map(|key| (key.0, key.1.as_str())).unzip();
        let rows = source.service.collections_named(&projects, &names).await?;
        Ok(rows.into_iter().map(|row| (CollectionNamed(row.project_id.0, row.name.clone()), row)).collect())
    }
}

impl Key for PlaceNamed {
    type Value = MembershipRow;

    fn text(&self) -> Option<&str> {
        Some(&self.1)
    }

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let places = source.service.resolve(keys.iter().map(|key| (ProjectId(key.0), key.1.as_str()))).await?;
        Ok(keys.iter().cloned().zip(places).filter_map(|(key, place)| Some((key, place?))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    struct Number(i64);

    impl Key for Number {
        type Value = i64;

        async fn load(_: &Source, _: &[Self]) -> Result<HashMap<Self, i64>> {
            Ok(HashMap::new())
        }
    }

    fn told(answer: Told<i64>) -> Option<i64> {
        answer.now_or_never().expect("it was told").expect("it is no error")
    }

    #[test]
    fn what_is_asked_for_before_a_write_is_answered_after_it() {
        let mut kind = Kind { answers: HashMap::new(), asked: HashMap::new() };
        let (before, first) = kind.ask(Number(1));
        assert!(first);
        kind.forget();
        // The same load answers both, because it hasn't begun.
        let (after, first) = kind.ask(Number(1));
        assert!(!first);
        for (Number(key), tell) in kind.take() {
            tell.send(Ok(Some(key))).unwrap();
        }
        assert_eq!((told(before), told(after)), (Some(1), Some(1)));
        // What is known is forgotten.
        kind.forget();
        assert!(kind.ask(Number(1)).1);
    }

    #[test]
    fn a_load_that_began_before_a_write_answers_nobody_who_asks_after_it() {
        let mut kind = Kind { answers: HashMap::new(), asked: HashMap::new() };
        let (before, _) = kind.ask(Number(1));
        let begun = kind.take();
        kind.forget();
        let (after, first) = kind.ask(Number(1));
        assert!(first);
        for (begun, value) in [(begun, 1), (kind.take(), 2)] {
            for tell in begun.into_values() {
                tell.send(Ok(Some(value))).unwrap();
            }
        }
        assert_eq!((told(before), told(after)), (Some(1), Some(2)));
    }

    #[test]
    fn a_load_that_ends_without_telling_is_an_error_and_no_absence() {
        let mut kind = Kind { answers: HashMap::new(), asked: HashMap::new() };
        let (answer, _) = kind.ask(Number(1));
        drop(kind.take());
        assert_eq!(answer.now_or_never().unwrap().unwrap_err().code(), "INTERNAL");
    }
}
