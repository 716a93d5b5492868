//! Service accounts. What must not live here: further keys of theirs (`api_key`), their memberships, their end (`user`).

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::names::{DisplayName, EntityName};
use regalia_service::accounts::NewKey;

use super::api_key::ApiKey;
use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::shared::User;

/// A new service account.
#[derive(InputObject)]
pub struct ServiceAccountCreateInput {
    /// Name of the team that it belongs to.
    team: String,
    /// Name: 1 to 128 letters, digits, `_`, `.` or `-`, beginning with a letter or digit, and not that of another user,
    /// team or organization.
    name: String,
    /// What people call it, 1 to 128 characters; the name, if not given.
    display_name: Option<String>,
    /// What its first API key is called in lists, at most 128 characters.
    #[graphql(default)]
    key_name: String,
    /// From when on that key opens nothing. If this isn't given, it doesn't expire, or together with the API key that you come with:
    /// no key outlives the one that made it.
    key_expires_at: Option<DateTime<Utc>>,
    /// Your own password. Needed if you are signed in with a browser; who comes with an API key needs none.
    current_password: Option<String>,
}

/// The service account that was made.
#[derive(SimpleObject)]
pub struct ServiceAccountCreatePayload {
    /// The service account: a member of the team and its organization, whose runs go to the team.
    user: User,
    /// The entry of its first API key in the list.
    api_key: ApiKey,
    /// That key itself. This is the only time that it is shown.
    secret: String,
}

/// Makes service accounts.
#[derive(Default)]
pub struct ServiceAccountMutation;

#[Object]
impl ServiceAccountMutation {
    /// Makes a service account of a team: a user without a password, for machines. For admins of the team, of its organization
    /// and of the site.
    async fn service_account_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new service account.")] input: ServiceAccountCreateInput,
    ) -> Result<ServiceAccountCreatePayload> {
        let team = EntityName::parse(&input.team).parsed()?;
        let name = EntityName::parse(&input.name).parsed()?;
        let display_name = input.display_name.as_deref().map(DisplayName::parse).transpose().parsed()?;
        let password = input.current_password.as_deref();
        let key = NewKey { label: &input.key_name, expires_at: input.key_expires_at, password };
        let (user, row, secret) =
            ctx.service()?.create_service_account(ctx.request()?, &team, &name, display_name.as_ref(), key).await.fail()?;
        ctx.forget()?;
        Ok(ServiceAccountCreatePayload { user: user.into(), api_key: row.into(), secret: secret.reveal().to_owned() })
    }
}
