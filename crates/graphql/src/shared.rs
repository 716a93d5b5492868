//! The types that mean the same on both sides: two joined from each side's half, and API keys.

use async_graphql::MergedObject;
use regalia_service::store::accounts::UserRow;
use regalia_service::store::organizations::OrganizationRow;

pub use crate::native::api_key::ApiKey;
use crate::native::organization::NativeOrganization;
use crate::native::user::NativeUser;
use crate::wandb::entity::{WandbOrganization, WandbUser};

/// A person or a service account.
#[derive(MergedObject)]
#[graphql(name = "User")]
pub struct User(NativeUser, WandbUser);

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self(NativeUser(row.clone()), WandbUser(row))
    }
}

/// The owner of teams and registries.
#[derive(MergedObject)]
#[graphql(name = "Organization")]
pub struct Organization(
    NativeOrganization,
    crate::native::registry::OrganizationRegistries,
    crate::native::history::OrganizationHistory,
    WandbOrganization,
);

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self(
            NativeOrganization(row.clone()),
            crate::native::registry::OrganizationRegistries(row.clone()),
            crate::native::history::OrganizationHistory(row.clone()),
            WandbOrganization(row),
        )
    }
}
