//! Members of registries on the wire. What must not live here: members of teams, and the registry's own fields.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use regalia_domain::ids::ProjectId;
use regalia_domain::roles::RegistryRole;
use regalia_service::store::accounts::UserRow;
use regalia_service::store::registry_members::{MemberKind, Named, TeamMemberRow, UserMemberRow};
use regalia_service::store::teams::TeamRow;
use regalia_service::{Error, Page};

use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::loaders::UserSeen;
use crate::member_keys::{RegistryTeams, RegistryUsers, TeamKey};
use crate::wandb::entity::Entity;

/// The wire asks for all members at once; more than this is nobody's list of people.
const ALL: Page = Page { after: String::new(), first: 100_000 };

/// The users that are members of a registry, by name.
pub(crate) async fn users(context: &Context<'_>, registry: ProjectId) -> async_graphql::Result<Vec<ProjectMember>> {
    let rows = context.counted(context.page(RegistryUsers::new(registry.0, &ALL)).await?)?;
    Ok(rows.into_iter().map(ProjectMember).collect())
}

/// The teams that are members of a registry, by name.
pub(crate) async fn teams(context: &Context<'_>, registry: ProjectId) -> async_graphql::Result<Vec<ProjectTeamMember>> {
    let rows = context.counted(context.page(RegistryTeams::new(registry.0, &ALL)).await?)?;
    Ok(rows.into_iter().map(ProjectTeamMember).collect())
}

/// W&B protocol: what a member may do.
#[derive(SimpleObject)]
pub struct Role {
    /// W&B protocol: `admin`, `member`, `viewer` or `restricted_viewer`.
    name: String,
}

/// W&B protocol: a user who is a member of a registry.
pub struct ProjectMember(UserMemberRow);

impl ProjectMember {
    async fn row(&self, context: &Context<'_>) -> async_graphql::Result<Option<UserRow>> {
        context.row(UserSeen(self.0.user_id.0)).await
    }
}

/// W&B protocol: a user who is a member of a registry.
#[Object]
impl ProjectMember {
    /// W&B protocol: the user's id.
    async fn id(&self) -> ID {
        ids::id("User", self.0.user_id.0)
    }

    /// W&B protocol: the user's name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// W&B protocol: the user's name.
    async fn username(&self) -> &str {
        &self.0.name
    }

    /// W&B protocol: the user's address; null when the caller doesn't see the account.
    async fn email(&self, context: &Context<'_>) -> async_graphql::Result<Option<String>> {
        Ok(self.row(context).await?.and_then(|row| row.email))
    }

    /// W&B protocol: the direct role.
    async fn role(&self) -> Role {
        Role { name: self.0.role.clone() }
    }
}

/// W&B protocol: a team that is a member of a registry.
pub struct ProjectTeamMember(TeamMemberRow);

/// W&B protocol: a team that is a member of a registry.
#[Object]
impl ProjectTeamMember {
    /// W&B protocol: the team.
    async fn team(&self, context: &Context<'_>) -> async_graphql::Result<Entity> {
        let row: Option<TeamRow> = context.row(TeamKey(self.0.team_id.0)).await?;
        Ok(Entity::from(row.ok_or_else(|| Error::NotFound("The team has just been deleted.".into())).fail()?))
    }

    /// W&B protocol: the role that each user of the team has by it.
    async fn role(&self) -> Role {
        Role { name: self.0.role.clone() }
    }
}

/// W&B protocol: users and teams to add.
#[derive(InputObject)]
pub struct CreateProjectMembersInput {
    /// W&B protocol: the registry.
    project_id: ID,
    /// W&B protocol: teams.
    team_ids: Option<Vec<ID>>,
    /// W&B protocol: users.
    user_ids: Option<Vec<ID>>,
}

/// W&B protocol: users and teams to remove.
#[derive(InputObject)]
pub struct DeleteProjectMembersInput {
    /// W&B protocol: the registry.
    project_id: ID,
    /// W&B protocol: teams.
    team_ids: Option<Vec<ID>>,
    /// W&B protocol: users.
    user_ids: Option<Vec<ID>>,
}

/// W&B protocol: a user's new role.
#[derive(InputObject)]
pub struct UpdateProjectMemberInput {
    /// W&B protocol: the registry.
    project_id: ID,
    /// W&B protocol: the user.
    user_id: ID,
    /// W&B protocol: `admin`, `member`, `viewer` or `restricted_viewer`.
    user_project_role: String,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: a team's new role.
#[derive(InputObject)]
pub struct UpdateProjectTeamMemberInput {
    /// W&B protocol: the registry.
    project_id: ID,
    /// W&B protocol: the team.
    team_id: ID,
    /// W&B protocol: `admin`, `member`, `viewer` or `restricted_viewer`.
    team_project_role: String,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: that it was done.
#[derive(SimpleObject)]
pub struct ProjectMembersPayload {
    /// W&B protocol: always true; what fails is an error.
    success: bool,
}

const DONE: ProjectMembersPayload = ProjectMembersPayload { success: true };

fn project(id: &ID) -> async_graphql::Result<ProjectId> {
    Ok(ProjectId(ids::number(&["Project"], id)?))
}

fn user(id: &ID) -> async_graphql::Result<(MemberKind, Named)> {
    Ok((MemberKind::User, Named::Id(ids::number(&["User"], id)?, id.to_string())))
}

fn team(id: &ID) -> async_graphql::Result<(MemberKind, Named)> {
    Ok((MemberKind::Team, Named::Id(ids::number(&["Entity"], id)?, id.to_string())))
}

fn members(users: Option<Vec<ID>>, teams: Option<Vec<ID>>) -> async_graphql::Result<Vec<(MemberKind, Named)>> {
    let (users, teams) = (users.unwrap_or_default(), teams.unwrap_or_default());
    users.iter().map(user).chain(teams.iter().map(team)).collect()
}

/// The W&B protocol's writes to registries' members.
#[derive(Default)]
pub struct ProjectMemberMutation;

/// W&B protocol writes to registries' members.
#[Object]
impl ProjectMemberMutation {
    /// W&B protocol: adds users and teams to a registry, all or none; who is there stays as he is (rule 12).
    async fn create_project_members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: CreateProjectMembersInput,
    ) -> async_graphql::Result<ProjectMembersPayload> {
        let (registry, members) = (project(&input.project_id)?, members(input.user_ids, input.team_ids)?);
        context.service()?.add_registry_members(context.request()?, registry, &members).await.fail()?;
        context.forget()?;
        Ok(DONE)
    }

    /// W&B protocol: removes users and teams from a registry; who isn't there is passed over (rule 13).
    async fn delete_project_members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: DeleteProjectMembersInput,
    ) -> async_graphql::Result<ProjectMembersPayload> {
        let (registry, members) = (project(&input.project_id)?, members(input.user_ids, input.team_ids)?);
        context.service()?.remove_registry_members(context.request()?, registry, &members).await.fail()?;
        context.forget()?;
        Ok(DONE)
    }

    /// W&B protocol: gives a user who is a member of a registry another role (rules 13 and 15).
    async fn update_project_member(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: UpdateProjectMemberInput,
    ) -> async_graphql::Result<ProjectMembersPayload> {
        set(context, &input.project_id, user(&input.user_id)?, &input.user_project_role).await
    }

    /// W&B protocol: gives a team that is a member of a registry another role (rule 13).
    async fn update_project_team_member(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: UpdateProjectTeamMemberInput,
    ) -> async_graphql::Result<ProjectMembersPayload> {
        set(context, &input.project_id, team(&input.team_id)?, &input.team_project_role).await
    }
}

async fn set(
    context: &Context<'_>,
    registry: &ID,
    member: (MemberKind, Named),
    role: &str,
) -> async_graphql::Result<ProjectMembersPayload> {
    let role: RegistryRole = role.parse().parsed()?;
    context.service()?.set_registry_member(context.request()?, project(registry)?, member, role).await.fail()?;
    context.forget()?;
    Ok(DONE)
}
