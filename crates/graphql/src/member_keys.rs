//! Keys of registries' members, which both sides of the schema show. What must not live here: who may ask (the store's
//! statements and the resolvers know).

use std::collections::HashMap;

use regalia_service::Result;
use regalia_service::registry_members::EffectiveAccess;
use regalia_service::store::registry_members::{TeamMemberRow, UserMemberRow};
use regalia_service::store::teams::TeamRow;

use crate::loaders::{Key, Source, paged, pages};

pages! {
    /// A page of the users that are members of a registry; the loader doesn't check it.
    RegistryUsers;
    /// A page of the teams that are members of a registry; the loader doesn't check it.
    RegistryTeams;
}

/// A team that a row names; the loader doesn't check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TeamKey(pub i64);

/// What a user, by name, may do in a registry and through what; the loader doesn't check whether the caller may ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccessOf(pub i64, pub String);

impl Key for RegistryUsers {
    type Value = Vec<UserMemberRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        paged(keys, |registries, page| async move {
            let rows = source.service.registry_user_members(&registries, &page).await?;
            Ok(rows.into_iter().map(|row| (row.registry_id.0, row)).collect())
        })
        .await
    }
}

impl Key for RegistryTeams {
    type Value = Vec<TeamMemberRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        paged(keys, |registries, page| async move {
            let rows = source.service.registry_team_members(&registries, &page).await?;
            Ok(rows.into_iter().map(|row| (row.registry_id.0, row)).collect())
        })
        .await
    }
}

impl Key for TeamKey {
    type Value = TeamRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<i64> = keys.iter().map(|key| key.0).collect();
        let rows = source.service.teams_by_id(&ids).await?;
        Ok(rows.into_iter().map(|row| (TeamKey(row.id.0), row)).collect())
    }
}

impl Key for AccessOf {
    type Value = EffectiveAccess;

    fn text(&self) -> Option<&str> {
        Some(&self.1)
    }

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let (registries, users): (Vec<i64>, Vec<&str>) = keys.iter().map(|key| (key.0, key.1.as_str())).unzip();
        let answers = source.service.effective_access(&source.caller, &registries, &users).await?;
        Ok(keys.iter().cloned().zip(answers).filter_map(|(key, answer)| Some((key, answer?))).collect())
    }
}
