//! Filtered and ordered lists on the wire: filters and orders as the SDK writes them, in; Relay connections, out. What must
//! not live here: what a filter means (the domain crate), and the rows' own fields.

use std::sync::Arc;

use async_graphql::connection::{CursorType as _, OpaqueCursor, PageInfo};
use async_graphql::{Context, Enum, Object, SimpleObject};
use regalia_domain::filters::{CollectionTest, Filter, RegistryTest, RunTest, Target, VersionTest};
use regalia_domain::orders::{CollectionOrder, Order, OrderKey, RegistryOrder, RunOrder, VersionOrder};
use regalia_service::store::memberships::MembershipRow;

use crate::context::Reach as _;
use crate::error::Parsed as _;
use crate::lists::{self, CollectionList, CollectionParents, List, ProjectList, RunList, VersionList, VersionParents, Wanted};
use crate::loaders::{CollectionKey, Key, PlaceKey, ProjectKey, RunKey};
use crate::paging;
use crate::scalars::JsonString;
use crate::wandb::artifact::Artifact;
use crate::wandb::collection::{ArtifactCollection, ArtifactCollectionMembership, artifact_at};
use crate::wandb::project::Project;
use crate::wandb::run::Run;

/// Reads a filter; without one everything is wanted.
pub(crate) fn filter<T: Target>(text: Option<JsonString>) -> async_graphql::Result<Filter<T>> {
    match text {
        None => Ok(Filter::everything()),
        Some(text) => Filter::parse(&text.0).parsed(),
    }
}

/// Reads the arguments of a list.
pub(crate) fn wanted<K: OrderKey>(
    first: Option<i32>,
    after: Option<String>,
    order: Option<String>,
) -> async_graphql::Result<Wanted<K>> {
    let order = match order.as_deref() {
        None | Some("") => K::DEFAULT,
        Some(order) => Order::parse(order).parsed()?,
    };
    Wanted::read(paging::shortened(first), after.as_deref(), order)
}

/// The wanted rows of a parent's list, each with its cursor, and what their page says of itself.
async fn part<L: List>(
    context: &Context<'_>,
    parent: i64,
    list: &Arc<L>,
    wanted: &Wanted<L::Order>,
) -> async_graphql::Result<(Vec<Row>, PageInfo)> {
    let (positions, more) = lists::part(context, parent, list, wanted).await?;
    let page: Vec<Row> =
        positions.iter().map(|place| Row { cursor: wanted.cursor(place).encode_cursor(), id: place.id }).collect();
    let info = page_info(wanted, &page, more);
    Ok((page, info))
}

/// A row of a page, by its number.
struct Row {
    cursor: String,
    id: i64,
}

fn page_info<K: OrderKey>(wanted: &Wanted<K>, page: &[Row], has_next_page: bool) -> PageInfo {
    let cursor = |row: &Row| row.cursor.clone();
    PageInfo {
        has_previous_page: wanted.continues(),
        has_next_page,
        start_cursor: page.first().map(cursor),
        end_cursor: page.last().map(cursor),
    }
}

/// The rows of a page, in its order. One that has just been deleted is left out.
async fn rows<K: Key>(
    context: &Context<'_>,
    page: &[Row],
    key: impl Fn(i64) -> K + Send,
) -> async_graphql::Result<Vec<(String, K::Value)>> {
    let keys: Vec<K> = page.iter().map(|row| key(row.id)).collect();
    let mut found = context.rows(keys.iter().cloned()).await?;
    Ok(page.iter().zip(keys).filter_map(|(row, key)| Some((row.cursor.clone(), found.remove(&key)?))).collect())
}

/// W&B protocol: a page of projects or registries.
#[derive(SimpleObject)]
pub struct ProjectConnection {
    /// W&B protocol: one for each row of the page.
    edges: Vec<ProjectEdge>,
    /// W&B protocol: where the page ends.
    page_info: PageInfo,
}

/// W&B protocol: a project in a list.
#[derive(SimpleObject)]
pub struct ProjectEdge {
    /// W&B protocol: for `after`.
    cursor: String,
    /// W&B protocol: the project.
    node: Project,
}

impl ProjectConnection {
    /// What an entity owns, as far as the caller sees it.
    pub(crate) async fn of_entity(
        context: &Context<'_>,
        entity: i64,
        filter: Filter<RegistryTest>,
        wanted: &Wanted<RegistryOrder>,
    ) -> async_graphql::Result<Self> {
        let (page, page_info) = part(context, entity, &Arc::new(ProjectList(filter)), wanted).await?;
        let rows = rows(context, &page, ProjectKey).await?;
        let edges = rows.into_iter().map(|(cursor, row)| ProjectEdge { cursor, node: Project(row) }).collect();
        Ok(Self { edges, page_info })
    }
}

/// W&B protocol: the kinds of collection.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactCollectionType {
    /// W&B protocol: versions are born there.
    Sequence,
    /// W&B protocol: versions are linked there.
    Portfolio,
}

/// W&B protocol: a page of collections.
pub struct ArtifactCollectionConnection {
    /// None for a page of a list that can have no rows.
    list: Option<(i64, Arc<CollectionList>)>,
    page: Vec<Row>,
    page_info: PageInfo,
}

/// W&B protocol: a collection in a list.
#[derive(SimpleObject)]
pub struct ArtifactCollectionEdge {
    /// W&B protocol: for `after`.
    cursor: String,
    /// W&B protocol: the collection.
    node: ArtifactCollection,
}

impl ArtifactCollectionConnection {
    /// Reads the page of a parent.
    pub(crate) async fn read(
        context: &Context<'_>,
        parent: i64,
        of: CollectionParents,
        filter: Filter<CollectionTest>,
        wanted: &Wanted<CollectionOrder>,
    ) -> async_graphql::Result<Self> {
        let list = Arc::new(CollectionList { of, filter });
        let (page, page_info) = part(context, parent, &list, wanted).await?;
        Ok(Self { list: Some((parent, list)), page, page_info })
    }

    /// A page of nothing.
    pub(crate) fn nothing(wanted: &Wanted<CollectionOrder>) -> Self {
        Self { list: None, page: Vec::new(), page_info: page_info(wanted, &[], false) }
    }
}

/// W&B protocol: a page of collections.
#[Object]
impl ArtifactCollectionConnection {
    /// W&B protocol: one for each row of the page.
    async fn edges(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ArtifactCollectionEdge>> {
        let rows = rows(context, &self.page, CollectionKey).await?;
        Ok(rows.into_iter().map(|(cursor, row)| ArtifactCollectionEdge { cursor, node: row.into() }).collect())
    }

    /// W&B protocol: where the page ends.
    async fn page_info(&self) -> &PageInfo {
        &self.page_info
    }

    /// W&B protocol: how many there are on all pages together.
    async fn total_count(&self, context: &Context<'_>) -> async_graphql::Result<i64> {
        let Some((parent, list)) = &self.list else { return Ok(0) };
        lists::count(context, *parent, list).await
    }
}

/// W&B protocol: a page of places.
#[derive(SimpleObject)]
pub struct ArtifactCollectionMembershipConnection {
    /// W&B protocol: one for each row of the page.
    edges: Vec<ArtifactCollectionMembershipEdge>,
    /// W&B protocol: where the page ends.
    page_info: PageInfo,
}

/// W&B protocol: a place in a list.
#[derive(SimpleObject)]
pub struct ArtifactCollectionMembershipEdge {
    /// W&B protocol: for `after`.
    cursor: String,
    /// W&B protocol: the place.
    node: ArtifactCollectionMembership,
}

impl ArtifactCollectionMembershipConnection {
    /// The places in everything of an entity that the caller sees and the filters want.
    pub(crate) async fn of_entity(
        context: &Context<'_>,
        entity: i64,
        projects: Filter<RegistryTest>,
        collections: Filter<CollectionTest>,
        filter: Filter<VersionTest>,
        wanted: &Wanted<VersionOrder>,
    ) -> async_graphql::Result<Self> {
        let list = VersionList { of: VersionParents::Entities(Box::new((projects, collections))), filter };
        let (page, page_info) = part(context, entity, &Arc::new(list), wanted).await?;
        let edges = rows(context, &page, PlaceKey)
            .await?
            .into_iter()
            .map(|(cursor, row)| ArtifactCollectionMembershipEdge { cursor, node: ArtifactCollectionMembership(row) })
            .collect();
        Ok(Self { edges, page_info })
    }

    /// All of a list that has no pages, in its order.
    pub(crate) fn whole(places: Vec<MembershipRow>) -> Self {
        let edges: Vec<_> = places
            .into_iter()
            .map(|place| ArtifactCollectionMembershipEdge {
                cursor: OpaqueCursor(place.id.to_string()).encode_cursor(),
                node: ArtifactCollectionMembership(place),
            })
            .collect();
        let cursor = |edge: &ArtifactCollectionMembershipEdge| edge.cursor.clone();
        let page_info = PageInfo {
            has_previous_page: false,
            has_next_page: false,
            start_cursor: edges.first().map(cursor),
            end_cursor: edges.last().map(cursor),
        };
        Self { edges, page_info }
    }
}

/// W&B protocol: a page of a collection's versions.
pub struct VersionedArtifactConnection {
    collection: i64,
    list: Arc<VersionList>,
    page: Vec<Row>,
    page_info: PageInfo,
}

/// W&B protocol: a version in a list of a collection.
#[derive(SimpleObject)]
pub struct VersionedArtifactEdge {
    /// W&B protocol: for `after`.
    cursor: String,
    /// W&B protocol: `vN` of the collection that was asked.
    version: String,
    /// W&B protocol: the version.
    node: Artifact,
}

impl VersionedArtifactConnection {
    /// Reads the page of a collection whose project the caller sees.
    pub(crate) async fn of_collection(
        context: &Context<'_>,
        collection: i64,
        filter: Filter<VersionTest>,
        wanted: &Wanted<VersionOrder>,
    ) -> async_graphql::Result<Self> {
        let list = Arc::new(VersionList { of: VersionParents::Collections, filter });
        let (page, page_info) = part(context, collection, &list, wanted).await?;
        Ok(Self { collection, list, page, page_info })
    }
}

/// W&B protocol: a page of a collection's versions.
#[Object]
impl VersionedArtifactConnection {
    /// W&B protocol: one for each row of the page.
    async fn edges(&self, context: &Context<'_>) -> async_graphql::Result<Vec<VersionedArtifactEdge>> {
        let places = rows(context, &self.page, PlaceKey).await?;
        let artifacts = places.iter().map(|(_, place)| artifact_at(context, place));
        let artifacts = futures_util::future::try_join_all(artifacts).await?;
        let edges = places.into_iter().zip(artifacts).filter_map(|((cursor, place), node)| {
            Some(VersionedArtifactEdge { cursor, version: format!("v{}", place.index), node: node? })
        });
        Ok(edges.collect())
    }

    /// W&B protocol: where the page ends.
    async fn page_info(&self) -> &PageInfo {
        &self.page_info
    }

    /// W&B protocol: how many there are on all pages together.
    async fn total_count(&self, context: &Context<'_>) -> async_graphql::Result<i64> {
        lists::count(context, self.collection, &self.list).await
    }
}

/// W&B protocol: a page of runs.
#[derive(SimpleObject)]
pub struct RunConnection {
    /// W&B protocol: one for each row of the page.
    edges: Vec<RunEdge>,
    /// W&B protocol: where the page ends.
    page_info: PageInfo,
}

/// W&B protocol: a run in a list.
#[derive(SimpleObject)]
pub struct RunEdge {
    /// W&B protocol: for `after`.
    cursor: String,
    /// W&B protocol: the run.
    node: Run,
}

impl RunConnection {
    /// The runs of a project that the caller sees.
    pub(crate) async fn of_project(
        context: &Context<'_>,
        project: i64,
        filter: Filter<RunTest>,
        wanted: &Wanted<RunOrder>,
    ) -> async_graphql::Result<Self> {
        let (page, page_info) = part(context, project, &Arc::new(RunList(filter)), wanted).await?;
        let rows = rows(context, &page, RunKey).await?;
        let edges = rows.into_iter().map(|(cursor, row)| RunEdge { cursor, node: Run(row) }).collect();
        Ok(Self { edges, page_info })
    }
}
