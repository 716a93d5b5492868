//! Members of registries, and what somebody's role there comes from. What must not live here: the registry's own fields.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::ProjectId;
use regalia_domain::names::EntityName;
use regalia_domain::roles::RegistryRole as Role;
use regalia_service::Error;
use regalia_service::registry_members::{EffectiveAccess, Source};
use regalia_service::store::registry_members::{MemberKind, Named, TeamMemberRow, UserMemberRow};
use regalia_service::store::teams::TeamRow;

use super::registry::{Registry, RegistryRole};
use super::team::Team;
use super::user::user;
use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::member_keys::TeamKey;
use crate::shared::User;

/// A user's membership.
#[derive(Debug, Clone)]
pub struct RegistryUserMember(pub UserMemberRow);

/// A user who is a member of a registry himself, whatever teams he is in.
#[Object]
impl RegistryUserMember {
    /// The user.
    async fn user(&self, context: &Context<'_>) -> Result<User> {
        user(context, self.0.user_id).await
    }

    /// The role that the membership gives. What the user may do in the end, `effectiveAccess` tells.
    async fn role(&self) -> Result<RegistryRole> {
        let role: Role = self.0.role.parse().parsed()?;
        Ok(role.into())
    }

    /// Since when.
    async fn added_at(&self) -> DateTime<Utc> {
        self.0.added_at
    }
}

/// A team's membership.
#[derive(Debug, Clone)]
pub struct RegistryTeamMember(pub TeamMemberRow);

/// A team whose users are members of a registry.
#[Object]
impl RegistryTeamMember {
    /// The team.
    async fn team(&self, context: &Context<'_>) -> Result<Team> {
        team(context, self.0.team_id.0).await
    }

    /// The role that each user of the team has by it, whatever the user's role in the team.
    async fn role(&self) -> Result<RegistryRole> {
        let role: Role = self.0.role.parse().parsed()?;
        Ok(role.into())
    }

    /// Since when.
    async fn added_at(&self) -> DateTime<Utc> {
        self.0.added_at
    }
}

async fn team(context: &Context<'_>, id: i64) -> Result<Team> {
    let row: Option<TeamRow> = context.row(TeamKey(id)).await?;
    Ok(Team(row.ok_or_else(|| Error::NotFound("The team has just been deleted.".into())).fail()?))
}

/// What gives somebody a role in a registry.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "regalia_domain::roles::RoleSource")]
pub enum RegistryAccessKind {
    /// The registry is visible to the whole organization, and the user is in it: viewer.
    OrganizationMember,
    /// A team that the user is in is a member.
    Team,
    /// The user is a member himself.
    Direct,
    /// The user is an admin of the organization: admin.
    OrganizationAdmin,
}

/// Somebody's role in a registry with where it comes from.
#[derive(Debug, Clone)]
pub struct RegistryAccess(pub EffectiveAccess);

/// What a user may do in a registry, and through what.
#[Object]
impl RegistryAccess {
    /// The user.
    async fn user(&self, context: &Context<'_>) -> Result<User> {
        user(context, self.0.user).await
    }

    /// The highest role of all sources; null when there are none, and the user doesn't see the registry.
    async fn role(&self) -> Option<RegistryRole> {
        self.0.role().map(Into::into)
    }

    /// Everything that gives the user a role, the highest role first.
    async fn sources(&self, context: &Context<'_>) -> Result<Vec<RegistryAccessSource>> {
        context.counted(self.0.sources.iter().cloned().map(RegistryAccessSource).collect())
    }
}

/// One source of a role.
#[derive(Debug, Clone)]
pub struct RegistryAccessSource(Source);

/// One thing that gives a user a role in a registry.
#[Object]
impl RegistryAccessSource {
    /// What it is.
    async fn kind(&self) -> RegistryAccessKind {
        self.0.source.into()
    }

    /// The role that it gives.
    async fn role(&self) -> RegistryRole {
        self.0.role.into()
    }

    /// The team that it goes through; null for everything but `TEAM`.
    async fn team(&self, context: &Context<'_>) -> Result<Option<Team>> {
        match self.0.team {
            Some(id) => Ok(Some(team(context, id.0).await?)),
            None => Ok(None),
        }
    }
}

/// Users and teams to add to a registry.
#[derive(Debug, InputObject)]
pub struct RegistryMemberAddInput {
    /// The registry.
    registry: ID,
    /// Names of users.
    #[graphql(default)]
    users: Vec<String>,
    /// Names of teams.
    #[graphql(default)]
    teams: Vec<String>,
}

/// The registry with its new members.
#[derive(Debug, SimpleObject)]
pub struct RegistryMemberAddPayload {
    /// The registry.
    registry: Registry,
}

/// A member and his new role.
#[derive(Debug, InputObject)]
pub struct RegistryMemberSetInput {
    /// The registry.
    registry: ID,
    /// Name of the user who is a member; give this or `team`.
    user: Option<String>,
    /// Name of the team that is a member; give this or `user`.
    team: Option<String>,
    /// The new role. A service account is member or admin.
    role: RegistryRole,
}

/// The registry with the member's new role.
#[derive(Debug, SimpleObject)]
pub struct RegistryMemberSetPayload {
    /// The registry.
    registry: Registry,
}

/// Users and teams to remove from a registry.
#[derive(Debug, InputObject)]
pub struct RegistryMemberRemoveInput {
    /// The registry.
    registry: ID,
    /// Names of users.
    #[graphql(default)]
    users: Vec<String>,
    /// Names of teams.
    #[graphql(default)]
    teams: Vec<String>,
}

/// The registry with the members that are left.
#[derive(Debug, SimpleObject)]
pub struct RegistryMemberRemovePayload {
    /// The registry; null when you saw it only as one of those who were removed.
    registry: Option<Registry>,
}

fn registry(id: &ID) -> Result<ProjectId> {
    Ok(ProjectId(ids::number(&["Registry"], id)?))
}

fn named(kind: MemberKind, name: &str) -> Result<(MemberKind, Named)> {
    Ok((kind, Named::Name(EntityName::parse(name).parsed()?.as_str().to_owned())))
}

fn all(users: &[String], teams: &[String]) -> Result<Vec<(MemberKind, Named)>> {
    let users = users.iter().map(|name| named(MemberKind::User, name));
    users.chain(teams.iter().map(|name| named(MemberKind::Team, name))).collect()
}

/// Writes to registries' members.
#[derive(Debug, Default)]
pub struct RegistryMemberMutation;

/// Writes to registries' members.
#[Object]
impl RegistryMemberMutation {
    /// Makes users and teams members of a registry: restricted viewers, whose role you then change, and service accounts
    /// members. Those who are members already stay as they are. All of them are added or none. For the registry's admins.
    async fn registry_member_add(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The registry and whom to add.")] input: RegistryMemberAddInput,
    ) -> Result<RegistryMemberAddPayload> {
        let (id, members) = (registry(&input.registry)?, all(&input.users, &input.teams)?);
        let row = context.service()?.add_registry_members(context.request()?, id, &members).await.fail()?;
        context.forget()?;
        Ok(RegistryMemberAddPayload { registry: Registry(row) })
    }

    /// Changes a member's role in a registry. For the registry's admins; the last direct admin is demoted only by an admin of
    /// the organization.
    async fn registry_member_set(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The registry, the member and the role.")] input: RegistryMemberSetInput,
    ) -> Result<RegistryMemberSetPayload> {
        let id = registry(&input.registry)?;
        let member = match (&input.user, &input.team) {
            (Some(name), None) => named(MemberKind::User, name)?,
            (None, Some(name)) => named(MemberKind::Team, name)?,
            _ => return Err(Error::Invalid("Name one member, as `user` or as `team`.".into())).fail(),
        };
        let row = context.service()?.set_registry_member(context.request()?, id, member, input.role.into()).await.fail()?;
        context.forget()?;
        Ok(RegistryMemberSetPayload { registry: Registry(row) })
    }

    /// Removes users and teams from a registry; who is no member is passed over. For the registry's admins; the last direct
    /// admin is removed only by an admin of the organization.
    async fn registry_member_remove(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The registry and whom to remove.")] input: RegistryMemberRemoveInput,
    ) -> Result<RegistryMemberRemovePayload> {
        let (id, members) = (registry(&input.registry)?, all(&input.users, &input.teams)?);
        let row = context.service()?.remove_registry_members(context.request()?, id, &members).await.fail()?;
        context.forget()?;
        Ok(RegistryMemberRemovePayload { registry: row.map(Registry) })
    }
}
