//! Teams on the wire: their members, and the mutations that make teams and change who is in them. What must not live here: what
//! else is told of an entity.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::UserId;
use regalia_domain::names::{DisplayName, EntityName};
use regalia_domain::roles::TeamRole;
use regalia_service::Error;
use regalia_service::store::accounts::UserRow;
use regalia_service::store::teams::BelongingRow;

use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::shared::User;
use crate::wandb::entity::Entity;
use crate::wandb::named_or_default;

/// W&B protocol: somebody who belongs to a team or an organization.
pub struct Member(pub BelongingRow);

/// W&B protocol: somebody who belongs to a team or an organization.
#[Object]
impl Member {
    /// W&B protocol: opaque id; removes him with `deleteInvite`.
    async fn id(&self) -> ID {
        ids::id("Member", self.0.user_id.0)
    }

    /// W&B protocol: whether he manages the members.
    async fn admin(&self) -> bool {
        self.0.role == TeamRole::Admin.as_str()
    }

    /// W&B protocol: always false: whoever is added is in at once.
    async fn pending(&self) -> bool {
        false
    }

    /// W&B protocol: email address, if one was given.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// W&B protocol: the user's name.
    async fn username(&self) -> &str {
        &self.0.user_name
    }

    /// W&B protocol: what people call him.
    async fn name(&self) -> &str {
        self.0.display_name.as_deref().unwrap_or(&self.0.user_name)
    }

    /// W&B protocol: always null: there are no pictures.
    async fn photo_url(&self) -> Option<&str> {
        None
    }

    /// W&B protocol: `SERVICE` of a service account, else `MEMBER`.
    async fn account_type(&self) -> &str {
        if self.0.service_account { "SERVICE" } else { "MEMBER" }
    }

    /// W&B protocol: always null, for everybody (rule 46).
    async fn api_key(&self) -> Option<&str> {
        None
    }

    /// W&B protocol: `member` or `admin`; in an organization also `viewer`.
    async fn role(&self) -> &str {
        &self.0.role
    }
}

/// W&B protocol: a new team.
#[derive(InputObject)]
pub struct CreateTeamInput {
    /// W&B protocol: its name.
    team_name: String,
    /// W&B protocol: name of its first admin; the caller if absent.
    team_admin_user_name: Option<String>,
}

/// W&B protocol: the team that was made.
#[derive(SimpleObject)]
pub struct CreateTeamPayload {
    /// W&B protocol: the team.
    entity: Entity,
}

/// W&B protocol: whom to add to a team, by one of the two.
#[derive(InputObject)]
pub struct CreateInviteInput {
    /// W&B protocol: the team.
    entity_name: String,
    /// W&B protocol: his address.
    email: Option<String>,
    /// W&B protocol: his name.
    username: Option<String>,
    /// W&B protocol: whether he shall manage the team.
    admin: Option<bool>,
}

/// W&B protocol: who was added.
pub struct Invite {
    user: UserRow,
    at: DateTime<Utc>,
}

/// W&B protocol: an addition to a team, which needs no answer.
#[Object]
impl Invite {
    /// W&B protocol: the id that the member has.
    async fn id(&self) -> ID {
        ids::id("Member", self.user.id.0)
    }

    /// W&B protocol: his name.
    async fn name(&self) -> &str {
        &self.user.name
    }

    /// W&B protocol: his address, if one was given.
    async fn email(&self) -> Option<&str> {
        self.user.email.as_deref()
    }

    /// W&B protocol: when he was added.
    async fn created_at(&self) -> DateTime<Utc> {
        self.at
    }

    /// W&B protocol: who he is.
    async fn to_user(&self) -> User {
        self.user.clone().into()
    }
}

/// W&B protocol: who was added.
#[derive(SimpleObject)]
pub struct CreateInvitePayload {
    /// W&B protocol: the addition.
    invite: Invite,
}

/// W&B protocol: whom to remove.
#[derive(InputObject)]
pub struct DeleteInviteInput {
    /// W&B protocol: the member's id.
    id: Option<String>,
    /// W&B protocol: the team; the caller's default entity if absent.
    entity_name: Option<String>,
}

/// W&B protocol: that he was removed.
#[derive(SimpleObject)]
pub struct DeleteInvitePayload {
    /// W&B protocol: true.
    success: bool,
}

/// W&B protocol: a new service account.
#[derive(InputObject)]
pub struct CreateServiceAccountInput {
    /// W&B protocol: the team.
    entity_name: String,
    /// W&B protocol: what people call it; its name is made of this.
    description: String,
}

/// W&B protocol: the service account that was made.
#[derive(SimpleObject)]
pub struct CreateServiceAccountPayload {
    /// W&B protocol: the service account.
    user: User,
}

/// The W&B protocol's writes to teams.
#[derive(Default)]
pub struct TeamMutation;

/// W&B protocol writes to teams.
#[Object(name = "WandbTeamMutation")]
impl TeamMutation {
    /// W&B protocol: makes a team in the organization that rule 23 names. For admins of the organization.
    async fn create_team(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the new team.")] input: CreateTeamInput,
    ) -> async_graphql::Result<CreateTeamPayload> {
        let (service, caller) = (context.service()?, context.caller()?);
        let name = EntityName::parse(&input.team_name).parsed()?;
        let admin = input.team_admin_user_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&caller.name);
        let admin = EntityName::parse(admin).parsed()?;
        let organization = service.default_organization(caller).await.fail()?;
        let row = service.create_team(context.request()?, &organization, &name, &admin).await.fail()?;
        context.forget()?;
        Ok(CreateTeamPayload { entity: row.into() })
    }

    /// W&B protocol: adds a colleague to a team, at once.
    async fn create_invite(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the team and whom to add.")] input: CreateInviteInput,
    ) -> async_graphql::Result<CreateInvitePayload> {
        let team = EntityName::parse(&input.entity_name).parsed()?;
        let who = match (input.username, input.email) {
            (Some(name), None) => name,
            (None, Some(email)) if email.contains('@') => email,
            _ => return Err(Error::Invalid("Say whom to add: by `username`, or by `email`.".into())).fail(),
        };
        let role = if input.admin == Some(true) { TeamRole::Admin } else { TeamRole::Member };
        let service = context.service()?;
        let (_, user) = service.invite(context.request()?, &team, &who, role).await.fail()?;
        context.forget()?;
        Ok(CreateInvitePayload { invite: Invite { user, at: service.clock.now() } })
    }

    /// W&B protocol: removes a member from a team.
    async fn delete_invite(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the team and the member.")] input: DeleteInviteInput,
    ) -> async_graphql::Result<DeleteInvitePayload> {
        let team = named_or_default(context, input.entity_name).await?;
        let team = EntityName::parse(&team).parsed()?;
        let number = ids::number(&["Member", "User"], input.id.as_deref().unwrap_or_default())?;
        let service = context.service()?;
        let found = service.users_seen(context.caller()?, &[UserId(number).0]).await.fail()?.pop();
        let user = found.ok_or_else(|| Error::NotFound(format!("There is no member of this id in the team {team}."))).fail()?;
        let user = EntityName::parse(&user.name).parsed()?;
        service.remove_team_member(context.request()?, &team, &user).await.fail()?;
        context.forget()?;
        Ok(DeleteInvitePayload { success: true })
    }

    /// W&B protocol: makes a service account of a team, without a key: a key is shown where our own schema makes it (rule 46).
    async fn create_service_account(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the team and the description.")] input: CreateServiceAccountInput,
    ) -> async_graphql::Result<CreateServiceAccountPayload> {
        let team = EntityName::parse(&input.entity_name).parsed()?;
        let description = DisplayName::parse(input.description.trim()).parsed()?;
        let row = context.service()?.create_service_account_described(context.request()?, &team, &description).await.fail()?;
        context.forget()?;
        Ok(CreateServiceAccountPayload { user: row.into() })
    }
}
