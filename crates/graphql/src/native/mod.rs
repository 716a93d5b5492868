//! Regalia's own side of the schema, designed for a person in GraphiQL: nouns first, one input object for each mutation, a
//! stable `extensions.code` on errors. Evolves by deprecation. What must not live here: anything of the W&B protocol.

pub mod api_key;
pub mod collection;
pub mod history;
pub mod keys;
pub mod lineage;
pub mod lists;
pub mod organization;
pub mod registry;
pub mod registry_member;
pub mod run;
pub mod service_account;
pub mod session;
pub mod team;
pub mod user;
pub mod version;

use async_graphql::MergedObject;

/// Regalia's own reads.
#[derive(MergedObject, Default)]
pub struct NativeQuery(
    user::UserQuery,
    organization::OrganizationQuery,
    team::TeamQuery,
    registry::RegistryQuery,
    version::VersionQuery,
    history::HistoryQuery,
    lineage::LineageQuery,
    run::RunQuery,
);

/// Regalia's own writes.
#[derive(MergedObject, Default)]
pub struct NativeMutation(
    user::UserMutation,
    api_key::ApiKeyMutation,
    session::SessionMutation,
    service_account::ServiceAccountMutation,
    organization::OrganizationMutation,
    team::TeamMutation,
    registry::RegistryMutation,
    registry_member::RegistryMemberMutation,
    version::VersionMutation,
    collection::CollectionMutation,
    history::HistoryMutation,
);
