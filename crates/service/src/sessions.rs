//! Signing in with a password, sessions of browsers, and their end. What must not live here: cookies and origins, which are
//! the server's.

use std::net::{IpAddr, Ipv6Addr};

use chrono::{DateTime, TimeDelta, Utc};
use regalia_domain::digest::Sha256;
use regalia_domain::ids::{SessionId, UserId};
use regalia_domain::passwords::Password;
use regalia_store::access::Caller;
use regalia_store::accounts::{self, SignIn, UserRow};
use regalia_store::audit::{self, Event, Kind, Origin};
use regalia_store::sessions::{self, Browser, Counted, SessionRow, Tries};
use regalia_store::{Error as StoreError, Tx};
use serde_json::json;

use crate::accounts::{row, subject as user_subject};
use crate::{Error, Page, Request, Result, Service};

/// A session ends when it isn't used for so long,
const IDLE: TimeDelta = TimeDelta::hours(12);
/// or so long after it began.
const LONGEST: TimeDelta = TimeDelta::days(14);

/// Tries are counted over so long a time.
const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// How many fail in it, for one account from one address, before no further one is looked at. Of one address it is this limit
/// that is met first, so nobody locks another out from a single place.
const MOST_OF_PAIR: i64 = 10;
/// For one account from everywhere.
const MOST_OF_ACCOUNT: i64 = 50;
/// From one address for all accounts.
const MOST_OF_ADDRESS: i64 = 100;

/// Longest text that is looked up as a name or an address.
const LOGIN_CHARS: usize = 254;

/// Somebody who has just signed in.
pub struct SignedIn {
    /// The session's secret, for the cookie: never to be had again.
    pub token: String,
    /// When it ends however much it is used.
    pub expires_at: DateTime<Utc>,
    /// Who he is.
    pub user: UserRow,
}

impl Service {
    /// Signs in by a name or an e-mail address and a password. The same sentence after the same work answers a wrong password,
    /// an account that isn't there and one without a password.
    ///
    /// # Errors
    /// `Unauthenticated`; `TooMany` after too many tries that failed.
    pub async fn sign_in(&self, request: &Request, login: &str, password: &str, browser: Browser<'_>) -> Result<SignedIn> {
        let wrong = || Error::Unauthenticated("This name and password don't belong together.".into());
        let login = login.trim();
        if login.is_empty() || login.chars().count() > LOGIN_CHARS || login.chars().any(char::is_control) {
            return Err(wrong());
        }
        let tried = Tried { account: Counted::Typed(login).key(), from: network(browser.address) };
        let mut connection = self.store.read().await?;
        // Who is beyond the limit costs less than who isn't: one read.
        within(sessions::tries(&mut connection, tried.account, &tried.from, self.clock.now() - WINDOW).await?, 1)?;
        let found = accounts::by_login(&mut connection, login).await?;
        // No connection is held while a hash is computed.
        drop(connection);
        let hash = found.as_ref().and_then(|found| found.password_hash.as_deref());
        let right = self.is_right(&tried, Some(password), hash).await?;
        let Some((SignIn { caller, .. }, hash)) = found.as_ref().zip(hash).filter(|_| right) else { return Err(wrong()) };

        let token = hex::encode(self.random_bytes::<32>());
        let now = self.clock.now();
        let expires_at = now + LONGEST;
        let mut tx = self.begin().await?;
        tried.forget(&mut tx).await?;
        let session = sessions::begin(&mut tx, caller, hash, Sha256::of(token.as_bytes()), (now, expires_at), browser)
            .await
            .map_err(|error| match error {
                StoreError::NotFound => wrong(),
                other => other.into(),
            })?;
        let event = Event {
            kind: Kind::SessionBegun,
            subject: subject(session),
            before: None,
            after: Some(json!({ "user": user_subject(caller.user), "address": browser.address })),
        };
        let origin = Origin { actor: Some(caller.user), request: request.id };
        audit::record(&mut tx, origin, None, &[event]).await?;
        let user = row(&mut tx, caller.user).await?;
        regalia_store::commit(tx).await?;
        Ok(SignedIn { token, expires_at, user })
    }

    /// Whom a session's secret stands for.
    ///
    /// # Errors
    /// `Unauthenticated`, in the same words for one that ended and one that never was.
    pub async fn of_session(&self, token: &str) -> Result<Caller> {
        let mut connection = self.store.read().await?;
        let caller = accounts::of_session(&mut connection, Sha256::of(token.as_bytes()), self.clock.now(), IDLE).await?;
        caller.ok_or_else(|| Error::Unauthenticated("You aren't signed in any more. Sign in again.".into()))
    }

    /// Who is signed in, and until when at most.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn session(&self, caller: &Caller) -> Result<(UserRow, Option<DateTime<Utc>>)> {
        let mut connection = self.store.read().await?;
        let user = row(&mut connection, caller.user).await?;
        let until = sessions::expires_at(&mut connection, caller).await?;
        Ok((user, until))
    }

    /// Ends the session that a request came with, on every server at once.
    ///
    /// # Errors
    /// `Unauthenticated` when it came with none, or it has ended meanwhile.
    pub async fn sign_out(&self, request: &Request) -> Result<()> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let session = sessions::end(&mut tx, caller).await.map_err(|error| match error {
            StoreError::NotFound => Error::Unauthenticated("You aren't signed in any more.".into()),
            other => other.into(),
        })?;
        audit::record(&mut tx, request.origin(), None, &[ended(caller, session)]).await?;
        regalia_store::commit(tx).await?;
        Ok(())
    }

    /// One page, newest first, of the caller's sessions, if he is among these users; nobody gets others'.
    ///
    /// # Errors
    /// `Invalid` when `after` isn't a number.
    pub async fn own_sessions(&self, caller: &Caller, users: &[i64], page: &Page) -> Result<Vec<SessionRow>> {
        let before = match page.after.as_str() {
            "" => i64::MAX,
            text => text.parse().map_err(|_| Error::Invalid("`after` is not a cursor of a list of sessions.".into()))?,
        };
        let mut connection = self.store.read().await?;
        Ok(sessions::own(&mut connection, caller, users, (self.clock.now(), IDLE), before, page.first).await?)
    }

    /// Ends one of the caller's sessions at once on every server.
    ///
    /// # Errors
    /// `NotFound`, also for the sessions of others.
    pub async fn end_session(&self, request: &Request, session: SessionId) -> Result<()> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        sessions::end_own(&mut tx, caller, session)
            .await
            .map_err(Error::named("There is no session of this id, it has ended already, or it isn't yours.", ""))?;
        audit::record(&mut tx, request.origin(), None, &[ended(caller, session)]).await?;
        regalia_store::commit(tx).await?;
        Ok(())
    }

    /// Ends all of the caller's sessions but the one that he came with, at once on every server. Returns which.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn end_other_sessions(&self, request: &Request) -> Result<Vec<SessionId>> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let others = sessions::end_others(&mut tx, caller).await?;
        let events: Vec<Event> = others.iter().map(|session| ended(caller, *session)).collect();
        audit::record(&mut tx, request.origin(), None, &events).await?;
        regalia_store::commit(tx).await?;
        Ok(others)
    }

    /// Clears sessions that are over, and tries that count no more.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn clear_sessions(&self) -> Result<()> {
        let mut connection = self.store.read().await?;
        Ok(sessions::clear_old(&mut connection, self.clock.now(), IDLE, WINDOW).await?)
    }

    /// Whether a password is the one of the hash. So many are looked at and no more: the numbers are in the database, so any
    /// number of servers count together. A try counts from before it is looked at; what the server was too busy for is none.
    ///
    /// # Errors
    /// `TooMany`.
    pub(crate) async fn is_right(&self, tried: &Tried, password: Option<&str>, hash: Option<&str>) -> Result<bool> {
        let attempt = self.note_try(tried).await?;
        let looked = match password.map(Password::parse) {
            Some(Ok(password)) => self.hasher.matches(&password, hash).await,
            Some(Err(_)) | None => Ok(false),
        };
        if looked.is_err() {
            sessions::forget_try(&mut *self.store.read().await?, attempt).await?;
        }
        looked
    }

    async fn note_try(&self, tried: &Tried) -> Result<i64> {
        let now = self.clock.now();
        let mut connection = self.store.read().await?;
        let attempt = sessions::note_try(&mut connection, tried.account, &tried.from, now).await?;
        // Noted first, so that of many at once no more than the limit pass.
        let tries = sessions::tries(&mut connection, tried.account, &tried.from, now - WINDOW).await?;
        if let Err(refused) = within(tries, 0) {
            sessions::forget_try(&mut connection, attempt).await?;
            return Err(refused);
        }
        Ok(attempt)
    }
}

/// Whether so many more tries may be looked at.
fn within(tries: Tries, more: i64) -> Result<()> {
    let Tries { pair, account, address } = tries;
    if pair + more > MOST_OF_PAIR || account + more > MOST_OF_ACCOUNT || address + more > MOST_OF_ADDRESS {
        return Err(Error::TooMany(format!(
            "Too many wrong passwords were tried. Try again in {} minutes.",
            WINDOW.num_minutes()
        )));
    }
    Ok(())
}

/// What a try of a password is counted for, and where it came from.
pub(crate) struct Tried {
    account: Sha256,
    from: String,
}

impl Tried {
    /// A try of his own password by somebody who is known already, by a key or a session. Where it comes from means nothing: as
    /// many are looked at as of who signs in from one place, and no stranger's are among them.
    pub(crate) fn own(user: UserId) -> Self {
        Self { account: Counted::Own(user).key(), from: format!("(of {})", user_subject(user)) }
    }

    /// Forgets the tries, after one that succeeded.
    pub(crate) async fn forget(&self, tx: &mut Tx) -> Result<()> {
        Ok(sessions::forget_tries(tx, self.account, &self.from).await?)
    }
}

/// By what tries from an address are counted: of IPv6 by the network, because who has one address in it has them all.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => format!("{}/64", Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        _ => address.to_owned(),
    }
}

fn ended(caller: &Caller, session: SessionId) -> Event {
    Event {
        kind: Kind::SessionEnded,
        subject: subject(session),
        before: Some(json!({ "user": user_subject(caller.user) })),
        after: None,
    }
}

fn subject(session: SessionId) -> String {
    format!("Session:{session}")
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        for (address, counted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(network(address), counted);
        }
    }
}
