//! Users: their fields, the queries that find them, the mutations that make, change and delete them. What must not live
//! here: API keys, and what the W&B protocol calls a user's fields.

use async_graphql::connection::{Connection, EmptyFields, OpaqueCursor};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::UserId;
use regalia_domain::names::EntityName;
use regalia_service::store::accounts::UserRow;

use super::api_key::ApiKey;
use super::keys::{UserKeys, UserOrganizations, UserTeams};
use super::team::Team;
use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _, Parsed as _};
use crate::paging::{connection, page, probe};
use crate::shared::{Organization, User};

/// A list of people's things, page by page.
pub(crate) type Paged<T> = Connection<OpaqueCursor<String>, T, EmptyFields, EmptyFields>;

/// Regalia's own fields of a user.
#[derive(Debug, Clone)]
pub struct NativeUser(pub UserRow);

#[Object]
impl NativeUser {
    /// Opaque id.
    async fn id(&self) -> ID {
        crate::ids::id("User", self.0.id.0)
    }

    /// Name, unique among users, teams and organizations.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Email address, if one was given.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Whether this user manages all accounts and organizations. It gives no access to anybody's content.
    async fn site_admin(&self) -> bool {
        self.0.site_admin
    }

    /// Whether this is a machine's account.
    async fn service_account(&self) -> bool {
        self.0.service_account
    }

    /// Name of the user or team to which runs go that name no entity; null of another user, unless you are a site
    /// administrator.
    async fn default_entity(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        let caller = ctx.caller()?;
        Ok((caller.site_admin || caller.user == self.0.id).then_some(self.0.default_entity.as_str()))
    }

    /// When the account was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The organizations that this user and you are both in, by name; a site administrator sees all of the user's.
    async fn organizations(&self, ctx: &Context<'_>) -> Result<Vec<Organization>> {
        let rows = ctx.page(UserOrganizations(self.0.id)).await?;
        Ok(rows.into_iter().map(Organization::from).collect())
    }

    /// The teams that this user is in, as far as you see them, by name.
    async fn teams(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many teams, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Teams after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<Team>> {
        let page = page(first, after.as_deref())?;
        let rows = ctx.page(UserTeams::new(self.0.id.0, &probe(&page))).await?;
        Ok(connection(&page, rows, |row| row.name.clone(), Team))
    }

    /// The API keys of this user, oldest first, without the keys themselves. Null unless this is you or you are a site
    /// administrator.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many keys, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Keys after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Option<Paged<ApiKey>>> {
        let caller = ctx.caller()?;
        if !caller.site_admin && caller.user != self.0.id {
            return Ok(None);
        }
        let page = page(first, after.as_deref())?;
        let rows = ctx.page(UserKeys::new(self.0.id.0, &probe(&page))).await?;
        Ok(Some(connection(&page, rows, |row| row.id.to_string(), ApiKey)))
    }
}

/// Loads a user whom a row names.
pub(crate) async fn user(ctx: &Context<'_>, id: UserId) -> Result<User> {
    let row: UserRow =
        ctx.row(id).await?.ok_or_else(|| regalia_service::Error::NotFound("The user has just been deleted.".into())).fail()?;
    Ok(row.into())
}

/// Finds users.
#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// Who you are; null for a request without an API key.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match &ctx.request()?.caller {
            Some(caller) => Ok(ctx.row(caller.user).await?.map(|row: UserRow| row.into())),
            None => Ok(None),
        }
    }

    /// A user by name: yourself, somebody who shares an organization with you, or anybody for a site administrator. Null
    /// if there is none.
    async fn user(&self, ctx: &Context<'_>, #[graphql(desc = "The user's name.")] name: String) -> Result<Option<User>> {
        Ok(ctx.service()?.user(ctx.caller()?, &name).await.or_null()?.map(User::from))
    }

    /// The users that you see, by name: yourself and those who share an organization with you, or everybody for a site
    /// administrator.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only users whose name or email address contains this, ignoring case.")] query: Option<String>,
        #[graphql(desc = "How many users, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Users after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<User>> {
        let page = page(first, after.as_deref())?;
        let rows = ctx.service()?.users(ctx.caller()?, query.as_deref().unwrap_or(""), &probe(&page)).await.fail()?;
        Ok(connection(&page, rows, |row| row.name.clone(), User::from))
    }
}

/// A new account.
#[derive(InputObject)]
pub struct UserCreateInput {
    /// Name: 1 to 128 letters, digits, `_`, `.` or `-`, beginning with a letter or digit, and not that of another user,
    /// team or organization.
    name: String,
    /// Email address, only shown.
    email: Option<String>,
    /// Whether the user manages all accounts and organizations.
    #[graphql(default)]
    site_admin: bool,
}

/// The account that was made.
#[derive(SimpleObject)]
pub struct UserCreatePayload {
    /// The new user. Make an API key for him with `apiKeyCreate`.
    user: User,
}

/// The account to delete.
#[derive(InputObject)]
pub struct UserDeleteInput {
    /// The user's name.
    name: String,
}

/// The account that was deleted.
#[derive(SimpleObject)]
pub struct UserDeletePayload {
    /// The name, which is free again.
    name: String,
}

/// Where a user's runs go that name no entity.
#[derive(InputObject)]
pub struct UserSetDefaultEntityInput {
    /// The user's name.
    user: String,
    /// The user's own name, or that of a team that the user is in.
    entity: String,
}

/// The account that was changed.
#[derive(SimpleObject)]
pub struct UserSetDefaultEntityPayload {
    /// The user.
    user: User,
}

/// Makes, changes and deletes accounts.
#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Makes an account. For site administrators.
    async fn user_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new account.")] input: UserCreateInput,
    ) -> Result<UserCreatePayload> {
        let name = EntityName::parse(&input.name).parsed()?;
        let row = ctx.service()?.create_user(ctx.request()?, &name, input.email.as_deref(), input.site_admin).await.fail()?;
        ctx.forget()?;
        Ok(UserCreatePayload { user: row.into() })
    }

    /// Deletes an account with its API keys and memberships. For site administrators. Refused while the user owns projects
    /// or files.
    async fn user_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account to delete.")] input: UserDeleteInput,
    ) -> Result<UserDeletePayload> {
        let name = EntityName::parse(&input.name).parsed()?;
        let row = ctx.service()?.delete_user(ctx.request()?, &name).await.fail()?;
        ctx.forget()?;
        Ok(UserDeletePayload { name: row.name })
    }

    /// Sets where a user's runs go that name no entity. For the user and site administrators.
    async fn user_set_default_entity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user and the entity.")] input: UserSetDefaultEntityInput,
    ) -> Result<UserSetDefaultEntityPayload> {
        let user = EntityName::parse(&input.user).parsed()?;
        let entity = EntityName::parse(&input.entity).parsed()?;
        let row = ctx.service()?.set_default_entity(ctx.request()?, &user, &entity).await.fail()?;
        ctx.forget()?;
        Ok(UserSetDefaultEntityPayload { user: row.into() })
    }
}
