//! API keys. What must not live here: a key in clear, but for the one answer that shows a new one.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::ApiKeyId;
use regalia_domain::keys;
use regalia_domain::names::EntityName;
use regalia_service::store::accounts::KeyRow;

use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};

/// An API key, as far as it can be shown again.
#[derive(Debug, Clone)]
pub struct ApiKey(pub KeyRow);

/// A key that stands for a user. The key itself is shown once, where it is made.
#[Object]
impl ApiKey {
    /// Opaque id; revokes the key.
    async fn id(&self) -> ID {
        crate::ids::id("ApiKey", self.0.id.0)
    }

    /// What its owner calls it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The same text as `name`.
    async fn description(&self) -> &str {
        &self.0.name
    }

    /// When it was made or imported.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last used, at most five minutes behind; null if never.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_used_at
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
    /// Makes an API key. For the user whom it stands for and site administrators.
    async fn api_key_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new key.")] input: ApiKeyCreateInput,
    ) -> Result<ApiKeyCreatePayload> {
        let user = owner(ctx, input.user.as_deref())?;
        let (row, key) = ctx.service()?.create_key(ctx.request()?, &user, &input.name).await.fail()?;
        ctx.forget()?;
        Ok(ApiKeyCreatePayload { api_key: ApiKey(row), secret: key.reveal().to_owned() })
    }

    /// Lets a key that clients have already stand for a user, so that machines that are configured with it keep working.
    /// For the user and site administrators.
    async fn api_key_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: ApiKeyImportInput,
    ) -> Result<ApiKeyImportPayload> {
        let user = owner(ctx, input.user.as_deref())?;
        let key = keys::ApiKey::parse(&input.secret).parsed()?;
        let row = ctx.service()?.import_key(ctx.request()?, &user, &input.name, &key).await.fail()?;
        ctx.forget()?;
        Ok(ApiKeyImportPayload { api_key: ApiKey(row) })
    }

    /// Revokes an API key at once and for ever. For the user whom it stands for and site administrators.
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

fn owner(ctx: &Context<'_>, name: Option<&str>) -> Result<EntityName> {
    let name = match name {
        Some(name) => name,
        None => &ctx.caller()?.name,
    };
    EntityName::parse(name).parsed()
}
