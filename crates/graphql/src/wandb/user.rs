//! Accounts and their keys on the wire. What must not live here: the fields of a user (`entity`), teams.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use regalia_domain::ids::ApiKeyId;
use regalia_domain::names::EntityName;
use regalia_service::accounts::NewKey;
use regalia_service::profiles::Profile;

use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::shared::{ApiKey, User};

/// W&B protocol: a new account.
#[derive(InputObject)]
pub struct CreateUserInput {
    /// W&B protocol: its address; its name is made of the part before the `@`.
    email: String,
    /// W&B protocol: whether it manages the site.
    admin: Option<bool>,
}

/// W&B protocol: the account that was made.
#[derive(SimpleObject)]
pub struct CreateUserPayload {
    /// W&B protocol: the user.
    user: User,
}

/// W&B protocol: what to change of the caller's account.
#[derive(InputObject)]
pub struct UpdateUserInput {
    /// W&B protocol: where his runs go that name no entity; null is no change.
    default_entity: Option<String>,
}

/// W&B protocol: the account that was changed.
#[derive(SimpleObject)]
pub struct UpdateUserPayload {
    /// W&B protocol: the user.
    user: User,
}

/// W&B protocol: a new key of the caller.
#[derive(InputObject)]
pub struct GenerateApiKeyInput {
    /// W&B protocol: what it is called in lists.
    description: Option<String>,
}

/// W&B protocol: the key that was made.
#[derive(SimpleObject)]
pub struct GenerateApiKeyPayload {
    /// W&B protocol: the key; here alone `name` is the key itself.
    api_key: ApiKey,
}

/// W&B protocol: the key to revoke.
#[derive(InputObject)]
pub struct DeleteApiKeyInput {
    /// W&B protocol: its id.
    id: String,
}

/// W&B protocol: that it was revoked.
#[derive(SimpleObject)]
pub struct DeleteApiKeyPayload {
    /// W&B protocol: true.
    success: bool,
}

/// The W&B protocol's writes to accounts.
#[derive(Default)]
pub struct UserMutation;

/// W&B protocol writes to accounts.
#[Object(name = "WandbUserMutation")]
impl UserMutation {
    /// W&B protocol: makes an account. For site administrators.
    async fn create_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the new account.")] input: CreateUserInput,
    ) -> async_graphql::Result<CreateUserPayload> {
        let admin = input.admin == Some(true);
        let row = context.service()?.create_user_of(context.request()?, &input.email, admin).await.fail()?;
        context.forget()?;
        Ok(CreateUserPayload { user: row.into() })
    }

    /// W&B protocol: changes the caller's account.
    async fn update_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: what to change.")] input: UpdateUserInput,
    ) -> async_graphql::Result<UpdateUserPayload> {
        let user = EntityName::parse(&context.caller()?.name).parsed()?;
        let default_entity = input.default_entity.as_deref().map(EntityName::parse).transpose().parsed()?;
        let profile = Profile { default_entity, ..Profile::default() };
        let row = context.service()?.update_user(context.request()?, &user, &profile).await.fail()?;
        context.forget()?;
        Ok(UpdateUserPayload { user: row.into() })
    }

    /// W&B protocol: makes a key of the caller and shows it, this once. It expires with the key that the caller came with.
    async fn generate_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the new key.")] input: GenerateApiKeyInput,
    ) -> async_graphql::Result<GenerateApiKeyPayload> {
        let user = EntityName::parse(&context.caller()?.name).parsed()?;
        let label = input.description.unwrap_or_default();
        let new = NewKey { label: &label, ..NewKey::default() };
        let (row, key) = context.service()?.create_key(context.request()?, &user, new).await.fail()?;
        context.forget()?;
        Ok(GenerateApiKeyPayload { api_key: ApiKey::shown(row, key) })
    }

    /// W&B protocol: revokes a key of the caller at once; a site administrator anybody's.
    async fn delete_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the key.")] input: DeleteApiKeyInput,
    ) -> async_graphql::Result<DeleteApiKeyPayload> {
        let key = ApiKeyId(ids::number(&["ApiKey"], &input.id)?);
        context.service()?.revoke_key(context.request()?, key).await.fail()?;
        context.forget()?;
        Ok(DeleteApiKeyPayload { success: true })
    }
}
