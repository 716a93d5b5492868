//! Organizations and their members. What must not live here: registries, and what the W&B protocol calls an
//! organization's fields.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::names::{DisplayName, EntityName};
use regalia_service::store::organizations::{MemberRow, OrganizationRow};

use super::keys::{OrganizationMembers, OrganizationTeams};
use super::team::Team;
use super::user::{Paged, user};
use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _, Parsed as _};
use crate::paging::{connection, page, probe};
use crate::shared::{Organization, User};

/// What a member may do in an organization; each role includes those before it.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "regalia_domain::roles::OrganizationRole")]
pub enum OrganizationRole {
    /// Reads only, in the organization's teams too.
    Viewer,
    /// Works in the organization's teams and creates registries.
    Member,
    /// Manages the organization: its members, teams and every registry.
    Admin,
}

/// Who creates an organization's registries.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "regalia_domain::roles::RegistryCreation")]
pub enum RegistryCreation {
    /// Its members and admins.
    Members,
    /// Its admins only.
    Admins,
}

/// Regalia's own fields of an organization.
#[derive(Debug, Clone)]
pub struct NativeOrganization(pub OrganizationRow);

#[Object]
impl NativeOrganization {
    /// Opaque id.
    async fn id(&self) -> ID {
        crate::ids::id("Organization", self.0.id.0)
    }

    /// What people call it. Several organizations may have the same; `entityName` is unique.
    async fn name(&self) -> &str {
        &self.0.display_name
    }

    /// Name that is unique among users, teams and organizations. Use it in paths: `entityName/wandb-registry-…`.
    async fn entity_name(&self) -> &str {
        &self.0.name
    }

    /// Who creates its registries.
    async fn registry_creation(&self) -> Result<RegistryCreation> {
        let setting: regalia_domain::roles::RegistryCreation = self.0.registry_creation.parse().parsed()?;
        Ok(setting.into())
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// Its members, by name.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many members, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Members after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<OrganizationMember>> {
        let page = page(first, after.as_deref())?;
        let rows = ctx.page(OrganizationMembers::new(self.0.id.0, &probe(&page))).await?;
        Ok(connection(&page, rows, |row| row.user_name.clone(), OrganizationMember))
    }

    /// Its teams, by name.
    async fn teams(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many teams, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Teams after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<Team>> {
        let page = page(first, after.as_deref())?;
        let rows = ctx.page(OrganizationTeams::new(self.0.id.0, &probe(&page))).await?;
        Ok(connection(&page, rows, |row| row.name.clone(), Team))
    }
}

/// A member of an organization.
#[derive(Debug, Clone)]
pub struct OrganizationMember(MemberRow);

/// Somebody who belongs to an organization.
#[Object]
impl OrganizationMember {
    /// The user.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        user(ctx, self.0.user_id).await
    }

    /// The user's role in the organization.
    async fn role(&self) -> Result<OrganizationRole> {
        let role: regalia_domain::roles::OrganizationRole = self.0.role.parse().parsed()?;
        Ok(role.into())
    }
}

/// Finds organizations.
#[derive(Default)]
pub struct OrganizationQuery;

#[Object]
impl OrganizationQuery {
    /// An organization that you are in (a site administrator: any), by entity name, or by a display name that only one has.
    /// Null if there is none.
    async fn organization(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Entity name or display name. If several organizations have the display name, the error lists their entity names."
        )]
        name: String,
    ) -> Result<Option<Organization>> {
        Ok(ctx.service()?.organization(ctx.caller()?, &name).await.or_null()?.map(Organization::from))
    }

    /// The organizations that you are in (a site administrator: all), by entity name.
    async fn organizations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many organizations, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Organizations after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<Organization>> {
        let page = page(first, after.as_deref())?;
        let rows = ctx.service()?.organizations(ctx.caller()?, &probe(&page)).await.fail()?;
        Ok(connection(&page, rows, |row| row.name.clone(), Organization::from))
    }
}

/// A new organization.
#[derive(InputObject)]
pub struct OrganizationCreateInput {
    /// What people call it: 1 to 128 characters, spaces allowed inside. If it is no entity name or not free as one, the
    /// organization's entity name is made from it.
    display_name: String,
    /// Name of the user who is its first admin.
    admin: String,
}

/// The organization that was made.
#[derive(SimpleObject)]
pub struct OrganizationCreatePayload {
    /// The new organization.
    organization: Organization,
}

/// The organization to delete.
#[derive(InputObject)]
pub struct OrganizationDeleteInput {
    /// Entity name or unambiguous display name.
    organization: String,
    /// For site administrators: deletes also all that the organization holds, for ever, and whatever is linked under protected
    /// aliases.
    #[graphql(default)]
    force: bool,
}

/// The organization that was deleted.
#[derive(SimpleObject)]
pub struct OrganizationDeletePayload {
    /// Its entity name, which is free again.
    entity_name: String,
}

/// Somebody's role in an organization.
#[derive(InputObject)]
pub struct OrganizationMemberSetInput {
    /// Entity name or unambiguous display name.
    organization: String,
    /// The user's name.
    user: String,
    /// The role.
    role: OrganizationRole,
}

/// The organization whose member was added or changed.
#[derive(SimpleObject)]
pub struct OrganizationMemberSetPayload {
    /// The organization.
    organization: Organization,
}

/// The membership to end.
#[derive(InputObject)]
pub struct OrganizationMemberRemoveInput {
    /// Entity name or unambiguous display name.
    organization: String,
    /// The user's name.
    user: String,
}

/// The organization that lost a member.
#[derive(SimpleObject)]
pub struct OrganizationMemberRemovePayload {
    /// The organization.
    organization: Organization,
}

/// What to change in an organization; what isn't given stays.
#[derive(InputObject)]
pub struct OrganizationUpdateInput {
    /// Entity name of the organization, or its name if only one has it.
    organization: String,
    /// What people call it: 1 to 128 characters, spaces allowed inside. Its entity name stays, so paths with that go on working.
    display_name: Option<String>,
    /// Who creates its registries.
    registry_creation: Option<RegistryCreation>,
}

/// The changed organization.
#[derive(SimpleObject)]
pub struct OrganizationUpdatePayload {
    /// The organization.
    organization: Organization,
}

/// Makes and deletes organizations and changes their members.
#[derive(Default)]
pub struct OrganizationMutation;

#[Object]
impl OrganizationMutation {
    /// Makes an organization. For site administrators.
    async fn organization_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new organization.")] input: OrganizationCreateInput,
    ) -> Result<OrganizationCreatePayload> {
        let display_name = DisplayName::parse(&input.display_name).parsed()?;
        let admin = EntityName::parse(&input.admin).parsed()?;
        let row = ctx.service()?.create_organization(ctx.request()?, &display_name, &admin).await.fail()?;
        ctx.forget()?;
        Ok(OrganizationCreatePayload { organization: row.into() })
    }

    /// Changes an organization's settings. For its admins and site administrators.
    async fn organization_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The organization and what to change.")] input: OrganizationUpdateInput,
    ) -> Result<OrganizationUpdatePayload> {
        let display_name = input.display_name.as_deref().map(DisplayName::parse).transpose().parsed()?;
        let creation = input.registry_creation.map(Into::into);
        let service = ctx.service()?;
        let row =
            service.update_organization(ctx.request()?, &input.organization, display_name.as_ref(), creation).await.fail()?;
        ctx.forget()?;
        Ok(OrganizationUpdatePayload { organization: row.into() })
    }

    /// Deletes an organization. For its admins and site administrators. Refused while it owns teams, registries or files, but by
    /// `force`.
    async fn organization_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The organization to delete.")] input: OrganizationDeleteInput,
    ) -> Result<OrganizationDeletePayload> {
        let row = ctx.service()?.delete_organization(ctx.request()?, &input.organization, input.force).await.fail()?;
        ctx.forget()?;
        Ok(OrganizationDeletePayload { entity_name: row.name })
    }

    /// Adds a user to an organization, or changes a member's role. For its admins and site administrators; only the latter
    /// demote its last admin.
    async fn organization_member_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The organization, the user and the role.")] input: OrganizationMemberSetInput,
    ) -> Result<OrganizationMemberSetPayload> {
        let user = EntityName::parse(&input.user).parsed()?;
        let service = ctx.service()?;
        let row = service.set_organization_member(ctx.request()?, &input.organization, &user, input.role.into()).await.fail()?;
        ctx.forget()?;
        Ok(OrganizationMemberSetPayload { organization: row.into() })
    }

    /// Removes a user from an organization, its teams and its registries. For its admins and site administrators; only the
    /// latter remove its last admin.
    async fn organization_member_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The organization and the user.")] input: OrganizationMemberRemoveInput,
    ) -> Result<OrganizationMemberRemovePayload> {
        let user = EntityName::parse(&input.user).parsed()?;
        let row = ctx.service()?.remove_organization_member(ctx.request()?, &input.organization, &user).await.fail()?;
        ctx.forget()?;
        Ok(OrganizationMemberRemovePayload { organization: row.into() })
    }
}
