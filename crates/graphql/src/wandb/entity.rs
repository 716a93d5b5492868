//! Entities, and the W&B protocol's half of `User` and `Organization`. What must not live here: projects.

use async_graphql::{Context, ID, Object};
use regalia_domain::ids::OrganizationId;
use regalia_service::store::access::{EntityRow, ProjectRow};
use regalia_service::store::accounts::UserRow;
use regalia_service::store::organizations::OrganizationRow;
use regalia_service::store::teams::TeamRow;

use crate::context::Reach as _;
use crate::error::OrNull as _;
use crate::ids;
use crate::shared::{Organization, User};
use crate::wandb::project::{self, Project};

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
        Ok(context.service()?.user(context.caller()?, &self.name).await.or_null()?.map(User::from))
    }

    /// W&B protocol: a project or registry of this entity; null when absent or invisible.
    async fn project(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: name; a registry's with its prefix.")] name: Option<String>,
    ) -> async_graphql::Result<Option<Project>> {
        project::find(context, &self.name, name.as_deref().unwrap_or_default()).await
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

/// The W&B protocol's half of an organization.
pub struct WandbOrganization(pub OrganizationRow);

/// W&B protocol's half of `Organization`.
#[Object]
impl WandbOrganization {
    /// W&B protocol: the entity that owns the organization's registries.
    async fn org_entity(&self) -> Entity {
        Entity { id: self.0.id.0, name: self.0.name.clone(), kind: "organization".into(), organization: Some(self.0.id) }
    }

    /// W&B protocol: an id in a service that Regalia has no part in: always null.
    async fn core_weave_organization_id(&self) -> Option<ID> {
        None
    }
}
