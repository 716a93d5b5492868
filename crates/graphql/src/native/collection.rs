//! Registry collections and the links in them. What must not live here: the linked version's own fields.

use async_graphql::{Context, ID, Object, Result};
use chrono::{DateTime, Utc};
use regalia_service::store::collections::CollectionRow;
use regalia_service::store::memberships::MembershipRow;

use super::lists::{self, Arguments, LinkFilter, LinkOrder};
use super::registry::Registry;
use super::user::Paged;
use super::version::Version;
use crate::context::Reach as _;
use crate::ids;
use crate::loaders::{AliasesOf, CollectionKey, NewestIn, PlaceKey, PlaceNamed, ProjectKey, TagsOfCollection, VersionKey};

/// A named line of published versions of one artifact type.
#[derive(Debug, Clone)]
pub struct Collection(pub CollectionRow);

/// A named line of published versions of one artifact type.
#[Object]
impl Collection {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::id("Collection", self.0.id.0)
    }

    /// Name, unique in the registry.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Artifact type of all its versions.
    async fn type_name(&self) -> &str {
        &self.0.type_name
    }

    /// What it is for.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When its fields or its list of links last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// The registry that it is in.
    async fn registry(&self, context: &Context<'_>) -> Result<Option<Registry>> {
        Ok(context.row(ProjectKey(self.0.project_id.0)).await?.map(Registry))
    }

    /// The newest link.
    async fn latest(&self, context: &Context<'_>) -> Result<Option<Link>> {
        Ok(context.row(NewestIn(self.0.id.0)).await?.map(Link))
    }

    /// A link by an alias, such as `production`, or by `vN`; null when there is none.
    async fn link(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "An alias, or `v` and an index.")] alias: String,
    ) -> Result<Option<Link>> {
        Ok(context.row(PlaceNamed(self.0.project_id.0, format!("{}:{alias}", self.0.name))).await?.map(Link))
    }

    /// Its tags, by name.
    async fn tags(&self, context: &Context<'_>) -> Result<Vec<String>> {
        Ok(context.page(TagsOfCollection(self.0.id.0)).await?.into_iter().map(|row| row.tag).collect())
    }

    /// Its links, newest first if no other order is given.
    async fn links(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many links, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Links after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which links; all if not given.")] filter: Option<LinkFilter>,
        #[graphql(desc = "In which order.", default_with = "LinkOrder::IndexDescending")] order: LinkOrder,
    ) -> Result<Paged<Link>> {
        let arguments = Arguments { filter, order, first, after };
        lists::page(context, self.0.id.0, arguments, PlaceKey, Link).await
    }
}

/// A version's place in a collection: a pointer with an index and aliases of its own.
#[derive(Debug, Clone)]
pub struct Link(pub MembershipRow);

/// A version's place in a collection: a pointer with an index and aliases of its own.
#[Object]
impl Link {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::id("Link", self.0.id.0)
    }

    /// N of `vN` in this collection: links are counted from 0.
    async fn index(&self) -> i32 {
        self.0.index
    }

    /// Names in this collection that point here, such as `production`. `latest` follows the newest by itself.
    async fn aliases(&self, context: &Context<'_>) -> Result<Vec<String>> {
        let aliases = context.page(AliasesOf(self.0.version_id.0)).await?;
        Ok(aliases.into_iter().filter(|alias| alias.collection_id == self.0.collection_id).map(|alias| alias.alias).collect())
    }

    /// When it was linked.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The version that it points at.
    async fn version(&self, context: &Context<'_>) -> Result<Option<Version>> {
        Ok(context.row(VersionKey(self.0.version_id.0)).await?.map(|row| Version { row, place: Some(self.0.clone()) }))
    }

    /// The collection that it is in.
    async fn collection(&self, context: &Context<'_>) -> Result<Option<Collection>> {
        Ok(context.row(CollectionKey(self.0.collection_id.0)).await?.map(Collection))
    }
}
