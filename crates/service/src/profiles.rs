//! What a person changes of an account: display name, address, default entity, password. What must not live here: how
//! accounts come and go, and what they are signed in with.

use regalia_domain::names::{DisplayName, EntityName};
use regalia_domain::passwords::Password;
use regalia_store::access::{self, Caller};
use regalia_store::accounts::{self, UserRow};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::{Connection, Error as StoreError, Tx};
use serde_json::{Value, json};

use crate::accounts::{account, check_email, keep_apart, row, site_only, subject, user_entity};
use crate::sessions::Tried;
use crate::{Error, Request, Result, Service, differing};

/// What to change of an account; `None` is no change, `Some(None)` takes it away.
#[derive(Debug, Default)]
pub struct Profile {
    /// What people call the user.
    pub display_name: Option<Option<DisplayName>>,
    /// The address.
    pub email: Option<Option<String>>,
    /// Where runs go that name no entity: the user's own entity, or a team that he is in.
    pub default_entity: Option<EntityName>,
}

impl Service {
    /// Changes an account. What is said and the same already is no change.
    ///
    /// # Errors
    /// `NotFound` for the user; `Forbidden` for somebody else's account, and for the address unless the caller is a site
    /// administrator: an account is found by it, and nothing here proves whose it is. `Invalid`; `Conflict` for the address of
    /// another.
    pub async fn update_user(&self, request: &Request, user: &EntityName, profile: &Profile) -> Result<UserRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let account = account(&mut tx, caller, user.as_str()).await?;
        let before = row(&mut tx, account.target()).await?;
        if let Some(name) = &profile.display_name
            && name.as_ref().map(DisplayName::as_str) != before.display_name.as_deref()
        {
            accounts::set_display_name(&mut tx, &account, name.as_ref()).await?;
        }
        if let Some(email) = &profile.email
            && *email != before.email
        {
            set_email(&mut tx, caller, &account, email.as_deref()).await?;
        }
        if let Some(entity) = &profile.default_entity {
            accounts::set_default_entity(&mut tx, &account, entity).await.map_err(|error| match error {
                StoreError::NotFound => Error::Invalid(format!(
                    "The default entity of {user} is {user} or a team that {user} is in. A team named \"{entity}\" with this member is not found."
                )),
                other => other.into(),
            })?;
        }
        let after = row(&mut tx, account.target()).await?;
        let (old, new) = differing([
            ("display_name", json!(before.display_name), json!(after.display_name)),
            ("email", json!(before.email), json!(after.email)),
            ("default_entity", json!(before.default_entity), json!(after.default_entity)),
        ]);
        if !new.is_empty() {
            let event = Event {
                kind: Kind::UserUpdated,
                subject: subject(after.id),
                before: Some(Value::Object(old)),
                after: Some(Value::Object(new)),
            };
            audit::record(&mut tx, request.origin(), None, &[event]).await?;
        }
        regalia_store::commit(tx).await?;
        Ok(after)
    }

    /// Sets a password and ends the account's sessions, but for the one that asks. Who changes his own has to know the old one,
    /// if there is one; a site administrator with an API key needs none, for anybody's, and one with a session his own, `current`,
    /// for others'. A key that expires sets no password but for the old one: who signs in by a password makes keys without an end.
    ///
    /// # Errors
    /// `NotFound` for the user; `Forbidden` for somebody else's account, for a wrong password and for a key that expires; `Invalid`
    /// for a service account; `Conflict` when it was changed meanwhile; `TooMany` after too many wrong ones.
    pub async fn set_password(
        &self,
        request: &Request,
        user: &EntityName,
        old: Option<&str>,
        current: Option<&str>,
        new: &Password,
    ) -> Result<UserRow> {
        let caller = request.caller()?;
        let mut connection = self.store.read().await?;
        let account = settable(&mut connection, caller, user).await?;
        let target = row(&mut connection, account.target()).await?;
        if target.service_account {
            return Err(Error::Invalid(format!("{user} is a service account, which has no password. Make an API key for it.")));
        }
        let hash = accounts::password_hash(&mut connection, &account).await?;
        // No connection is held while hashes are computed.
        drop(connection);
        // Others' by a reset. An open browser must not be enough to take an account over, be it his own or another's.
        let reset = caller.site_admin && (caller.user != target.id || caller.session.is_none() && old.is_none());
        let tried = if reset {
            self.prove(caller, current).await?
        } else if hash.is_some() {
            let tried = Tried::own(target.id);
            if !self.is_right(&tried, old, hash.as_deref()).await? {
                return Err(Error::Forbidden("The old password is missing or wrong.".into()));
            }
            Some(tried)
        } else {
            None
        };
        let next = self.hasher.hash(new, self.random_bytes()).await?;
        let mut tx = self.begin().await?;
        // The right that is spent is one of this transaction: that from before may have been taken away.
        let account = settable(&mut tx, caller, user).await?;
        let ended = accounts::set_password(&mut tx, &account, hash.as_deref(), &next, self.clock.now(), caller.session)
            .await
            .map_err(|error| match error {
                StoreError::NotFound => Error::Conflict("The password has just been changed by another request.".into()),
                other => other.into(),
            })?;
        let expires = accounts::hold_credential(&mut tx, caller).await.map_err(crate::accounts::ended)?.is_some();
        if expires && tried.is_none() {
            return Err(Error::Forbidden(
                "The API key that you came with expires, so it sets no password but your own, and that only with the old one. Come with \
                 a key that doesn't expire."
                    .into(),
            ));
        }
        if let Some(tried) = tried {
            tried.forget(&mut tx).await?;
        }
        let event = Event {
            kind: Kind::PasswordSet,
            subject: subject(target.id),
            before: None,
            after: Some(json!({ "reset": reset, "sessions_ended": ended })),
        };
        audit::record(&mut tx, request.origin(), None, &[event]).await?;
        let user = row(&mut tx, target.id).await?;
        regalia_store::commit(tx).await?;
        Ok(user)
    }
}

/// The account of a name, with the right to set its password.
async fn settable(
    connection: &mut Connection,
    caller: &Caller,
    user: &EntityName,
) -> Result<access::Granted<access::ManageAccount>> {
    let entity = user_entity(connection, caller, user.as_str()).await?;
    entity.manage_account(caller).map_err(site_only("set somebody else's password"))
}

async fn set_email(
    tx: &mut Tx,
    caller: &Caller,
    account: &access::Granted<access::ManageAccount>,
    email: Option<&str>,
) -> Result<()> {
    let site = access::site(caller).map_err(site_only("set email addresses, because accounts are found by them"))?;
    if let Some(email) = email {
        check_email(email)?;
        keep_apart(tx, email, Some(account.target())).await?;
    }
    Ok(accounts::set_email(tx, &site, account, email).await?)
}
