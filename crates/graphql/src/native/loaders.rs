//! Loaders of people: for each kind of thing on a page one statement, whatever the page's length. One set per request,
//! with a cache, carrying the caller. What must not live here: what a caller may see (the store's statements know).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use async_graphql::{Context, Error, Result};
use regalia_domain::ids::{OrganizationId, UserId};
use regalia_service::store::access::Caller;
use regalia_service::store::accounts::{KeyRow, UserRow};
use regalia_service::store::organizations::{MemberRow as OrganizationMemberRow, OrganizationRow};
use regalia_service::store::teams::{MemberRow as TeamMemberRow, TeamRow};
use regalia_service::{Page, Service};
use tracing::Instrument as _;

use crate::error::Fail as _;

/// The loaders of one request, as the context holds them.
pub type PeopleLoader = DataLoader<People, HashMapCache>;

/// What the loaders work with.
#[derive(Debug)]
pub struct People {
    service: Arc<Service>,
    caller: Caller,
}

/// The loaders of a request. Its batches are logged as that request's.
#[must_use]
pub fn people(service: Arc<Service>, caller: Caller) -> PeopleLoader {
    DataLoader::with_cache(People { service, caller }, |task| tokio::spawn(task.in_current_span()), HashMapCache::default())
}

/// A page of the things that belong to one row. Rows whose pages begin and end alike are loaded together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageOf {
    parent: i64,
    after: String,
    first: i64,
}

macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(pub PageOf);

        impl $name {
            /// The page of this row's things.
            #[must_use]
            pub fn new(parent: i64, page: &Page) -> Self {
                Self(PageOf { parent, after: page.after.clone(), first: page.first })
            }
        }

        impl From<PageOf> for $name {
            fn from(page: PageOf) -> Self {
                Self(page)
            }
        }

        impl AsRef<PageOf> for $name {
            fn as_ref(&self) -> &PageOf {
                &self.0
            }
        }
    )*};
}

pages! {
    /// A page of a user's teams.
    UserTeams;
    /// A page of a user's API keys.
    UserKeys;
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

/// Rows under the key that each belongs to; a key without rows has an empty list.
fn grouped<K: Hash + Eq + Clone, R>(keys: &[K], rows: impl IntoIterator<Item = (K, R)>) -> HashMap<K, Vec<R>> {
    let mut groups: HashMap<K, Vec<R>> = keys.iter().map(|key| (key.clone(), Vec::new())).collect();
    for (key, row) in rows {
        groups.entry(key).or_default().push(row);
    }
    groups
}

/// The rows of pages: one call of `load` for all parents whose pages are alike.
async fn paged<K, R, F>(keys: &[K], load: impl Fn(Vec<i64>, Page) -> F) -> Result<HashMap<K, Vec<R>>>
where
    K: AsRef<PageOf> + From<PageOf> + Hash + Eq + Clone,
    F: Future<Output = regalia_service::Result<Vec<(i64, R)>>>,
{
    let mut parents: HashMap<(&str, i64), Vec<i64>> = HashMap::new();
    for key in keys {
        let PageOf { parent, after, first } = key.as_ref();
        parents.entry((after, *first)).or_default().push(*parent);
    }
    let mut rows = Vec::new();
    for ((after, first), parents) in parents {
        let loaded = load(parents, Page { after: after.to_owned(), first }).await.fail()?;
        rows.extend(loaded.into_iter().map(|(parent, row)| (K::from(PageOf { parent, after: after.to_owned(), first }), row)));
    }
    Ok(grouped(keys, rows))
}

impl Loader<UserId> for People {
    type Value = UserRow;
    type Error = Error;

    async fn load(&self, keys: &[UserId]) -> Result<HashMap<UserId, UserRow>> {
        let ids: Vec<i64> = keys.iter().map(|id| id.0).collect();
        let rows = self.service.users_by_id(&ids).await.fail()?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Loader<OrganizationId> for People {
    type Value = OrganizationRow;
    type Error = Error;

    async fn load(&self, keys: &[OrganizationId]) -> Result<HashMap<OrganizationId, OrganizationRow>> {
        let ids: Vec<i64> = keys.iter().map(|id| id.0).collect();
        let rows = self.service.organizations_by_id(&ids).await.fail()?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

impl Loader<UserOrganizations> for People {
    type Value = Vec<OrganizationRow>;
    type Error = Error;

    async fn load(&self, keys: &[UserOrganizations]) -> Result<HashMap<UserOrganizations, Vec<OrganizationRow>>> {
        let ids: Vec<i64> = keys.iter().map(|user| user.0.0).collect();
        let rows = self.service.organizations_of_users(&self.caller, &ids).await.fail()?;
        Ok(grouped(keys, rows.into_iter().map(|(user, row)| (UserOrganizations(UserId(user)), row))))
    }
}

impl Loader<UserTeams> for People {
    type Value = Vec<TeamRow>;
    type Error = Error;

    async fn load(&self, keys: &[UserTeams]) -> Result<HashMap<UserTeams, Vec<TeamRow>>> {
        let caller = &self.caller;
        paged(keys, |users, page| async move { self.service.teams_of_users(caller, &users, &page).await }).await
    }
}

impl Loader<UserKeys> for People {
    type Value = Vec<KeyRow>;
    type Error = Error;

    async fn load(&self, keys: &[UserKeys]) -> Result<HashMap<UserKeys, Vec<KeyRow>>> {
        let caller = &self.caller;
        paged(keys, |users, page| async move {
            let rows = self.service.keys(caller, &users, &page).await?;
            Ok(rows.into_iter().map(|row| (row.user_id.0, row)).collect())
        })
        .await
    }
}

impl Loader<OrganizationMembers> for People {
    type Value = Vec<OrganizationMemberRow>;
    type Error = Error;

    async fn load(&self, keys: &[OrganizationMembers]) -> Result<HashMap<OrganizationMembers, Vec<OrganizationMemberRow>>> {
        let caller = &self.caller;
        paged(keys, |parents, page| async move { self.service.organization_members(caller, &parents, &page).await }).await
    }
}

impl Loader<OrganizationTeams> for People {
    type Value = Vec<TeamRow>;
    type Error = Error;

    async fn load(&self, keys: &[OrganizationTeams]) -> Result<HashMap<OrganizationTeams, Vec<TeamRow>>> {
        let caller = &self.caller;
        paged(keys, |parents, page| async move {
            let rows = self.service.teams_of_organizations(caller, &parents, &page).await?;
            Ok(rows.into_iter().map(|row| (row.organization_id.0, row)).collect())
        })
        .await
    }
}

impl Loader<TeamMembers> for People {
    type Value = Vec<TeamMemberRow>;
    type Error = Error;

    async fn load(&self, keys: &[TeamMembers]) -> Result<HashMap<TeamMembers, Vec<TeamMemberRow>>> {
        let caller = &self.caller;
        paged(keys, |parents, page| async move { self.service.team_members(caller, &parents, &page).await }).await
    }
}

/// Loads a list; nothing is an empty one.
pub(crate) async fn list<K, R>(ctx: &Context<'_>, key: K) -> Result<Vec<R>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    R: Send + Sync + Clone + 'static,
    People: Loader<K, Value = Vec<R>, Error = Error>,
{
    Ok(ctx.data::<PeopleLoader>()?.load_one(key).await?.unwrap_or_default())
}

/// Loads one row.
pub(crate) async fn one<K, R>(ctx: &Context<'_>, key: K) -> Result<Option<R>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    R: Send + Sync + Clone + 'static,
    People: Loader<K, Value = R, Error = Error>,
{
    ctx.data::<PeopleLoader>()?.load_one(key).await
}

/// Forgets what was loaded, after each write: a document may write, read, write and read again.
pub(crate) fn forget(ctx: &Context<'_>) -> Result<()> {
    let loader = ctx.data::<PeopleLoader>()?;
    loader.clear::<UserId>();
    loader.clear::<OrganizationId>();
    loader.clear::<UserOrganizations>();
    loader.clear::<UserTeams>();
    loader.clear::<UserKeys>();
    loader.clear::<OrganizationMembers>();
    loader.clear::<OrganizationTeams>();
    loader.clear::<TeamMembers>();
    Ok(())
}
