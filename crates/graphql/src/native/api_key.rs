//! API keys. What must not live here: a key in clear, but for the one answer that shows a new one.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::ApiKeyId;
use regalia_domain::keys;
use regalia_service::accounts::NewKey;
use regalia_service::store::accounts::KeyRow;

use super::user::who;
use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};

/// An API key, as far as it can be shown again.
#[derive(Debug, Clone)]
pub struct ApiKey {
    row: KeyRow,
    /// The key itself, in the one answer of the W&B protocol that shows a new one under `name`.
    shown: Option<keys::ApiKey>,
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        Self { row, shown: None }
    }
}

impl ApiKey {
    /// A key that was just made, whose `name` is the key itself: the W&B protocol's clients read it there.
    #[must_use]
    pub fn shown(row: KeyRow, key: keys::ApiKey) -> Self {
        Self { row, shown: Some(key) }
    }
}

/// A key that stands for a user. The key itself is shown once, where it is made.
#[Object]
impl ApiKey {
    /// Opaque id; revokes the key.
    async fn id(&self) -> ID {
        crate::ids::id("ApiKey", self.row.id.0)
    }

    /// What its owner calls it.
    async fn name(&self) -> &str {
        self.shown.as_ref().map_or(&self.row.name, keys::ApiKey::reveal)
    }

    /// The same text as `name`.
    async fn description(&self) -> &str {
        &self.row.name
    }

    /// When it was made or imported.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    /// When it was last used, at most five minutes behind; null if never.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.row.last_used_at
    }

    /// From when on it opens nothing; null if it doesn't expire.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.row.expires_at
    }
}

/// A new API key.
#[derive(InputObject)]
pub struct ApiKeyCreateInput {
    /// Name of the user whom the key stands for; you, if not given.
    user: Option<String>,
    /// What the key is called in lists, at most 128 characters.
    #[graphql(default)]
    name: String,
    /// From when on the key opens nothing. If this isn't given, it doesn't expire, or together with the API key that you come with:
    /// no key outlives the one that made it.
    expires_at: Option<DateTime<Utc>>,
    /// Your own password. Needed if you are signed in with a browser; who comes with an API key needs none.
    current_password: Option<String>,
}

/// The API key that was made.
#[derive(SimpleObject)]
pub struct ApiKeyCreatePayload {
    /// The key's entry in the list.
    api_key: ApiKey,
    /// The key itself. This is the only time that it is shown.
    secret: String,
}

/// An API key that clients have already.
#[derive(InputObject)]
pub struct ApiKeyImportInput {
    /// Name of the user whom the key stands for; you, if not given.
    user: Option<String>,
    /// What the key is called in lists, at most 128 characters.
    #[graphql(default)]
    name: String,
    /// From when on the key opens nothing. If this isn't given, it doesn't expire, or together with the API key that you come with:
    /// no key outlives the one that made it.
    expires_at: Option<DateTime<Utc>>,
    /// Your own password. Needed if you are signed in with a browser; who comes with an API key needs none.
    current_password: Option<String>,
    /// The key: 40 letters, digits or underscores, optionally after a prefix and a `-`.
    secret: String,
}

/// The API key that was imported.
#[derive(SimpleObject)]
pub struct ApiKeyImportPayload {
    /// The key's entry in the list.
    api_key: ApiKey,
}

/// The API key to revoke.
#[derive(InputObject)]
pub struct ApiKeyRevokeInput {
    /// The key's id.
    id: ID,
}

/// The API key that was revoked.
#[derive(SimpleObject)]
pub struct ApiKeyRevokePayload {
    /// The key's id.
    id: ID,
}

/// Makes, imports and revokes API keys.
#[derive(Default)]
pub struct ApiKeyMutation;

#[Object]
impl ApiKeyMutation {
    /// Makes an API key. For the user whom it stands for and site administrators; a service account's also for admins of its
    /// team.
    async fn api_key_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new key.")] input: ApiKeyCreateInput,
    ) -> Result<ApiKeyCreatePayload> {
        let user = who(ctx, input.user.as_deref())?;
        let new = NewKey { label: &input.name, expires_at: input.expires_at, password: input.current_password.as_deref() };
        let (row, key) = ctx.service()?.create_key(ctx.request()?, &user, new).await.fail()?;
        ctx.forget()?;
        Ok(ApiKeyCreatePayload { api_key: row.into(), secret: key.reveal().to_owned() })
    }

    /// Lets a key that clients have already stand for a user, so that machines that are configured with it keep working.
    /// For the user and site administrators.
    async fn api_key_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: ApiKeyImportInput,
    ) -> Result<ApiKeyImportPayload> {
        let user = who(ctx, input.user.as_deref())?;
        let key = keys::ApiKey::parse(&input.secret).parsed()?;
        let new = NewKey { label: &input.name, expires_at: input.expires_at, password: input.current_password.as_deref() };
        let row = ctx.service()?.import_key(ctx.request()?, &user, new, &key).await.fail()?;
        ctx.forget()?;
        Ok(ApiKeyImportPayload { api_key: row.into() })
    }

    /// Revokes an API key at once and for ever. For the user whom it stands for and site administrators; a service account's
    /// also for admins of its team.
    async fn api_key_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key to revoke.")] input: ApiKeyRevokeInput,
    ) -> Result<ApiKeyRevokePayload> {
        let key = ApiKeyId(crate::ids::number(&["ApiKey"], &input.id)?);
        ctx.service()?.revoke_key(ctx.request()?, key).await.fail()?;
        ctx.forget()?;
        Ok(ApiKeyRevokePayload { id: input.id })
    }
}
