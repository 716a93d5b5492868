//! Entities, and the W&B protocol's half of `User` and `Organization`. What must not live here: projects.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use regalia_domain::ids::OrganizationId;
use regalia_service::store::access::{EntityRow, ProjectRow};
use regalia_service::store::accounts::UserRow;
use regalia_service::store::organizations::OrganizationRow;
use regalia_service::store::teams::TeamRow;

use crate::context::Reach as _;
use crate::ids;
use crate::lists::CollectionParents;
use crate::loaders::{BelongingTo, BytesOf, EntityKey, ProjectNamed, UserSeen};
use crate::scalars::{Int64, JsonString};
use crate::shared::{Organization, User};
use crate::wandb::lists::{
    self, ArtifactCollectionConnection, ArtifactCollectionMembershipConnection, ArtifactCollectionType, ProjectConnection,
};
use crate::wandb::project::Project;
use crate::wandb::split_project;
use crate::wandb::team::Member;

/// W&B protocol: an organization, team or user.
pub struct Entity {
    id: i64,
    name: String,
    kind: String,
    organization: Option<OrganizationId>,
}

impl From<EntityRow> for Entity {
    fn from(row: EntityRow) -> Self {
        Self { id: row.id, name: row.name, kind: row.kind, organization: row.organization_id.map(OrganizationId) }
    }
}

impl From<TeamRow> for Entity {
    fn from(row: TeamRow) -> Self {
        Self { id: row.id.0, name: row.name, kind: "team".into(), organization: Some(row.organization_id) }
    }
}

/// The owner of a project that the caller was allowed to see: its name is part of the project's path.
impl From<&ProjectRow> for Entity {
    fn from(row: &ProjectRow) -> Self {
        Self {
            id: row.entity_id,
            name: row.entity_name.clone(),
            kind: row.entity_kind.clone(),
            organization: row.organization_id.map(OrganizationId),
        }
    }
}

/// W&B protocol: an organization, team or user.
#[Object]
impl Entity {
    /// W&B protocol: opaque id.
    async fn id(&self) -> ID {
        ids::id("Entity", self.id)
    }

    /// W&B protocol: unique name.
    async fn name(&self) -> &str {
        &self.name
    }

    /// W&B protocol: `organization`, `team` or `user`.
    async fn entity_type(&self) -> &str {
        &self.kind
    }

    /// W&B protocol: whether it is a team.
    async fn is_team(&self) -> bool {
        self.kind == "team"
    }

    /// W&B protocol: the organization of a team, or behind an organization's own entity; null for a user (rule 21).
    async fn organization(&self, context: &Context<'_>) -> async_graphql::Result<Option<Organization>> {
        let Some(organization) = self.organization else { return Ok(None) };
        Ok(context.row(organization).await?.map(|row: OrganizationRow| row.into()))
    }

    /// W&B protocol: the user behind a personal entity.
    async fn user(&self, context: &Context<'_>) -> async_graphql::Result<Option<User>> {
        if self.kind != "user" {
            return Ok(None);
        }
        Ok(context.row(UserSeen(self.id)).await?.map(User::from))
    }

    /// W&B protocol: a project or registry of this entity; null when absent or invisible.
    async fn project(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: name; a registry's with its prefix.")] name: Option<String>,
    ) -> async_graphql::Result<Option<Project>> {
        let (kind, name) = split_project(name.as_deref().unwrap_or_default());
        Ok(context.row(ProjectNamed(self.id, kind, name.to_owned())).await?.map(Project))
    }

    /// W&B protocol: an organization's registries, a team's or user's projects, by name.
    async fn projects(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: which of them, as JSON.")] filters: Option<JsonString>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
        #[graphql(desc = "W&B protocol: `name`, `created_at` or `updated_at`, `-` in front for descending.")] order: Option<
            String,
        >,
    ) -> async_graphql::Result<ProjectConnection> {
        let (filter, wanted) = (lists::filter(filters)?, lists::wanted(first, after, order)?);
        ProjectConnection::of_entity(context, self.id, filter, &wanted).await
    }

    /// W&B protocol: the collections of all its registries or projects, newest first.
    #[allow(clippy::too_many_arguments)] // The wire's.
    async fn artifact_collections(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: the kinds that are wanted; all if absent.")] collection_types: Option<
            Vec<ArtifactCollectionType>,
        >,
        #[graphql(desc = "W&B protocol: which of them, as JSON.")] filters: Option<JsonString>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
        #[graphql(desc = "W&B protocol: `name`, `created_at` or `updated_at`, `-` in front for descending.")] order: Option<
            String,
        >,
        #[graphql(desc = "W&B protocol: of which registries or projects, as JSON.")] project_filters: Option<JsonString>,
    ) -> async_graphql::Result<ArtifactCollectionConnection> {
        let (filter, wanted) = (lists::filter(filters)?, lists::wanted(first, after, order)?);
        let projects = lists::filter(project_filters)?;
        let wants = |kind| collection_types.as_ref().is_none_or(|kinds| kinds.contains(&kind));
        let kind = match (wants(ArtifactCollectionType::Sequence), wants(ArtifactCollectionType::Portfolio)) {
            (true, true) => None,
            (true, false) => Some("source"),
            (false, true) => Some("registry"),
            (false, false) => return Ok(ArtifactCollectionConnection::nothing(&wanted)),
        };
        // All that an organization has are registries, and nothing is born there: the filter would only mislead the planner.
        let kind = match (self.kind.as_str(), kind) {
            ("organization", Some("source")) => return Ok(ArtifactCollectionConnection::nothing(&wanted)),
            ("organization", _) => None,
            (_, kind) => kind,
        };
        ArtifactCollectionConnection::read(context, self.id, CollectionParents::Entities(projects, kind), filter, &wanted).await
    }

    /// W&B protocol: the versions in all its registries or projects at their places, newest place first.
    #[allow(clippy::too_many_arguments)] // The wire's.
    async fn artifact_memberships(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: in which collections, as JSON.")] collection_filters: Option<JsonString>,
        #[graphql(desc = "W&B protocol: which of them, as JSON.")] filters: Option<JsonString>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
        #[graphql(desc = "W&B protocol: `version_index`, `created_at` or `updated_at`, `-` in front for descending.")]
        order: Option<String>,
        #[graphql(desc = "W&B protocol: of which registries or projects, as JSON.")] project_filters: Option<JsonString>,
    ) -> async_graphql::Result<ArtifactCollectionMembershipConnection> {
        let (filter, wanted) = (lists::filter(filters)?, lists::wanted(first, after, order)?);
        let (projects, collections) = (lists::filter(project_filters)?, lists::filter(collection_filters)?);
        ArtifactCollectionMembershipConnection::of_entity(context, self.id, projects, collections, filter, &wanted).await
    }

    /// W&B protocol: whether the name is free for another: never, since this has it.
    async fn available(&self) -> bool {
        false
    }

    /// W&B protocol: always null: there are no pictures.
    async fn photo_url(&self) -> Option<&str> {
        None
    }

    /// W&B protocol: whether the caller can't write in its projects.
    async fn read_only(&self, context: &Context<'_>) -> async_graphql::Result<bool> {
        let caller = context.caller()?;
        // Nobody logs to an organization itself.
        Ok(context.row(EntityKey(self.id)).await?.is_none_or(|row| row.create_project(caller).is_err()))
    }

    /// W&B protocol: whether somebody made it read-only for all: nobody can.
    async fn read_only_admin(&self) -> bool {
        false
    }

    /// W&B protocol: whether its projects can only be private: they are seen by its members and by nobody outside.
    async fn private_only(&self) -> bool {
        true
    }

    /// W&B protocol: bytes of the files and references in its versions, as far as the caller sees their projects; the same
    /// content counts once.
    async fn storage_bytes(&self, context: &Context<'_>) -> async_graphql::Result<Int64> {
        Ok(Int64(context.row(BytesOf(self.id)).await?.unwrap_or_default()))
    }

    /// W&B protocol: whether its runs keep their code without being told to: there is no such switch.
    async fn code_saving_enabled(&self) -> bool {
        false
    }

    /// W&B protocol: who sees a new project of it: `PRIVATE`, which is its members.
    async fn default_access(&self) -> &str {
        "PRIVATE"
    }

    /// W&B protocol: whether digests are computed by XXH128 instead of MD5: never.
    async fn xxhash_digests_enabled(&self) -> bool {
        false
    }

    /// W&B protocol: whether it was paid for: nothing is sold here.
    async fn is_paid(&self) -> bool {
        false
    }

    /// W&B protocol: what it is limited to: always null, for there are no limits of this kind.
    async fn limits(&self) -> Option<async_graphql::Json<()>> {
        None
    }

    /// W&B protocol: all who belong to a team or an organization, who joined last at the end; of a user nobody.
    async fn members(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Member>> {
        let members = context.counted(context.page(BelongingTo(self.id)).await?)?;
        Ok(members.into_iter().map(Member).collect())
    }
}

/// The W&B protocol's half of a user.
pub struct WandbUser(pub UserRow);

/// W&B protocol's half of `User`.
#[Object]
impl WandbUser {
    /// W&B protocol: the user's name.
    async fn username(&self) -> &str {
        &self.0.name
    }

    /// W&B protocol: whether the user manages the site.
    async fn admin(&self) -> bool {
        self.0.site_admin
    }

    /// W&B protocol: JSON of switches; there are none.
    async fn flags(&self) -> &str {
        "{}"
    }

    /// W&B protocol: where runs go that name no entity; of another user his own name.
    async fn entity(&self, context: &Context<'_>) -> async_graphql::Result<&str> {
        Ok(if self.0.id == context.caller()?.user { &self.0.default_entity } else { &self.0.name })
    }

    /// W&B protocol: always null, because a deleted user isn't shown.
    async fn deleted_at(&self) -> Option<chrono::DateTime<chrono::Utc>> {
        None
    }
}

/// W&B protocol: what the search for versions can do.
#[derive(SimpleObject)]
pub struct AdvancedRegistryFeatures {
    /// W&B protocol: whether it takes the filters of the other kind of search. It doesn't.
    advanced_search: bool,
}

/// W&B protocol: what a name in a request for feature flags stands for.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "RampIDType")]
pub enum RampIdType {
    /// W&B protocol: an organization's name.
    #[graphql(name = "OrgName")]
    OrgName,
}

/// W&B protocol: a switch for some organizations.
#[derive(SimpleObject)]
pub struct FeatureFlag {
    /// W&B protocol: its name.
    ramp_key: String,
    /// W&B protocol: whether it is on.
    is_enabled: bool,
}

/// The W&B protocol's half of an organization.
pub struct WandbOrganization(pub OrganizationRow);

/// W&B protocol's half of `Organization`.
#[Object]
impl WandbOrganization {
    /// W&B protocol: the entity that owns the organization's registries.
    async fn org_entity(&self) -> Entity {
        Entity { id: self.0.id.0, name: self.0.name.clone(), kind: "organization".into(), organization: Some(self.0.id) }
    }

    /// W&B protocol: what the search for versions can do.
    async fn advanced_registry_features(&self) -> AdvancedRegistryFeatures {
        AdvancedRegistryFeatures { advanced_search: false }
    }

    /// W&B protocol: switches for this organization: there are none, what the server can do it can for everybody.
    async fn feature_flags(
        &self,
        #[graphql(desc = "W&B protocol: means nothing.", name = "rampIDType")] ramp_id_type: RampIdType,
    ) -> Vec<FeatureFlag> {
        let _ = ramp_id_type;
        Vec::new()
    }

    /// W&B protocol: an id in a service that Regalia has no part in: always null.
    async fn core_weave_organization_id(&self) -> Option<ID> {
        None
    }
}
