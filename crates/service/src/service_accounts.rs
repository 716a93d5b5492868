//! Service accounts: users without a password that a team has for its machines (rules 15 and 46). What must not live here:
//! their keys, which are as anybody's (`accounts`), but for the first one.

use regalia_domain::ids::{OrganizationId, TeamId, UserId};
use regalia_domain::keys::ApiKey;
use regalia_domain::names::{DisplayName, EntityName, EntitySuffix, display_as_entity, fitted_entity_name};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_store::access;
use regalia_store::accounts::{self, KeyRow, UserRow};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::{Error as StoreError, service_accounts};
use serde_json::json;

use crate::accounts::{NewKey, key_created, row, subject, taken};
use crate::teams::{managed, member_set};
use crate::{Error, Request, Result, Service, organizations};

/// How many names are tried where the server chooses one.
const NAMES: usize = 5;

impl Service {
    /// Makes a service account of a team with its first key, which is never to be had again.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is an admin of the team, its organization or the site; `Conflict` when the
    /// name is taken; of the key as [`Service::create_key`].
    pub async fn create_service_account(
        &self,
        request: &Request,
        team: &EntityName,
        name: &EntityName,
        display_name: Option<&DisplayName>,
        key: NewKey<'_>,
    ) -> Result<(UserRow, KeyRow, ApiKey)> {
        let caller = request.caller()?;
        key.check(self.clock.now())?;
        let proof = self.prove(caller, key.password).await?;
        let mut tx = self.begin().await?;
        let (team, granted) = managed(&mut tx, caller, team).await?;
        let id = service_accounts::create(&mut tx, &granted, name, display_name).await.map_err(taken(name.as_str()))?;
        let user = row(&mut tx, id).await?;
        let entity = access::entity(&mut tx, caller, name.as_str()).await?;
        let secret = ApiKey::from_random(self.random_bytes());
        let expires_at = key.end(&mut tx, caller).await?;
        let account = entity.manage_account(caller)?;
        let kept = accounts::insert_key(&mut tx, &account, key.label, secret.hash(), expires_at).await?;
        if let Some(proof) = proof {
            proof.forget(&mut tx).await?;
        }
        let mut events = created(&user, team.id, team.organization_id);
        events.push(key_created(kept.id, id, key.label, false, expires_at));
        audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
        regalia_store::commit(tx).await?;
        Ok((user, kept, secret))
    }

    /// Makes a service account that is only described; its name is made of the description. It has no key: whoever manages the
    /// team makes one.
    ///
    /// # Errors
    /// As [`Service::create_service_account`].
    pub async fn create_service_account_described(
        &self,
        request: &Request,
        team: &EntityName,
        description: &DisplayName,
    ) -> Result<UserRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (team, granted) = managed(&mut tx, caller, team).await?;
        let mut candidates = self.names(description);
        let id = loop {
            let name = candidates.next().ok_or_else(|| Error::from(StoreError::Exists))?;
            match service_accounts::create(&mut tx, &granted, &name, Some(description)).await {
                Err(StoreError::Exists) => {}
                other => break other?,
            }
        };
        let user = row(&mut tx, id).await?;
        let events = created(&user, team.id, team.organization_id);
        audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
        regalia_store::commit(tx).await?;
        Ok(user)
    }

    /// Entity names for something that people call so: as it is, if it is one, then made to fit (as rule 19 does for
    /// organizations).
    pub(crate) fn names(&self, display_name: &DisplayName) -> impl Iterator<Item = EntityName> {
        display_as_entity(display_name).into_iter().chain(
            std::iter::repeat_with(|| fitted_entity_name(display_name, &EntitySuffix::from_random(self.random_bytes())))
                .take(NAMES),
        )
    }
}

fn created(user: &UserRow, team: TeamId, organization: OrganizationId) -> Vec<Event> {
    let after =
        json!({ "name": user.name, "display_name": user.display_name, "service_account": true, "team": format!("Team:{team}") });
    vec![
        Event { kind: Kind::UserCreated, subject: subject(user.id), before: None, after: Some(after) },
        organizations::member_set(organization, user.id, None, OrganizationRole::Member),
        member_set(team, user.id, None, TeamRole::Member),
    ]
}

/// The events of a service account that was removed from its team, and so from its organization.
pub(crate) fn retired(user: UserId, organization: OrganizationId, keys: &[i64]) -> Vec<Event> {
    let left = Event {
        kind: Kind::OrganizationMemberRemoved,
        subject: format!("Organization:{organization}"),
        before: Some(json!({ "user": subject(user), "role": OrganizationRole::Member.as_str() })),
        after: None,
    };
    keys_revoked(user, keys).chain([left]).collect()
}

/// The events of keys that were revoked with what they stood for.
pub(crate) fn keys_revoked(user: UserId, keys: &[i64]) -> impl Iterator<Item = Event> {
    keys.iter().map(move |id| Event {
        kind: Kind::KeyRevoked,
        subject: format!("ApiKey:{id}"),
        before: Some(json!({ "user": subject(user) })),
        after: None,
    })
}
