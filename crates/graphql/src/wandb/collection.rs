//! The two kinds of collection behind one interface, and places in them. What must not live here: the version itself.

use async_graphql::connection::{CursorType as _, PageInfo};
use async_graphql::{Context, ID, Interface, Object, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_service::store::access::ProjectRow;
use regalia_service::store::aliases::AliasRow;
use regalia_service::store::collections::CollectionRow;
use regalia_service::store::memberships::MembershipRow;
use regalia_service::store::versions::VersionRow;
use regalia_service::versions::may_download;

use crate::context::Reach as _;
use crate::error::Fail as _;
use crate::ids;
use crate::loaders::{AliasesIn, AliasesOf, CollectionKey, NewestIn, PlaceNamed, ProjectKey, TagsOfCollection, VersionKey};
use crate::paging;
use crate::scalars::JsonString;
use crate::wandb::artifact::{Artifact, TagConnection, TypeOfVersion};
use crate::wandb::client::Client;
use crate::wandb::file::FileConnection;
use crate::wandb::life::ArtifactCollectionState;
use crate::wandb::lists::{self, VersionedArtifactConnection};
use crate::wandb::project::Project;
use crate::wandb::publish::ArtifactDigestAlgorithm;

/// W&B protocol: a collection of either kind.
#[derive(Interface)]
#[allow(clippy::duplicated_attributes)] // Two fields of one type.
#[graphql(
    field(name = "id", ty = "ID", desc = "W&B protocol: opaque id."),
    field(name = "name", ty = "String", desc = "W&B protocol: name."),
    field(name = "description", ty = "Option<String>", desc = "W&B protocol: the card."),
    field(
        name = "created_at",
        ty = "Option<DateTime<Utc>>",
        desc = "W&B protocol: when it was made; null when the project is invisible (rule 22)."
    ),
    field(
        name = "updated_at",
        ty = "Option<DateTime<Utc>>",
        desc = "W&B protocol: when it last changed; null when the project is invisible (rule 22)."
    ),
    field(name = "project", ty = "Option<Project>", desc = "W&B protocol: where it is; null when invisible (rule 22)."),
    field(name = "state", ty = "ArtifactCollectionState", desc = "W&B protocol: how far it is."),
    field(name = "tags", ty = "TagConnection", desc = "W&B protocol: tags."),
    field(
        name = "aliases",
        ty = "ArtifactAliasConnection",
        desc = "W&B protocol: its aliases of today, by name; none when the project is invisible (rule 22).",
        arg(name = "after", ty = "Option<String>", desc = "W&B protocol: the `endCursor` of the page before."),
        arg(name = "first", ty = "Option<i32>", desc = "W&B protocol: at most 1000, and as many if absent.")
    ),
    field(
        name = "artifacts",
        ty = "Option<VersionedArtifactConnection>",
        desc = "W&B protocol: its versions, at their places.",
        arg(name = "after", ty = "Option<String>", desc = "W&B protocol: the `endCursor` of the page before."),
        arg(name = "filters", ty = "Option<JsonString>", desc = "W&B protocol: which of them, as JSON."),
        arg(name = "first", ty = "Option<i32>", desc = "W&B protocol: at most 1000; 20 if absent."),
        arg(
            name = "order",
            ty = "Option<String>",
            desc = "W&B protocol: `version_index`, `created_at` or `updated_at`, `-` in front for descending."
        )
    ),
    field(name = "default_artifact_type", ty = "TypeOfVersion", desc = "W&B protocol: its type."),
    field(
        name = "artifact_membership",
        ty = "Option<ArtifactCollectionMembership>",
        desc = "W&B protocol: a place by alias or `vN`.",
        arg(name = "alias_name", ty = "String", desc = "W&B protocol: an alias or `vN`.")
    )
)]
pub enum ArtifactCollection {
    /// Versions are born here.
    Sequence(ArtifactSequence),
    /// Versions are linked here.
    Portfolio(ArtifactPortfolio),
}

impl From<CollectionRow> for ArtifactCollection {
    fn from(row: CollectionRow) -> Self {
        if row.is_source() { Self::Sequence(ArtifactSequence(row)) } else { Self::Portfolio(ArtifactPortfolio(row)) }
    }
}

/// The version of a place. What the caller may do with it is what the place's project allows: the path decides (rule 41).
pub(crate) async fn artifact_at(context: &Context<'_>, place: &MembershipRow) -> async_graphql::Result<Option<Artifact>> {
    let Some(project) = context.row(ProjectKey(place.project_id.0)).await? else { return Ok(None) };
    let version = context.row(VersionKey(place.version_id.0)).await?;
    Ok(version.map(|row| Artifact(VersionRow { level: project.level, ..row })))
}

/// W&B protocol: a source collection.
pub struct ArtifactSequence(pub CollectionRow);

/// W&B protocol: a collection that versions are linked into.
pub struct ArtifactPortfolio(pub CollectionRow);

/// The collection's project, if the caller sees it. A link shows the collection that its version comes from: where the project of
/// that is invisible, there are the id, the name and the type alone (rule 22).
async fn seen(context: &Context<'_>, row: &CollectionRow) -> async_graphql::Result<Option<ProjectRow>> {
    context.row(ProjectKey(row.project_id.0)).await
}

// A macro, because the engine can't merge one set of fields into two objects that lead to each other: one stays empty.
macro_rules! collection {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[Object]
        impl $name {
            /// W&B protocol: opaque id.
            async fn id(&self) -> ID {
                ids::id("ArtifactCollection", self.0.id.0)
            }

            /// W&B protocol: name.
            async fn name(&self) -> String {
                self.0.name.clone()
            }

            /// W&B protocol: the card; null when the project is invisible (rule 22).
            async fn description(&self, context: &Context<'_>) -> async_graphql::Result<Option<String>> {
                let shown = seen(context, &self.0).await?.and(self.0.description.as_ref());
                shown.map(|text| context.long(text).cloned()).transpose()
            }

            /// W&B protocol: when it was made; null when the project is invisible (rule 22).
            async fn created_at(&self, context: &Context<'_>) -> async_graphql::Result<Option<DateTime<Utc>>> {
                Ok(seen(context, &self.0).await?.map(|_| self.0.created_at))
            }

            /// W&B protocol: when it last changed; null when the project is invisible (rule 22).
            async fn updated_at(&self, context: &Context<'_>) -> async_graphql::Result<Option<DateTime<Utc>>> {
                Ok(seen(context, &self.0).await?.map(|_| self.0.updated_at))
            }

            /// W&B protocol: where it is; null when invisible (rule 22).
            async fn project(&self, context: &Context<'_>) -> async_graphql::Result<Option<Project>> {
                Ok(seen(context, &self.0).await?.map(Project))
            }

            /// W&B protocol: how far it is.
            async fn state(&self) -> ArtifactCollectionState {
                ArtifactCollectionState::of(&self.0)
            }

            /// W&B protocol: tags; none when the project is invisible (rule 22).
            async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<TagConnection> {
                if seen(context, &self.0).await?.is_none() {
                    return Ok(TagConnection::from(Vec::new()));
                }
                Ok(context.counted(context.page(TagsOfCollection(self.0.id.0)).await?)?.into())
            }

            /// W&B protocol: its aliases of today, by name; none when the project is invisible (rule 22).
            async fn aliases(
                &self,
                context: &Context<'_>,
                #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
                #[graphql(desc = "W&B protocol: at most 1000, and as many if absent.")] first: Option<i32>,
            ) -> async_graphql::Result<ArtifactAliasConnection> {
                ArtifactAliasConnection::of_collection(context, &self.0, first, after.as_deref()).await
            }

            /// W&B protocol: its versions, at their places; null when the project is invisible (rule 22).
            async fn artifacts(
                &self,
                context: &Context<'_>,
                #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
                #[graphql(desc = "W&B protocol: which of them, as JSON.")] filters: Option<JsonString>,
                #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
                #[graphql(desc = "W&B protocol: `version_index`, `created_at` or `updated_at`, `-` in front for descending.")]
                order: Option<String>,
            ) -> async_graphql::Result<Option<VersionedArtifactConnection>> {
                let (filter, wanted) = (lists::filter(filters)?, lists::wanted(first, after, order)?);
                if seen(context, &self.0).await?.is_none() {
                    return Ok(None);
                }
                Ok(Some(VersionedArtifactConnection::of_collection(context, self.0.id.0, filter, &wanted).await?))
            }

            /// W&B protocol: its type.
            async fn default_artifact_type(&self) -> TypeOfVersion {
                TypeOfVersion { name: self.0.type_name.clone() }
            }

            /// W&B protocol: a place by alias or `vN`; null when the project is invisible (rule 22).
            async fn artifact_membership(
                &self,
                context: &Context<'_>,
                #[graphql(desc = "W&B protocol: an alias or `vN`.")] alias_name: String,
            ) -> async_graphql::Result<Option<ArtifactCollectionMembership>> {
                if seen(context, &self.0).await?.is_none() {
                    return Ok(None);
                }
                let name = format!("{}:{alias_name}", self.0.name);
                Ok(context.row(PlaceNamed(self.0.project_id.0, name)).await?.map(ArtifactCollectionMembership))
            }

            $($own)*
        }
    };
}

collection! {
    /// W&B protocol: a source collection.
    ArtifactSequence {
        /// W&B protocol: how the digests of its versions are computed: always by MD5.
        async fn digest_algorithm(&self) -> ArtifactDigestAlgorithm {
            ArtifactDigestAlgorithm::ManifestMd5
        }

        /// W&B protocol: the newest committed version; null when the project is invisible (rule 22).
        async fn latest_artifact(&self, context: &Context<'_>) -> async_graphql::Result<Option<Artifact>> {
            let Some(place) = context.row(NewestIn(self.0.id.0)).await? else { return Ok(None) };
            artifact_at(context, &place).await
        }
    }
}

collection! {
    /// W&B protocol: a collection that versions are linked into.
    ArtifactPortfolio {}
}

/// W&B protocol: a page of aliases.
#[derive(SimpleObject)]
pub struct ArtifactAliasConnection {
    /// W&B protocol: one for each alias of the page.
    edges: Vec<ArtifactAliasEdge>,
    /// W&B protocol: where the page ends.
    page_info: PageInfo,
}

/// W&B protocol: an alias in a list.
#[derive(SimpleObject)]
pub struct ArtifactAliasEdge {
    /// W&B protocol: for `after`.
    cursor: String,
    /// W&B protocol: the alias.
    node: ArtifactAlias,
}

impl ArtifactAliasConnection {
    async fn of_collection(
        context: &Context<'_>,
        collection: &CollectionRow,
        first: Option<i32>,
        after: Option<&str>,
    ) -> async_graphql::Result<Self> {
        let page = paging::page(paging::shortened(first.or(Some(paging::MOST))), after)?;
        let visible = context.row(ProjectKey(collection.project_id.0)).await?.is_some();
        let rows = if visible { context.page(AliasesIn::new(collection.id.0, &paging::probe(&page))).await? } else { Vec::new() };
        let rows = paging::connection(&page, rows, |row| row.alias.clone(), ArtifactAlias::Chosen);
        let edges: Vec<ArtifactAliasEdge> = rows
            .edges
            .into_iter()
            .map(|edge| ArtifactAliasEdge { cursor: edge.cursor.encode_cursor(), node: edge.node })
            .collect();
        let edges = context.counted(edges)?;
        let page_info = PageInfo {
            has_previous_page: rows.has_previous_page,
            has_next_page: rows.has_next_page,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()),
        };
        Ok(Self { edges, page_info })
    }
}

/// W&B protocol: a version's place in a collection.
pub struct ArtifactCollectionMembership(pub MembershipRow);

/// W&B protocol: a version's place in a collection.
#[Object]
impl ArtifactCollectionMembership {
    /// W&B protocol: opaque id.
    async fn id(&self) -> ID {
        ids::id("ArtifactCollectionMembership", self.0.id.0)
    }

    /// W&B protocol: N of `vN` in this collection.
    async fn version_index(&self) -> i32 {
        self.0.index
    }

    /// W&B protocol: since when.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// W&B protocol: aliases of this collection that point here.
    async fn aliases(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ArtifactAlias>> {
        let aliases = context.page(AliasesOf(self.0.version_id.0)).await?;
        let own = aliases.into_iter().filter(|alias| alias.collection_id == self.0.collection_id).map(ArtifactAlias::Chosen);
        let index = context.data::<Client>()?.before_0_25.then(|| ArtifactAlias::Index(self.0.clone()));
        context.counted(own.chain(index).collect())
    }

    /// W&B protocol: the collection.
    async fn artifact_collection(&self, context: &Context<'_>) -> async_graphql::Result<Option<ArtifactCollection>> {
        Ok(context.row(CollectionKey(self.0.collection_id.0)).await?.map(ArtifactCollection::from))
    }

    /// W&B protocol: the version, with the rights that this place gives (rule 41).
    async fn artifact(&self, context: &Context<'_>) -> async_graphql::Result<Option<Artifact>> {
        artifact_at(context, &self.0).await
    }

    /// W&B protocol: every entry of the manifest, references too. Needs the right to download by this path (rule 41).
    async fn files(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: at most 5000; 50 if absent.")] first: Option<i32>,
        #[graphql(desc = "W&B protocol: only these paths.")] names: Option<Vec<String>>,
    ) -> async_graphql::Result<FileConnection> {
        let project = context.row(ProjectKey(self.0.project_id.0)).await?;
        let project = project.ok_or(regalia_service::Error::from(regalia_service::store::Error::NotFound)).fail()?;
        may_download(&project).fail()?;
        let version = context.row(VersionKey(self.0.version_id.0)).await?;
        let manifest = version.as_ref().and_then(|version| version.manifest_id);
        let (version, manifest) =
            version.zip(manifest).ok_or(regalia_service::Error::from(regalia_service::store::Error::NotFound)).fail()?;
        FileConnection::of_manifest(context, self.0.id, manifest, version, after.as_deref(), first, names).await
    }
}

/// W&B protocol: an alias of today.
pub enum ArtifactAlias {
    /// One that somebody set, or `latest`.
    Chosen(AliasRow),
    /// `vN`, for clients that read the index there: see [`Client`].
    Index(MembershipRow),
}

/// W&B protocol: an alias of today.
#[Object]
impl ArtifactAlias {
    /// W&B protocol: opaque id.
    async fn id(&self) -> ID {
        match self {
            Self::Chosen(row) => ids::id("ArtifactAlias", row.id.0),
            Self::Index(place) => ids::id("ArtifactCollectionMembership", place.id.0),
        }
    }

    /// W&B protocol: name.
    async fn alias(&self) -> String {
        match self {
            Self::Chosen(row) => row.alias.clone(),
            Self::Index(place) => format!("v{}", place.index),
        }
    }

    /// W&B protocol: the collection that it belongs to.
    async fn artifact_collection(&self, context: &Context<'_>) -> async_graphql::Result<Option<ArtifactCollection>> {
        let collection = match self {
            Self::Chosen(row) => row.collection_id,
            Self::Index(place) => place.collection_id,
        };
        Ok(context.row(CollectionKey(collection.0)).await?.map(ArtifactCollection::from))
    }
}
