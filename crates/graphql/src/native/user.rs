//! Users: their fields, the queries that find them, the mutations that make, change and delete them. What must not live
//! here: API keys, and what the W&B protocol calls a user's fields.

use async_graphql::connection::{Connection, EmptyFields, OpaqueCursor};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::UserId;
use regalia_domain::names::{DisplayName, EntityName};
use regalia_domain::passwords::Password;
use regalia_service::profiles::Profile;
use regalia_service::store::accounts::UserRow;

use super::api_key::ApiKey;
use super::keys::{UserKeys, UserOrganizations, UserSessions, UserTeams};
use super::session::Session;
use super::team::Team;
use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _, Parsed as _};
use crate::loaders::{EntityKey, UserSeen};
use crate::paging::{connection, numbered, page, probe};
use crate::shared::{Organization, User};

/// A list of people's things, page by page.
pub(crate) type Paged<T> = Connection<OpaqueCursor<String>, T, EmptyFields, EmptyFields>;

/// How many keys, sessions and teams of a user are listed when a client doesn't say. The SDK never does, and takes what it gets
/// for all.
const MANY: i32 = 50;

/// The same of users.
const MOST: i32 = 200;

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

    /// What people call this user; the name, unless something else was set.
    async fn display_name(&self) -> &str {
        self.0.display_name.as_deref().unwrap_or(&self.0.name)
    }

    /// Email address, if one was given. Null when you share no organization with this user.
    async fn email(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        let caller = ctx.caller()?;
        // A registry shows its members' names also to those who don't see the accounts.
        let seen = caller.site_admin || caller.user == self.0.id || ctx.row(UserSeen(self.0.id.0)).await?.is_some();
        Ok(self.0.email.as_deref().filter(|_| seen))
    }

    /// Whether this user manages all accounts and organizations. It gives no access to anybody's content.
    async fn site_admin(&self) -> bool {
        self.0.site_admin
    }

    /// Whether this is a machine's account. It belongs to a team, has no password and is used by its API keys.
    async fn service_account(&self) -> bool {
        self.0.service_account
    }

    /// Whether this user can sign in with a password; null of another user, unless you are a site administrator.
    async fn has_password(&self, ctx: &Context<'_>) -> Result<Option<bool>> {
        let caller = ctx.caller()?;
        Ok((caller.site_admin || caller.user == self.0.id).then_some(self.0.has_password))
    }

    /// Name of the user or team to which runs go that name no entity; null of another person, unless you are a site
    /// administrator.
    async fn default_entity(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        let caller = ctx.caller()?;
        let shown = caller.site_admin || caller.user == self.0.id || self.0.service_account;
        Ok(shown.then_some(self.0.default_entity.as_str()))
    }

    /// When the account was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The organizations that this user and you are both in, by name; a site administrator sees all of the user's.
    async fn organizations(&self, ctx: &Context<'_>) -> Result<Vec<Organization>> {
        let rows = ctx.counted(ctx.page(UserOrganizations(self.0.id)).await?)?;
        Ok(rows.into_iter().map(Organization::from).collect())
    }

    /// The teams that this user is in, as far as you see them, by name.
    async fn teams(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many teams, at most 1000.", default_with = "Some(MANY)")] first: Option<i32>,
        #[graphql(desc = "Teams after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<Team>> {
        let page = page(first, after.as_deref())?;
        let rows = ctx.counted(ctx.page(UserTeams::new(self.0.id.0, &probe(&page))).await?)?;
        Ok(connection(&page, rows, |row| row.name.clone(), Team))
    }

    /// The API keys of this user, oldest first, without the keys themselves. Null unless this is you, or a service account of a
    /// team that you manage, or you are a site administrator.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many keys, at most 1000.", default_with = "Some(MANY)")] first: Option<i32>,
        #[graphql(desc = "Keys after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Option<Paged<ApiKey>>> {
        let caller = ctx.caller()?;
        let own = caller.site_admin || caller.user == self.0.id;
        let shown = own || self.0.service_account && ctx.row(EntityKey(self.0.id.0)).await?.is_some_and(|row| row.manages);
        if !shown {
            return Ok(None);
        }
        let page = numbered(first, after.as_deref())?;
        let rows = ctx.counted(ctx.page(UserKeys::new(self.0.id.0, &probe(&page))).await?)?;
        Ok(Some(connection(&page, rows, |row| row.id.to_string(), ApiKey::from)))
    }

    /// The browsers that are signed in as this user, newest first. Null unless this is you.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many sessions, at most 1000.", default_with = "Some(MANY)")] first: Option<i32>,
        #[graphql(desc = "Sessions after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Option<Paged<Session>>> {
        if ctx.caller()?.user != self.0.id {
            return Ok(None);
        }
        let page = page(first, after.as_deref())?;
        let rows = ctx.page(UserSessions::new(self.0.id.0, &probe(&page))).await?;
        Ok(Some(connection(&page, rows, |row| row.id.to_string(), Session)))
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
    /// Who you are.
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
    /// administrator. With a `query`, whoever is called exactly so or has that address comes first.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only users whose name or email address contains this, ignoring case.")] query: Option<String>,
        #[graphql(desc = "How many users, at most 1000.", default_with = "Some(MOST)")] first: Option<i32>,
        #[graphql(desc = "Users after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<User>> {
        let page = page(first, after.as_deref())?;
        let (service, caller) = (ctx.service()?, ctx.caller()?);
        match query.filter(|query| !query.is_empty()) {
            Some(query) => {
                let rows = service.find_users(caller, &query, &probe(&page)).await.fail()?;
                Ok(connection(&page, rows, |row| row.found_at(&query), User::from))
            }
            None => {
                let rows = service.users(caller, &probe(&page)).await.fail()?;
                Ok(connection(&page, rows, |row| row.name.clone(), User::from))
            }
        }
    }
}

/// A new account.
#[derive(InputObject)]
pub struct UserCreateInput {
    /// Name: 1 to 128 letters, digits, `_`, `.` or `-`, beginning with a letter or digit, and not that of another user,
    /// team or organization.
    name: String,
    /// Email address, by which the user can also sign in; not that of another user.
    email: Option<String>,
    /// Whether the user manages all accounts and organizations.
    #[graphql(default)]
    site_admin: bool,
    /// Your own password, needed for a site administrator when you are signed in with a browser.
    current_password: Option<String>,
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
    /// For site administrators: deletes also all that the user holds, for ever, and whatever is linked under protected aliases.
    #[graphql(default)]
    force: bool,
}

/// The account that was deleted.
#[derive(SimpleObject)]
pub struct UserDeletePayload {
    /// The name, which is free again.
    name: String,
}

/// What to change of an account; what isn't given stays.
#[derive(InputObject)]
pub struct UserUpdateInput {
    /// Name of the user; you, if not given.
    user: Option<String>,
    /// What people call the user, 1 to 128 characters; null: the name.
    display_name: MaybeUndefined<String>,
    /// Email address, for site administrators to set, because accounts are found by it; null takes it away.
    email: MaybeUndefined<String>,
    /// Where runs go that name no entity: the user's own name, or that of a team that the user is in.
    default_entity: Option<String>,
}

/// The account that was changed.
#[derive(SimpleObject)]
pub struct UserUpdatePayload {
    /// The user.
    user: User,
}

/// A new password.
#[derive(InputObject)]
pub struct UserSetPasswordInput {
    /// Name of the user; you, if not given.
    user: Option<String>,
    /// The password until now. Needed for your own if you have one, unless you are a site administrator with an API key.
    old_password: Option<String>,
    /// Your own password, needed to reset another user's when you are signed in with a browser.
    current_password: Option<String>,
    /// The new password, 12 to 256 characters of any kind.
    new_password: String,
}

/// The account whose password was set.
#[derive(SimpleObject)]
pub struct UserSetPasswordPayload {
    /// The user. All sessions but the one that asked have ended.
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
        let (email, password) = (input.email.as_deref(), input.current_password.as_deref());
        let row = ctx.service()?.create_user(ctx.request()?, &name, email, input.site_admin, password).await.fail()?;
        ctx.forget()?;
        Ok(UserCreatePayload { user: row.into() })
    }

    /// Changes an account. For the user and site administrators.
    async fn user_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user and what to change.")] input: UserUpdateInput,
    ) -> Result<UserUpdatePayload> {
        let user = who(ctx, input.user.as_deref())?;
        let profile = Profile {
            display_name: match input.display_name {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(name) => Some(Some(DisplayName::parse(&name).parsed()?)),
            },
            email: match input.email {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(email) => Some(Some(email)),
            },
            default_entity: input.default_entity.as_deref().map(EntityName::parse).transpose().parsed()?,
        };
        let row = ctx.service()?.update_user(ctx.request()?, &user, &profile).await.fail()?;
        ctx.forget()?;
        Ok(UserUpdatePayload { user: row.into() })
    }

    /// Sets a password for signing in with a browser, and ends the user's other sessions. For the user, who has to know the
    /// old one, and site administrators. API keys stay as they are.
    async fn user_set_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user and the password.")] input: UserSetPasswordInput,
    ) -> Result<UserSetPasswordPayload> {
        let user = who(ctx, input.user.as_deref())?;
        let new = Password::parse(&input.new_password).parsed()?;
        let (old, current) = (input.old_password.as_deref(), input.current_password.as_deref());
        let row = ctx.service()?.set_password(ctx.request()?, &user, old, current, &new).await.fail()?;
        ctx.forget()?;
        Ok(UserSetPasswordPayload { user: row.into() })
    }

    /// Deletes an account with its API keys and memberships. For site administrators; a service account also for admins of
    /// its team. Refused while the user owns projects or files, but by `force`.
    async fn user_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account to delete.")] input: UserDeleteInput,
    ) -> Result<UserDeletePayload> {
        let name = EntityName::parse(&input.name).parsed()?;
        let row = ctx.service()?.delete_user(ctx.request()?, &name, input.force).await.fail()?;
        ctx.forget()?;
        Ok(UserDeletePayload { name: row.name })
    }
}

/// The user of a name; who asks, if none is given.
pub(super) fn who(ctx: &Context<'_>, name: Option<&str>) -> Result<EntityName> {
    let name = match name {
        Some(name) => name,
        None => &ctx.caller()?.name,
    };
    EntityName::parse(name).parsed()
}
