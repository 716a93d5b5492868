//! Types of versions on the wire, and what is found through them. What must not live here: a registry's list of types (`project`).

use async_graphql::connection::PageInfo;
use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_service::store::access::ProjectRow;
use regalia_service::store::projects::TypeRow;

use crate::context::Reach as _;
use crate::ids;
use crate::lists::CollectionParents;
use crate::loaders::{CollectionKey, CollectionNamed, PlaceNamed};
use crate::scalars::JsonString;
use crate::wandb::artifact::Artifact;
use crate::wandb::collection::{ArtifactCollection, ArtifactSequence, artifact_at};
use crate::wandb::lists::{self, ArtifactCollectionConnection};

/// W&B protocol: a type of a project or registry.
pub struct ArtifactType {
    /// The type.
    pub(super) row: TypeRow,
    /// Where it is.
    pub(super) project: ProjectRow,
}

/// W&B protocol: a type of a project or registry.
#[Object]
impl ArtifactType {
    /// W&B protocol: opaque id.
    async fn id(&self) -> ID {
        ids::id("ArtifactType", self.row.id.0)
    }

    /// W&B protocol: name.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// W&B protocol: always null: a type is its name.
    async fn description(&self) -> Option<&str> {
        None
    }

    /// W&B protocol: when it was first listed or used.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    /// W&B protocol: a version of this type by `collection:alias`.
    async fn artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: `collection:alias`.")] name: String,
    ) -> async_graphql::Result<Option<Artifact>> {
        let Some(place) = context.row(PlaceNamed(self.project.id.0, name)).await? else { return Ok(None) };
        let collection = context.row(CollectionKey(place.collection_id.0)).await?;
        if collection.is_none_or(|collection| collection.type_id != self.row.id) {
            return Ok(None);
        }
        artifact_at(context, &place).await
    }

    /// W&B protocol: the collections of this type, newest first.
    async fn artifact_collections(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: which of them, as JSON.")] filters: Option<JsonString>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
        #[graphql(desc = "W&B protocol: `name`, `created_at` or `updated_at`, `-` in front for descending.")] order: Option<
            String,
        >,
    ) -> async_graphql::Result<ArtifactCollectionConnection> {
        let (filter, wanted) = (lists::filter(filters)?, lists::wanted(first, after, order)?);
        ArtifactCollectionConnection::read(context, self.row.id.0, CollectionParents::Types, filter, &wanted).await
    }

    /// W&B protocol: a collection of this type by name.
    async fn artifact_collection(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: name.")] name: String,
    ) -> async_graphql::Result<Option<ArtifactCollection>> {
        let found = context.row(CollectionNamed(self.project.id.0, name)).await?;
        Ok(found.filter(|row| row.type_id == self.row.id).map(ArtifactCollection::from))
    }

    /// W&B protocol: a source collection of this type by name, in the words of SDKs before 0.22.
    async fn artifact_sequence(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: name.")] name: String,
    ) -> async_graphql::Result<Option<ArtifactSequence>> {
        let found = context.row(CollectionNamed(self.project.id.0, name)).await?;
        Ok(found.filter(|row| row.type_id == self.row.id && row.is_source()).map(ArtifactSequence))
    }
}

/// W&B protocol: types.
#[derive(SimpleObject)]
pub struct ArtifactTypeConnection {
    /// W&B protocol: one for each type.
    pub(super) edges: Vec<ArtifactTypeEdge>,
    /// W&B protocol: where the page ends.
    pub(super) page_info: PageInfo,
}

/// W&B protocol: a type in a list.
#[derive(SimpleObject)]
pub struct ArtifactTypeEdge {
    /// W&B protocol: for `after`.
    pub(super) cursor: String,
    /// W&B protocol: the type.
    pub(super) node: ArtifactType,
}
