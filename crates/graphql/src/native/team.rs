//! Teams and their members. What must not live here: a team's projects.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::names::EntityName;
use regalia_service::store::organizations::OrganizationRow;
use regalia_service::store::teams::{MemberRow, TeamRow};

use super::keys::TeamMembers;
use super::user::{Paged, user};
use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _, Parsed as _};
use crate::paging::{connection, page, probe};
use crate::shared::{Organization, User};

/// What a member may do in a team; each role includes those before it.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "regalia_domain::roles::TeamRole")]
pub enum TeamRole {
    /// Reads and writes in the team's projects.
    Member,
    /// Also deletes, and manages the team's members.
    Admin,
}

/// A team.
#[derive(Debug, Clone)]
pub struct Team(pub TeamRow);

/// A group of users inside one organization; it owns projects.
#[Object]
impl Team {
    /// Opaque id.
    async fn id(&self) -> ID {
        crate::ids::id("Team", self.0.id.0)
    }

    /// Name, unique among users, teams and organizations. It is the `entity` under which code logs to the team.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The organization that it belongs to.
    async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        let row: Option<OrganizationRow> = ctx.row(self.0.organization_id).await?;
        Ok(row.ok_or_else(|| regalia_service::Error::NotFound("The organization has just been deleted.".into())).fail()?.into())
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
    ) -> Result<Paged<TeamMember>> {
        let page = page(first, after.as_deref())?;
        let rows = ctx.page(TeamMembers::new(self.0.id.0, &probe(&page))).await?;
        Ok(connection(&page, rows, |row| row.user_name.clone(), TeamMember))
    }
}

/// A member of a team.
#[derive(Debug, Clone)]
pub struct TeamMember(MemberRow);

/// Somebody who belongs to a team.
#[Object]
impl TeamMember {
    /// The user.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        user(ctx, self.0.user_id).await
    }

    /// The user's role in the team.
    async fn role(&self) -> Result<TeamRole> {
        let role: regalia_domain::roles::TeamRole = self.0.role.parse().parsed()?;
        Ok(role.into())
    }
}

/// Finds teams.
#[derive(Default)]
pub struct TeamQuery;

#[Object]
impl TeamQuery {
    /// A team of one of your organizations (a site administrator: any), by name. Null if there is none.
    async fn team(&self, ctx: &Context<'_>, #[graphql(desc = "The team's name.")] name: String) -> Result<Option<Team>> {
        Ok(ctx.service()?.team(ctx.caller()?, &name).await.or_null()?.map(Team))
    }

    /// The teams of your organizations (a site administrator: all), by name.
    async fn teams(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many teams, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Teams after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<Team>> {
        let page = page(first, after.as_deref())?;
        let rows = ctx.service()?.teams(ctx.caller()?, &probe(&page)).await.fail()?;
        Ok(connection(&page, rows, |row| row.name.clone(), Team))
    }
}

/// A new team.
#[derive(InputObject)]
pub struct TeamCreateInput {
    /// Entity name or unambiguous display name of its organization.
    organization: String,
    /// Name: 1 to 128 letters, digits, `_`, `.` or `-`, beginning with a letter or digit, and not that of another user,
    /// team or organization.
    name: String,
    /// Name of the user who is its first admin: a member of the organization.
    admin: String,
}

/// The team that was made.
#[derive(SimpleObject)]
pub struct TeamCreatePayload {
    /// The new team.
    team: Team,
}

/// The team to delete.
#[derive(InputObject)]
pub struct TeamDeleteInput {
    /// The team's name.
    team: String,
    /// For site administrators: deletes also all that the team holds, for ever, and whatever is linked under protected aliases.
    #[graphql(default)]
    force: bool,
}

/// The team that was deleted.
#[derive(SimpleObject)]
pub struct TeamDeletePayload {
    /// The name, which is free again.
    name: String,
}

/// Somebody's role in a team.
#[derive(InputObject)]
pub struct TeamMemberSetInput {
    /// The team's name.
    team: String,
    /// Name of the user, a member of the team's organization.
    user: String,
    /// The role.
    #[graphql(default_with = "TeamRole::Member")]
    role: TeamRole,
}

/// The team whose member was added or changed.
#[derive(SimpleObject)]
pub struct TeamMemberSetPayload {
    /// The team.
    team: Team,
}

/// The membership to end.
#[derive(InputObject)]
pub struct TeamMemberRemoveInput {
    /// The team's name.
    team: String,
    /// The user's name.
    user: String,
}

/// The team that lost a member.
#[derive(SimpleObject)]
pub struct TeamMemberRemovePayload {
    /// The team.
    team: Team,
}

/// Makes and deletes teams and changes their members.
#[derive(Default)]
pub struct TeamMutation;

#[Object]
impl TeamMutation {
    /// Makes a team. For admins of its organization and site administrators.
    async fn team_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new team.")] input: TeamCreateInput,
    ) -> Result<TeamCreatePayload> {
        let name = EntityName::parse(&input.name).parsed()?;
        let admin = EntityName::parse(&input.admin).parsed()?;
        let row = ctx.service()?.create_team(ctx.request()?, &input.organization, &name, &admin).await.fail()?;
        ctx.forget()?;
        Ok(TeamCreatePayload { team: Team(row) })
    }

    /// Deletes a team. For admins of it, of its organization and of the site. Refused while it owns projects or has service
    /// accounts, but by `force`.
    async fn team_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team to delete.")] input: TeamDeleteInput,
    ) -> Result<TeamDeletePayload> {
        let team = EntityName::parse(&input.team).parsed()?;
        let row = ctx.service()?.delete_team(ctx.request()?, &team, input.force).await.fail()?;
        ctx.forget()?;
        Ok(TeamDeletePayload { name: row.name })
    }

    /// Adds a member of the organization to a team, or changes the role there. For admins of the team, of its organization
    /// and of the site.
    async fn team_member_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team, the user and the role.")] input: TeamMemberSetInput,
    ) -> Result<TeamMemberSetPayload> {
        let team = EntityName::parse(&input.team).parsed()?;
        let user = EntityName::parse(&input.user).parsed()?;
        let row = ctx.service()?.set_team_member(ctx.request()?, &team, &user, input.role.into()).await.fail()?;
        ctx.forget()?;
        Ok(TeamMemberSetPayload { team: Team(row) })
    }

    /// Removes a user from a team. For admins of the team, of its organization and of the site.
    async fn team_member_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team and the user.")] input: TeamMemberRemoveInput,
    ) -> Result<TeamMemberRemovePayload> {
        let team = EntityName::parse(&input.team).parsed()?;
        let user = EntityName::parse(&input.user).parsed()?;
        let row = ctx.service()?.remove_team_member(ctx.request()?, &team, &user).await.fail()?;
        ctx.forget()?;
        Ok(TeamMemberRemovePayload { team: Team(row) })
    }
}
