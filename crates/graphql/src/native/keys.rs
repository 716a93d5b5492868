//! Keys of people: what is loaded by them. What must not live here: what a caller may see (the store's statements know).

use std::collections::HashMap;

use regalia_domain::ids::{OrganizationId, UserId};
use regalia_service::Result;
use regalia_service::store::accounts::{KeyRow, UserRow};
use regalia_service::store::organizations::{MemberRow as OrganizationMemberRow, OrganizationRow};
use regalia_service::store::sessions::SessionRow;
use regalia_service::store::teams::{MemberRow as TeamMemberRow, TeamRow};

use crate::loaders::{Key, Source, grouped, paged, pages};

pages! {
    /// A page of a user's teams.
    UserTeams;
    /// A page of a user's API keys.
    UserKeys;
    /// A page of one's own sessions.
    UserSessions;
    /// A page of an organization's members.
    OrganizationMembers;
    /// A page of an organization's teams.
    OrganizationTeams;
    /// A page of a team's members.
    TeamMembers;
}

/// A user's organizations that the caller is in too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserOrganizations(pub UserId);

impl Key for UserId {
    type Value = UserRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<i64> = keys.iter().map(|id| id.0).collect();
        let rows = source.service.users_by_id(&ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Key for OrganizationId {
    type Value = OrganizationRow;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<i64> = keys.iter().map(|id| id.0).collect();
        let rows = source.service.organizations_by_id(&ids).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Key for UserOrganizations {
    type Value = Vec<OrganizationRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<i64> = keys.iter().map(|user| user.0.0).collect();
        let rows = source.service.organizations_of_users(&source.caller, &ids).await?;
        Ok(grouped(keys, rows.into_iter().map(|(user, row)| (UserOrganizations(UserId(user)), row))))
    }
}

impl Key for UserTeams {
    type Value = Vec<TeamRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let caller = &source.caller;
        paged(keys, |users, page| async move { source.service.teams_of_users(caller, &users, &page).await }).await
    }
}

impl Key for UserKeys {
    type Value = Vec<KeyRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let caller = &source.caller;
        paged(keys, |users, page| async move {
            let rows = source.service.keys(caller, &users, &page).await?;
            Ok(rows.into_iter().map(|row| (row.user_id.0, row)).collect())
        })
        .await
    }
}

impl Key for UserSessions {
    type Value = Vec<SessionRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let caller = &source.caller;
        paged(keys, |users, page| async move {
            let rows = source.service.own_sessions(caller, &users, &page).await?;
            Ok(rows.into_iter().map(|row| (row.user_id.0, row)).collect())
        })
        .await
    }
}

impl Key for OrganizationMembers {
    type Value = Vec<OrganizationMemberRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let caller = &source.caller;
        paged(keys, |parents, page| async move { source.service.organization_members(caller, &parents, &page).await }).await
    }
}

impl Key for OrganizationTeams {
    type Value = Vec<TeamRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let caller = &source.caller;
        paged(keys, |parents, page| async move {
            let rows = source.service.teams_of_organizations(caller, &parents, &page).await?;
            Ok(rows.into_iter().map(|row| (row.organization_id.0, row)).collect())
        })
        .await
    }
}

impl Key for TeamMembers {
    type Value = Vec<TeamMemberRow>;

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let caller = &source.caller;
        paged(keys, |parents, page| async move { source.service.team_members(caller, &parents, &page).await }).await
    }
}
