//! The W&B protocol: exactly what the SDK sends and needs, and nothing more. Changes only when the SDK does. Its words:
//!
//! | here                                | everywhere else                     |
//! |-------------------------------------|-------------------------------------|
//! | `Project` named `wandb-registry-R`  | registry `R`                        |
//! | `Project`                           | project                             |
//! | `Entity`                            | organization, team or user          |
//! | `Artifact`                          | version                             |
//! | `ArtifactSequence`                  | source collection                   |
//! | `ArtifactPortfolio`                 | collection of links, in a registry or a project |
//! | `ArtifactCollectionMembership`      | a version's place: birth or link    |
//! | `Member`, `Invite`                  | a user in a team or organization    |
//! | `upsertModel`                       | create or update a registry or project |
//! | `renameProject`, `deleteModel`      | rename, delete a registry           |
//! | `ProjectMember`                     | a user's membership in a registry   |
//! | `upsertBucket`                      | create or update a run              |
//! | `access: PRIVATE`, `RESTRICTED`     | visibility `organization`, `restricted` |
//!
//! What must not live here: rules, and anything of the native side.

pub mod artifact;
pub mod artifact_type;
pub mod client;
pub mod collection;
pub mod entity;
pub mod file;
pub mod life;
pub mod lineage;
pub mod lists;
pub mod project;
pub mod publish;
pub mod registry_member;
pub mod run;
pub mod run_changes;
pub mod server_info;
pub mod team;
pub mod user;

use async_graphql::{Context, ID};
use async_graphql::{MergedObject, Object};
use regalia_domain::ids::{CollectionId, VersionId};
use regalia_service::store::access::ProjectKind;

use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _};
use crate::ids;

/// The W&B protocol's reads.
#[derive(Default)]
pub struct WandbQuery;

/// W&B protocol reads.
#[Object]
impl WandbQuery {
    /// W&B protocol: what this server can do.
    async fn server_info(&self, context: &Context<'_>) -> async_graphql::Result<server_info::ServerInfo> {
        context.caller()?;
        Ok(server_info::ServerInfo)
    }

    /// W&B protocol: an organization, team or user by name; null when absent or invisible.
    async fn entity(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: name; the caller's default entity if absent.")] name: Option<String>,
    ) -> async_graphql::Result<Option<entity::Entity>> {
        let name = named_or_default(context, name).await?;
        Ok(context.service()?.entity(context.caller()?, &name).await.or_null()?.map(entity::Entity::from))
    }

    /// W&B protocol: a project or registry; null when absent or invisible.
    async fn project(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: owner; the caller's default entity if absent.")] entity_name: Option<String>,
        #[graphql(desc = "W&B protocol: name; a registry's with its prefix.")] name: Option<String>,
    ) -> async_graphql::Result<Option<project::Project>> {
        let entity = named_or_default(context, entity_name).await?;
        project::find(context, &entity, name.as_deref().unwrap_or_default()).await
    }

    /// W&B protocol: the same as `project`, in the words of a resumed run.
    async fn model(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: owner; the caller's default entity if absent.")] entity_name: Option<String>,
        #[graphql(desc = "W&B protocol: name; a registry's with its prefix.")] name: Option<String>,
    ) -> async_graphql::Result<Option<project::Project>> {
        self.project(context, entity_name, name).await
    }

    /// W&B protocol: a page of an entity's projects; of an organization's its registries. Null when it is absent or invisible.
    async fn models(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: owner; the caller's default entity if absent.")] entity_name: Option<String>,
        #[graphql(desc = "W&B protocol: how many, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "W&B protocol: those after this cursor.")] after: Option<String>,
    ) -> async_graphql::Result<Option<lists::ProjectConnection>> {
        let entity = named_or_default(context, entity_name).await?;
        project::of_entity(context, &entity, first, after).await
    }

    /// W&B protocol: a version by id; null when absent or invisible.
    async fn artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: its id.")] id: ID,
    ) -> async_graphql::Result<Option<artifact::Artifact>> {
        let id = ids::number(&["Artifact"], &id)?;
        Ok(context.service()?.version(context.caller()?, VersionId(id)).await.or_null()?.map(artifact::Artifact))
    }

    /// W&B protocol: a collection by id; null when absent or invisible.
    async fn artifact_collection(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: its id.")] id: ID,
    ) -> async_graphql::Result<Option<collection::ArtifactCollection>> {
        let id = CollectionId(ids::number(&["ArtifactCollection"], &id)?);
        Ok(context.service()?.collection(context.caller()?, id).await.fail()?.map(collection::ArtifactCollection::from))
    }

    /// W&B protocol: the version that the caller's own client named so; null when there is none.
    #[graphql(name = "clientIDMapping")]
    async fn client_id_mapping(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the client's own name for it.", name = "clientID")] client_id: ID,
    ) -> async_graphql::Result<Option<artifact::ClientIdMapping>> {
        let found = context.service()?.version_by_client_id(context.caller()?, &client_id).await.or_null()?;
        Ok(found.map(|version| artifact::ClientIdMapping { server_id: ids::id("Artifact", version.0) }))
    }
}

/// The W&B protocol's writes.
#[derive(MergedObject, Default)]
pub struct WandbMutation(
    project::ProjectMutation,
    registry_member::ProjectMemberMutation,
    run_changes::RunMutation,
    publish::PublishMutation,
    life::LifeMutation,
    team::TeamMutation,
    user::UserMutation,
);

/// The root fields of the W&B protocol's side: an operation with one of them takes its HTTP status from its errors (rule 45).
pub const ROOT_FIELDS: [&str; 48] = [
    "serverInfo",
    "entity",
    "project",
    "artifact",
    "artifactCollection",
    "clientIDMapping",
    "upsertModel",
    "renameProject",
    "deleteModel",
    "createProjectMembers",
    "deleteProjectMembers",
    "updateProjectMember",
    "updateProjectTeamMember",
    "upsertBucket",
    "stopRun",
    "markRunFilesUploaded",
    "createRunFiles",
    "useArtifact",
    "createArtifact",
    "createArtifactManifest",
    "updateArtifactManifest",
    "createArtifactFiles",
    "commitArtifact",
    "linkArtifact",
    "completeMultipartUploadArtifact",
    "createArtifactType",
    "addAliases",
    "deleteAliases",
    "updateArtifact",
    "deleteArtifact",
    "unlinkArtifact",
    "updateArtifactPortfolio",
    "updateArtifactSequence",
    "moveArtifactSequence",
    "deleteArtifactPortfolio",
    "deleteArtifactSequence",
    "createArtifactCollectionTagAssignments",
    "deleteArtifactCollectionTagAssignments",
    "model",
    "models",
    "createTeam",
    "createInvite",
    "deleteInvite",
    "createServiceAccount",
    "createUser",
    "updateUser",
    "generateApiKey",
    "deleteApiKey",
];

/// The fields that this side adds to the types which both sides share: an operation with one of them is the W&B protocol's too, for
/// its lists of registries begin at `organization`, which both sides have.
pub const SHARED_FIELDS: [&str; 9] = [
    "orgEntity",
    "advancedRegistryFeatures",
    "coreWeaveOrganizationId",
    "featureFlags",
    "username",
    "admin",
    "flags",
    "entity",
    "deletedAt",
];

/// The entity of a request that may name none: then the caller's default.
pub(crate) async fn named_or_default(context: &Context<'_>, name: Option<String>) -> async_graphql::Result<String> {
    match name.filter(|name| !name.is_empty()) {
        Some(name) => Ok(name),
        None => context.service()?.default_entity(context.caller()?).await.fail(),
    }
}

/// A project's name on the wire as kind and name.
pub(crate) fn split_project(name: &str) -> (ProjectKind, &str) {
    match name.strip_prefix(regalia_domain::names::REGISTRY_PREFIX) {
        Some(registry) => (ProjectKind::Registry, registry),
        None => (ProjectKind::Project, name),
    }
}
