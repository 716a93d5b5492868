//! Filtered lists as both sides of the schema read and answer them: the part that a client asked for, and the keys by which the
//! lists of many parents load together. What must not live here: how either side writes filters and orders (`native/lists.rs`,
//! `wandb/lists.rs`).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::Context;
use async_graphql::connection::{CursorType as _, OpaqueCursor};
use regalia_domain::filters::{CollectionTest, Filter, RegistryTest, RunTest, VersionTest};
use regalia_domain::orders::{CollectionOrder, Order, OrderKey, Position, RegistryOrder, RunOrder, VersionOrder};
use regalia_service::store::lists::{Collections, CollectionsIn, Listed, Part, Projects, Versions, VersionsIn};
use regalia_service::{Error, Page, Result};

use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::loaders::{Key, Source};

/// The part of a list that a client asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wanted<K> {
    order: Order<K>,
    after: Option<Position>,
    first: i64,
}

impl<K: OrderKey> Wanted<K> {
    /// Reads `first` and `after` under an order.
    pub(crate) fn read(first: Option<i32>, after: Option<&str>, order: Order<K>) -> async_graphql::Result<Self> {
        let first = first.map_or(Page::DEFAULT, i64::from);
        if !(0..=Page::MOST).contains(&first) {
            return Err(Error::Invalid(format!("`first` is {first}; it must be from 0 to {}.", Page::MOST))).fail();
        }
        let after = match after {
            None | Some("") => None,
            Some(cursor) => {
                // What isn't even opaque is answered as what isn't of this list.
                let text = OpaqueCursor::<String>::decode_cursor(cursor).map_or_else(|_| cursor.to_owned(), |cursor| cursor.0);
                Some(order.read_cursor(&text).parsed()?)
            }
        };
        Ok(Self { order, after, first })
    }

    /// Whether it begins behind another part.
    pub(crate) fn continues(&self) -> bool {
        self.after.is_some()
    }

    /// The cursor of a place in it.
    pub(crate) fn cursor(&self, position: &Position) -> OpaqueCursor<String> {
        OpaqueCursor(self.order.cursor(position))
    }

    /// The part, with one row more to know whether there are more.
    fn part(&self) -> Part<'_, K> {
        Part { order: self.order.clone(), after: self.after.as_ref(), first: self.first + 1 }
    }
}

/// Lists of one kind: all about them but the parents, and which part of each is wanted.
pub(crate) trait List: Hash + Eq + Clone + Send + Sync + 'static {
    /// What they are ordered by.
    type Order: OrderKey + Hash + Eq + Send + Sync;

    /// One part of the list of each parent, in one statement. The rows of a parent come in their order.
    fn part(
        &self,
        source: &Source,
        parents: &[i64],
        part: Part<'_, Self::Order>,
    ) -> impl Future<Output = Result<Vec<Listed>>> + Send;

    /// How many there are of each parent, in one statement.
    fn count(&self, source: &Source, parents: &[i64]) -> impl Future<Output = Result<Vec<(i64, i64)>>> + Send;
}

/// The registries of organizations, the projects of teams and users. The parents are entities.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ProjectList(pub(crate) Filter<RegistryTest>);

/// What the parents of lists of collections are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum CollectionParents {
    /// Projects and registries that the caller sees.
    Projects,
    /// Artifact types of such.
    Types,
    /// Entities: all projects or registries of each that the caller sees and this wants; of one kind, `source` or `registry`, if that is
    /// wanted.
    Entities(Filter<RegistryTest>, Option<&'static str>),
}

/// Collections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CollectionList {
    pub(crate) of: CollectionParents,
    pub(crate) filter: Filter<CollectionTest>,
}

/// What the parents of lists of versions are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum VersionParents {
    /// Collections in projects or registries that the caller sees.
    Collections,
    /// Entities: the collections that the second wants in the projects or registries that the caller sees and the first wants.
    Entities(Box<(Filter<RegistryTest>, Filter<CollectionTest>)>),
}

/// Versions at their places.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct VersionList {
    pub(crate) of: VersionParents,
    pub(crate) filter: Filter<VersionTest>,
}

/// Runs. The parents are projects that the caller sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RunList(pub(crate) Filter<RunTest>);

impl ProjectList {
    fn list<'l>(&'l self, source: &'l Source, entities: &'l [i64]) -> Projects<'l> {
        Projects { caller: &source.caller, entities, filter: &self.0 }
    }
}

impl CollectionList {
    fn list<'l>(&'l self, source: &'l Source, parents: &'l [i64]) -> Collections<'l> {
        let place = match &self.of {
            CollectionParents::Projects => CollectionsIn::Projects(parents),
            CollectionParents::Types => CollectionsIn::Types(parents),
            CollectionParents::Entities(projects, kind) => CollectionsIn::Entities(&source.caller, parents, projects, *kind),
        };
        Collections { place, filter: &self.filter }
    }
}

impl VersionList {
    fn list<'l>(&'l self, source: &'l Source, parents: &'l [i64]) -> Versions<'l> {
        let place = match &self.of {
            VersionParents::Collections => VersionsIn::Collections(parents),
            VersionParents::Entities(filters) => VersionsIn::Entities(&source.caller, parents, &filters.0, &filters.1),
        };
        Versions { place, filter: &self.filter }
    }
}

macro_rules! list {
    ($($list:ident by $order:ident: $page:ident, $count:ident;)*) => {$(
        impl List for $list {
            type Order = $order;

            async fn part(&self, source: &Source, parents: &[i64], part: Part<'_, $order>) -> Result<Vec<Listed>> {
                source.service.$page(&self.list(source, parents), part).await
            }

            async fn count(&self, source: &Source, parents: &[i64]) -> Result<Vec<(i64, i64)>> {
                source.service.$count(&self.list(source, parents)).await
            }
        }
    )*};
}

list! {
    ProjectList by RegistryOrder: list_projects, count_projects;
    CollectionList by CollectionOrder: list_collections, count_collections;
    VersionList by VersionOrder: list_versions, count_versions;
}

impl List for RunList {
    type Order = RunOrder;

    async fn part(&self, source: &Source, projects: &[i64], part: Part<'_, RunOrder>) -> Result<Vec<Listed>> {
        source.service.list_runs(&source.caller, projects, &self.0, part).await
    }

    async fn count(&self, source: &Source, projects: &[i64]) -> Result<Vec<(i64, i64)>> {
        source.service.count_runs(&source.caller, projects, &self.0).await
    }
}

/// A part of a parent's list: where its rows stand, in their order. Those that differ in the parent alone load together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PartOf<L: List> {
    parent: i64,
    // The same for many parents, and as long as the filter.
    list: Arc<L>,
    wanted: Wanted<L::Order>,
}

/// How many rows a parent's list has. Those that differ in the parent alone load together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CountOf<L: List> {
    parent: i64,
    list: Arc<L>,
}

/// The parents of each of what is wanted. Each takes a statement, one after the other: however many lists a document names, they
/// take one connection at a time.
fn parents<W: Hash + Eq>(wanted: impl Iterator<Item = (W, i64)>) -> HashMap<W, Vec<i64>> {
    let mut parents: HashMap<W, Vec<i64>> = HashMap::new();
    for (wanted, parent) in wanted {
        parents.entry(wanted).or_default().push(parent);
    }
    parents
}

impl<L: List> Key for PartOf<L> {
    type Value = Vec<Position>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut lists = HashMap::new();
        for ((list, wanted), parents) in parents(keys.iter().map(|key| ((&key.list, &key.wanted), key.parent))) {
            let rows = list.part(source, &parents, wanted.part()).await?;
            for rows in rows.chunk_by(|one, next| one.parent == next.parent) {
                let key = Self { parent: rows[0].parent, list: Arc::clone(list), wanted: wanted.clone() };
                lists.insert(key, rows.iter().map(|row| row.position.clone()).collect());
            }
        }
        Ok(lists)
    }
}

impl<L: List> Key for CountOf<L> {
    type Value = i64;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut counts = HashMap::new();
        for (list, parents) in parents(keys.iter().map(|key| (&key.list, key.parent))) {
            let rows = list.count(source, &parents).await?;
            counts.extend(rows.into_iter().map(|(parent, count)| (Self { parent, list: Arc::clone(list) }, count)));
        }
        Ok(counts)
    }
}

/// Where the wanted rows of a parent's list stand, and whether there are more behind them.
pub(crate) async fn part<L: List>(
    context: &Context<'_>,
    parent: i64,
    list: &Arc<L>,
    wanted: &Wanted<L::Order>,
) -> async_graphql::Result<(Vec<Position>, bool)> {
    let mut rows = context.page(PartOf { parent, list: Arc::clone(list), wanted: wanted.clone() }).await?;
    let most = usize::try_from(wanted.first).unwrap_or(0);
    let more = rows.len() > most;
    rows.truncate(most);
    Ok((rows, more))
}

/// How many rows a parent's list has.
pub(crate) async fn count<L: List>(context: &Context<'_>, parent: i64, list: &Arc<L>) -> async_graphql::Result<i64> {
    Ok(context.row(CountOf { parent, list: Arc::clone(list) }).await?.unwrap_or_default())
}
