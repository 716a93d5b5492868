//! Users and their API keys: who a key stands for, and how accounts come, change and go. What must not live here: what a
//! user may do with content, and memberships.

use chrono::{DateTime, Utc};
use regalia_domain::ids::{ApiKeyId, UserId};
use regalia_domain::keys::ApiKey;
use regalia_domain::names::{DisplayName, EntityName};
use regalia_store::access::{self, Caller, EntityRow, Granted, ManageAccount};
use regalia_store::accounts::{self, KeyRow, Opened, UserRow};
use regalia_store::audit::{self, Event, Kind, Origin};
use regalia_store::{Connection, Error as StoreError, Tx, registry_members, removal};
use serde_json::json;

use crate::registry_members::keep_admins;
use crate::removal::{by_force, unprotected};
use crate::sessions::Tried;
use crate::{Error, Page, Request, Result, Service, to_the_end};

/// Longest label of a key, in characters.
const LABEL_CHARS: usize = 128;

/// Longest display name, in characters.
const DISPLAY_CHARS: usize = 128;

/// Longest address, in characters: what mail allows.
const EMAIL_CHARS: usize = 254;

/// What a key is made with.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewKey<'a> {
    /// What it is called in lists.
    pub label: &'a str,
    /// From when on it opens nothing; none: as soon as the key that the caller came with, if that one has an end.
    pub expires_at: Option<DateTime<Utc>>,
    /// The caller's own password, which he needs who came with a session.
    pub password: Option<&'a str>,
}

impl NewKey<'_> {
    /// Refuses a label that can't be, and an end that is past.
    pub(crate) fn check(&self, now: DateTime<Utc>) -> Result<()> {
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::Invalid("A key can't expire in the past. Give a later time, or none.".into()));
        }
        check_label(self.label)
    }

    /// When the key ends, made by this caller, whose own key or session doesn't end before the commit: no key outlives the one
    /// that made it, else an end would be none.
    pub(crate) async fn end(&self, tx: &mut Tx, caller: &Caller) -> Result<Option<DateTime<Utc>>> {
        let own = accounts::hold_credential(tx, caller).await.map_err(ended)?;
        match (self.expires_at, own) {
            (Some(asked), Some(own)) if asked > own => Err(Error::Invalid(format!(
                "The API key that you came with expires at {}, and no key outlives the one that made it. Give an earlier end, or come with \
                 another key.",
                own.format("%Y-%m-%d %H:%M UTC")
            ))),
            (asked, own) => Ok(asked.or(own)),
        }
    }
}

impl Service {
    /// Whom a key stands for.
    ///
    /// # Errors
    /// `UnknownKey` for a text that is no key and for a key that is unknown or revoked; `Unauthenticated` of an expired one, which
    /// says so to whoever holds it.
    pub async fn authenticate(&self, key: &str) -> Result<Caller> {
        let key = ApiKey::parse(key).map_err(|_| Error::UnknownKey)?;
        let mut connection = self.store.read().await?;
        match accounts::authenticate(&mut connection, key.hash(), self.clock.now()).await? {
            Opened::By(caller) => Ok(caller),
            Opened::Expired(at) => Err(Error::Unauthenticated(format!(
                "This API key expired at {}. Make a new one.",
                at.format("%Y-%m-%d %H:%M UTC")
            ))),
            Opened::Nothing => Err(Error::UnknownKey),
        }
    }

    /// A user that the caller sees: himself and his colleagues; for a site administrator everybody.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn user(&self, caller: &Caller, name: &str) -> Result<UserRow> {
        let mut connection = self.store.read().await?;
        let entity = user_entity(&mut connection, caller, name).await?;
        row(&mut connection, UserId(entity.id)).await
    }

    /// Users by number, in any order. For rows that the caller was already allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn users_by_id(&self, ids: &[i64]) -> Result<Vec<UserRow>> {
        let mut connection = self.store.read().await?;
        Ok(accounts::users(&mut connection, ids).await?)
    }

    /// Those of the users of these numbers that the caller sees.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn users_seen(&self, caller: &Caller, ids: &[i64]) -> Result<Vec<UserRow>> {
        let mut connection = self.store.read().await?;
        Ok(accounts::users_seen(&mut connection, caller, ids).await?)
    }

    /// One page, by name, of the users that the caller sees.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn users(&self, caller: &Caller, page: &Page) -> Result<Vec<UserRow>> {
        let mut connection = self.store.read().await?;
        Ok(accounts::visible_users(&mut connection, caller, &page.after, page.first).await?)
    }

    /// One page of the users that the caller sees and whose name or address contains `part`: first who is called exactly so,
    /// then by name. A row's place is [`UserRow::found_at`].
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn find_users(&self, caller: &Caller, part: &str, page: &Page) -> Result<Vec<UserRow>> {
        let mut connection = self.store.read().await?;
        Ok(accounts::find_users(&mut connection, caller, part, &page.after, page.first).await?)
    }

    /// Makes an account, without a key. For one of a site administrator a caller with a session proves himself by `password`,
    /// his own.
    ///
    /// # Errors
    /// `Forbidden` unless the caller is a site administrator, and without that proof; `TooMany` after too many wrong ones;
    /// `Conflict` when the name is taken; `Invalid`.
    pub async fn create_user(
        &self,
        request: &Request,
        name: &EntityName,
        email: Option<&str>,
        admin: bool,
        password: Option<&str>,
    ) -> Result<UserRow> {
        let caller = request.caller()?;
        let site = access::site(caller).map_err(site_only("create accounts"))?;
        let proof = if admin { self.prove(caller, password).await? } else { None };
        let mut tx = self.begin().await?;
        if let Some(email) = email {
            check_email(email)?;
            keep_apart(&mut tx, email, None).await?;
        }
        let id = accounts::create(&mut tx, &site, name, email, admin).await.map_err(taken(name.as_str()))?;
        if let Some(proof) = proof {
            proof.forget(&mut tx).await?;
        }
        self.created(request, tx, id).await
    }

    /// Makes an account of whom only the address is known; its name is made of the part before the `@`.
    ///
    /// # Errors
    /// `Forbidden` unless the caller is a site administrator, and to a caller with a session for one of a site administrator: the
    /// wire has no place for a proof. `Conflict` when another account has the address; `Invalid`.
    pub async fn create_user_of(&self, request: &Request, email: &str, admin: bool) -> Result<UserRow> {
        let caller = request.caller()?;
        let site = access::site(caller).map_err(site_only("create accounts"))?;
        check_email(email)?;
        if admin {
            self.prove(caller, None).await?;
        }
        let mut tx = self.begin().await?;
        keep_apart(&mut tx, email, None).await?;
        let local = email.rsplit_once('@').map_or(email, |(local, _)| local);
        let local = if local.bytes().any(|byte| byte.is_ascii_alphanumeric()) { local } else { "user" };
        let local: String = local.chars().take(DISPLAY_CHARS).collect();
        let local = DisplayName::parse(local.trim())?;
        let mut candidates = self.names(&local);
        let id = loop {
            let name = candidates.next().ok_or_else(|| Error::from(StoreError::Exists))?;
            match accounts::create(&mut tx, &site, &name, Some(email), admin).await {
                Err(StoreError::Exists) => {}
                other => break other?,
            }
        };
        self.created(request, tx, id).await
    }

    async fn created(&self, request: &Request, mut tx: Tx, id: UserId) -> Result<UserRow> {
        let user = row(&mut tx, id).await?;
        let event = Event {
            kind: Kind::UserCreated,
            subject: subject(id),
            before: None,
            after: Some(json!({ "name": user.name, "email": user.email, "site_admin": user.site_admin })),
        };
        audit::record(&mut tx, request.origin(), None, &[event]).await?;
        regalia_store::commit(tx).await?;
        Ok(user)
    }

    /// Deletes an account with its keys and memberships; by force, with all that it holds. A site administrator can't delete his
    /// own, so one always stays.
    ///
    /// # Errors
    /// `Forbidden` unless the caller is a site administrator, or it is a service account of a team that he manages, and then for
    /// a registry's last direct admin unless he administers its organization (rule 16); `NotFound`; `Conflict` when the account
    /// owns projects or files, with the list if a version is linked under a protected alias (rule 24), or is the caller's.
    pub async fn delete_user(&self, request: &Request, name: &EntityName, force: bool) -> Result<UserRow> {
        let (service, request, name) = (self.clone(), request.clone(), name.clone());
        to_the_end(async move { service.delete_user_to_the_end(&request, &name, force).await }).await
    }

    async fn delete_user_to_the_end(&self, request: &Request, name: &EntityName, force: bool) -> Result<UserRow> {
        let caller = request.caller()?;
        let site = by_force(caller, force)?;
        let mut tx = self.begin_long().await?;
        let entity = user_entity(&mut tx, caller, name.as_str()).await;
        if !entity.as_ref().is_ok_and(|entity| entity.manages) {
            access::site(caller).map_err(site_only("delete accounts"))?;
        }
        let account = entity?.manage_account(caller)?;
        if account.target() == caller.user {
            return Err(Error::Conflict("You can't delete your own account. Have another site administrator do it.".into()));
        }
        // Its registries before the account itself, in the order of whoever changes members.
        registry_members::lock_of(&mut tx, &account).await?;
        accounts::lock_deletions(&mut tx, &account).await?;
        // Whoever held the locks until now may have taken the right away.
        let entity = user_entity(&mut tx, caller, name.as_str()).await?;
        if !entity.manages {
            access::site(caller).map_err(site_only("delete accounts"))?;
        }
        let account = entity.manage_account(caller)?;
        keep_admins(&mut tx, caller, account.target(), name.as_str(), None).await?;
        let user = row(&mut tx, account.target()).await?;
        let removal = unprotected(&mut tx, caller, site.as_ref(), &format!("user \"{name}\""), user.id.0).await?;
        if let Some(site) = &site {
            removal.execute(&mut tx, request, site, None).await?;
            regalia_store::commit(tx).await?;
            return Ok(user);
        }
        removal::leave_as_account(&mut tx, request.origin(), &account).await?;
        accounts::delete(&mut tx, &account).await.map_err(occupied("user", name.as_str(), "projects or files"))?;
        let event = Event {
            kind: Kind::UserDeleted,
            subject: subject(user.id),
            before: Some(json!({ "name": user.name, "email": user.email, "site_admin": user.site_admin })),
            after: None,
        };
        audit::record(&mut tx, request.origin(), None, &[event]).await?;
        regalia_store::commit(tx).await?;
        Ok(user)
    }

    /// Makes an API key for an account. The key itself is never to be had again.
    ///
    /// # Errors
    /// `NotFound` for the user; `Forbidden` for somebody else's account, and for a caller with a session without his password;
    /// `Invalid` for the label, and for an end that is past or later than that of the key that the caller came with.
    pub async fn create_key(&self, request: &Request, user: &EntityName, new: NewKey<'_>) -> Result<(KeyRow, ApiKey)> {
        let key = ApiKey::from_random(self.random_bytes());
        let row = self.keep_key(request, user, new, &key, false).await?;
        Ok((row, key))
    }

    /// Lets a key that clients have already stand for an account.
    ///
    /// # Errors
    /// As [`Service::create_key`]; `Conflict` when the key is known, be it revoked.
    pub async fn import_key(&self, request: &Request, user: &EntityName, new: NewKey<'_>, key: &ApiKey) -> Result<KeyRow> {
        self.keep_key(request, user, new, key, true).await
    }

    async fn keep_key(
        &self,
        request: &Request,
        user: &EntityName,
        new: NewKey<'_>,
        key: &ApiKey,
        imported: bool,
    ) -> Result<KeyRow> {
        new.check(self.clock.now())?;
        let caller = request.caller()?;
        let proof = self.prove(caller, new.password).await?;
        let mut tx = self.begin().await?;
        let held = account(&mut tx, caller, user.as_str()).await?;
        accounts::hold(&mut tx, &held).await?;
        let expires_at = new.end(&mut tx, caller).await?;
        // Until now the account may have been retired, or the right to it taken away.
        let account = account(&mut tx, caller, user.as_str()).await?;
        let row =
            accounts::insert_key(&mut tx, &account, new.label, key.hash(), expires_at).await.map_err(|error| match error {
                StoreError::Exists => {
                    Error::Conflict("This API key already exists here, or did until it was revoked. Use another one.".into())
                }
                other => other.into(),
            })?;
        if let Some(proof) = proof {
            proof.forget(&mut tx).await?;
        }
        let event = key_created(row.id, account.target(), new.label, imported, expires_at);
        audit::record(&mut tx, request.origin(), None, &[event]).await?;
        regalia_store::commit(tx).await?;
        Ok(row)
    }

    /// Has a caller who came with a session prove by his password that it is he who does what outlives the session: makes a key or
    /// a site administrator, resets a password. An open browser must not be enough. Who came with a key has one already.
    ///
    /// # Errors
    /// `Forbidden` without it; `TooMany` after too many wrong ones.
    pub(crate) async fn prove(&self, caller: &Caller, password: Option<&str>) -> Result<Option<Tried>> {
        if caller.session.is_none() {
            return Ok(None);
        }
        let Some(password) = password else {
            return Err(Error::Forbidden(
                "Who is signed in with a browser makes API keys and site administrators and resets passwords only with the own \
                 password. Send it as `currentPassword`."
                    .into(),
            ));
        };
        let mut connection = self.store.read().await?;
        let own = account(&mut connection, caller, &caller.name).await?;
        let hash = accounts::password_hash(&mut connection, &own).await?;
        // No connection is held while a hash is computed.
        drop(connection);
        let tried = Tried::own(caller.user);
        if self.is_right(&tried, Some(password), hash.as_deref()).await? {
            Ok(Some(tried))
        } else {
            Err(Error::Forbidden("The current password is wrong.".into()))
        }
    }

    /// One page, by number, of each user's keys; nobody but a site administrator gets others' keys than his own.
    ///
    /// # Errors
    /// `Invalid` when `after` isn't a number.
    pub async fn keys(&self, caller: &Caller, users: &[i64], page: &Page) -> Result<Vec<KeyRow>> {
        let after = match page.after.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| Error::Invalid("`after` is not a cursor of a list of API keys.".into()))?,
        };
        let mut connection = self.store.read().await?;
        Ok(accounts::keys(&mut connection, caller, users, after, page.first).await?)
    }

    /// Revokes a key at once on every server.
    ///
    /// # Errors
    /// `NotFound`, also for the keys of others.
    pub async fn revoke_key(&self, request: &Request, key: ApiKeyId) -> Result<()> {
        let absent = |error| match error {
            StoreError::NotFound | StoreError::Forbidden => {
                Error::NotFound("There is no API key of this id, it is revoked already, or it isn't yours.".into())
            }
            other => Error::from(other),
        };
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let account = access::key_account(&mut tx, caller, key).await.map_err(absent)?;
        accounts::revoke_key(&mut tx, &account, key).await.map_err(absent)?;
        let event = Event {
            kind: Kind::KeyRevoked,
            subject: key_subject(key),
            before: Some(json!({ "user": subject(account.target()) })),
            after: None,
        };
        audit::record(&mut tx, request.origin(), None, &[event]).await?;
        regalia_store::commit(tx).await?;
        Ok(())
    }

    /// Makes the site administrator `admin` with a key, if there is no user at all. Of servers that start together one does.
    /// `keep` puts the key where a person finds it, before the account is there for good: a crash loses neither.
    ///
    /// # Errors
    /// Of the database; `Internal` when the key couldn't be kept, and then there is no account either.
    pub async fn first_start(&self, keep: impl FnOnce(&ApiKey) -> std::io::Result<()>) -> Result<Option<(EntityName, ApiKey)>> {
        const LABEL: &str = "first start";
        let name = EntityName::parse("admin")?;
        let key = ApiKey::from_random(self.random_bytes());
        let mut tx = self.begin().await?;
        let Some((user, key_id)) = accounts::create_first(&mut tx, &name, LABEL, key.hash()).await? else {
            return Ok(None);
        };
        let created = Event {
            kind: Kind::UserCreated,
            subject: subject(user),
            before: None,
            after: Some(json!({ "name": name.as_str(), "email": null, "site_admin": true })),
        };
        let origin = Origin { actor: None, request: self.random_uuid() };
        audit::record(&mut tx, origin, None, &[created, key_created(key_id, user, LABEL, false, None)]).await?;
        keep(&key).map_err(|error| Error::Internal(Box::new(error)))?;
        regalia_store::commit(tx).await?;
        Ok(Some((name, key)))
    }
}

/// A user that the caller sees, by name.
pub(crate) async fn user_entity(connection: &mut Connection, caller: &Caller, name: &str) -> Result<EntityRow> {
    let absent =
        || Error::NotFound(format!("The user \"{name}\" is not found: there is none of this name, or you may not see it."));
    match access::entity(connection, caller, name).await {
        Ok(entity) if entity.kind == "user" => Ok(entity),
        Ok(_) | Err(StoreError::NotFound) => Err(absent()),
        Err(other) => Err(other.into()),
    }
}

/// Rule 19 in words: a name that somebody has.
pub(crate) fn taken(name: &str) -> impl FnOnce(StoreError) -> Error {
    move |error| match error {
        StoreError::Exists => Error::Conflict(format!(
            "The name \"{name}\" already exists: a user, team or organization has it, or one that differs only by case. Use another name."
        )),
        other => other.into(),
    }
}

/// A deletion that would take content with it.
pub(crate) fn occupied(kind: &str, name: &str, content: &str) -> impl FnOnce(StoreError) -> Error {
    move |error| match error {
        StoreError::Exists => Error::Conflict(format!(
            "The {kind} \"{name}\" still owns {content}, so it can't be deleted. A site administrator can delete it by `force`, with \
             all that it holds."
        )),
        StoreError::NotFound | StoreError::AffectedRows { .. } => Error::NotFound(format!("The {kind} \"{name}\" is not found.")),
        other => other.into(),
    }
}

/// What only site administrators do.
pub(crate) fn site_only(what: &str) -> impl FnOnce(StoreError) -> Error {
    Error::named("", format!("Only a site administrator may {what}."))
}

/// The subject of an event on a user.
pub(crate) fn subject(user: UserId) -> String {
    format!("User:{user}")
}

fn key_subject(key: ApiKeyId) -> String {
    format!("ApiKey:{key}")
}

pub(crate) fn key_created(key: ApiKeyId, user: UserId, label: &str, imported: bool, expires_at: Option<DateTime<Utc>>) -> Event {
    Event {
        kind: Kind::KeyCreated,
        subject: key_subject(key),
        before: None,
        after: Some(json!({ "user": subject(user), "name": label, "imported": imported, "expires_at": expires_at })),
    }
}

pub(crate) async fn account(connection: &mut Connection, caller: &Caller, name: &str) -> Result<Granted<ManageAccount>> {
    let entity = user_entity(connection, caller, name).await?;
    entity.manage_account(caller).map_err(site_only("change somebody else's account or keys"))
}

/// What the caller came with has ended while the request was under way.
pub(crate) fn ended(error: StoreError) -> Error {
    match error {
        StoreError::NotFound => Error::Unauthenticated("What you came with, a key or a session, has just been ended.".into()),
        other => other.into(),
    }
}

pub(crate) async fn row(connection: &mut Connection, user: UserId) -> Result<UserRow> {
    accounts::users(connection, &[user.0]).await?.pop().ok_or_else(|| StoreError::NotFound.into())
}

/// Refuses an address that another account than this one has: accounts are found by it. Only site administrators get here, who
/// see every account.
pub(crate) async fn keep_apart(tx: &mut Tx, email: &str, user: Option<UserId>) -> Result<()> {
    // Of two who give the same address at once, the second waits and then sees the first.
    accounts::lock_email(tx, email).await?;
    match accounts::by_email(tx, email).await? {
        Some(other) if Some(other) != user => {
            Err(Error::Conflict("Another account has this email address already. Use another one.".into()))
        }
        _ => Ok(()),
    }
}

fn check_label(label: &str) -> Result<()> {
    if label.chars().count() > LABEL_CHARS || label.chars().any(char::is_control) {
        return Err(Error::Invalid(format!(
            "A key's name is at most {LABEL_CHARS} characters long, without control characters."
        )));
    }
    Ok(())
}

pub(crate) fn check_email(email: &str) -> Result<()> {
    let (local, domain) = email.rsplit_once('@').unwrap_or_default();
    let plain = !email.chars().any(|c| c.is_control() || c.is_whitespace());
    if local.is_empty() || domain.is_empty() || !plain || email.chars().count() > EMAIL_CHARS {
        return Err(Error::Invalid(format!(
            "An email address is `name@domain`, without spaces, at most {EMAIL_CHARS} characters long."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_email, check_label};

    #[test]
    fn addresses_and_labels() {
        for good in ["alice@example.com", "a+b@c", "müller@example.org"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        for bad in ["", "@", "alice", "alice@", "@example.com", "a b@c", "a@b\n", &format!("{}@b", "a".repeat(253))] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
        assert!(check_label("").is_ok() && check_label(&"é".repeat(128)).is_ok());
        assert!(check_label(&"é".repeat(129)).is_err() && check_label("a\0").is_err());
    }
}
