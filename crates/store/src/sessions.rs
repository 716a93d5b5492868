//! Sessions of browsers and tries of passwords. What must not live here: whose a session is (`accounts` answers that, the
//! only maker of a caller), and a cookie's value or a password in clear.

use chrono::{DateTime, TimeDelta, Utc};
use regalia_domain::digest::Sha256;
use regalia_domain::ids::{SessionId, UserId};
use regalia_domain::names::name_key;

use crate::access::Caller;
use crate::{Connection, Error, Result, Tx};

/// Where a session begins.
#[derive(Debug, Clone, Copy)]
pub struct Browser<'a> {
    /// Address of the client.
    pub address: &'a str,
    /// What the browser calls itself.
    pub user_agent: Option<&'a str>,
}

/// Begins a session of somebody who has just proved who he is by the password of this hash.
///
/// # Errors
/// `NotFound` when the account is gone or its password was changed meanwhile: a change ends every session of the old one.
pub async fn begin(
    tx: &mut Tx,
    caller: &Caller,
    password_hash: &str,
    token: Sha256,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
    browser: Browser<'_>,
) -> Result<SessionId> {
    let id = sqlx::query_scalar!(
        "-- sessions::begin
        with account as (select id from users where id = $1 and password_hash = $2 for share)
        insert into sessions (user_id, hash, started_at, last_used_at, expires_at, address, user_agent)
        select id, $3, $4, $4, $5, $6, $7 from account returning id",
        caller.user.0,
        password_hash,
        &token.0[..],
        now,
        expires_at,
        browser.address,
        browser.user_agent
    )
    .fetch_optional(&mut **tx)
    .await?;
    id.map(SessionId).ok_or(Error::NotFound)
}

/// A session as its user sees it.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Number.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Last use, at most five minutes behind.
    pub last_used_at: DateTime<Utc>,
    /// When it ends however much it is used.
    pub expires_at: DateTime<Utc>,
    /// Where it began.
    pub address: Option<String>,
    /// What the browser called itself.
    pub user_agent: Option<String>,
}

/// One page, newest first, of the caller's sessions that are neither over nor unused for longer than `idle`, if he is among these
/// users: nobody gets others'. `before` is a number, from which on they are left out.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn own(
    connection: &mut Connection,
    caller: &Caller,
    users: &[i64],
    (now, idle): (DateTime<Utc>, TimeDelta),
    before: i64,
    limit: i64,
) -> Result<Vec<SessionRow>> {
    Ok(sqlx::query_as!(
        SessionRow,
        "-- sessions::own
        select id, user_id, started_at, last_used_at, expires_at, address, user_agent from sessions
        where user_id = $1 and $1 = any($2) and expires_at > $3 and last_used_at > $4 and id < $5 order by id desc limit $6",
        caller.user.0,
        users,
        now,
        now - idle,
        before,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// Ends one of the caller's sessions, on every server at once.
///
/// # Errors
/// `NotFound` when it has ended already, isn't his or never was.
pub async fn end_own(tx: &mut Tx, caller: &Caller, session: SessionId) -> Result<()> {
    let done =
        sqlx::query!("-- sessions::end_own\ndelete from sessions where id = $1 and user_id = $2", session.0, caller.user.0)
            .execute(&mut **tx)
            .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Ends all of the caller's sessions but the one that he came with, on every server at once. Returns which.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn end_others(tx: &mut Tx, caller: &Caller) -> Result<Vec<SessionId>> {
    let ended = sqlx::query_scalar!(
        "-- sessions::end_others\ndelete from sessions where user_id = $1 and id is distinct from $2 returning id",
        caller.user.0,
        caller.session.map(|session| session.0)
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(ended.into_iter().map(SessionId).collect())
}

/// Ends the session that a caller came with, on every server at once.
///
/// # Errors
/// `NotFound` when he came with none, or it has ended meanwhile.
pub async fn end(tx: &mut Tx, caller: &Caller) -> Result<SessionId> {
    let session = caller.session.ok_or(Error::NotFound)?;
    let done = sqlx::query!("-- sessions::end\ndelete from sessions where id = $1", session.0).execute(&mut **tx).await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(session) }
}

/// How long the session that a caller came with lasts at most; none when he came with none.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn expires_at(connection: &mut Connection, caller: &Caller) -> Result<Option<DateTime<Utc>>> {
    let Some(session) = caller.session else { return Ok(None) };
    Ok(sqlx::query_scalar!("-- sessions::expires_at\nselect expires_at from sessions where id = $1", session.0)
        .fetch_optional(connection)
        .await?)
}

/// Tries of a password that were noted and not forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Tries {
    /// For this account from this address.
    pub pair: i64,
    /// For this account.
    pub account: i64,
    /// From this address.
    pub address: i64,
}

/// Notes a try before the password is looked at; returns its number. It must be committed before [`tries`] counts, so that of
/// many at once no more than the limit pass: whoever counts sees all that were noted before.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn note_try(connection: &mut Connection, account: Sha256, address: &str, now: DateTime<Utc>) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "-- sessions::note_try\ninsert into sign_in_attempts (account, address, at) values ($1, $2, $3) returning id",
        &account.0[..],
        address,
        now
    )
    .fetch_one(connection)
    .await?)
}

/// How many tries there were since a moment.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn tries(connection: &mut Connection, account: Sha256, address: &str, since: DateTime<Utc>) -> Result<Tries> {
    Ok(sqlx::query_as!(
        Tries,
        r#"-- sessions::tries
        select count(*) filter (where account = $1 and address = $2) as "pair!", count(*) filter (where account = $1) as "account!",
            count(*) filter (where address = $2) as "address!"
        from sign_in_attempts where (account = $1 or address = $2) and at > $3"#,
        &account.0[..],
        address,
        since
    )
    .fetch_one(connection)
    .await?)
}

/// Forgets one try that nobody looked at: so that being refused doesn't prolong itself.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn forget_try(connection: &mut Connection, id: i64) -> Result<()> {
    sqlx::query!("-- sessions::forget_try\ndelete from sign_in_attempts where id = $1", id).execute(connection).await?;
    Ok(())
}

/// Forgets the tries for an account from an address, after one that succeeded.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn forget_tries(tx: &mut Tx, account: Sha256, address: &str) -> Result<()> {
    sqlx::query!(
        "-- sessions::forget_tries\ndelete from sign_in_attempts where account = $1 and address = $2",
        &account.0[..],
        address
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Clears sessions that are over and tries that count no more. What somebody else is just changing is left for the next time:
/// who waits for nobody is in nobody's way.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn clear_old(connection: &mut Connection, now: DateTime<Utc>, idle: TimeDelta, window: TimeDelta) -> Result<()> {
    sqlx::query!(
        "-- sessions::clear_old
        delete from sessions where id in (
            select id from sessions where expires_at <= $1 or last_used_at <= $2 for update skip locked)",
        now,
        now - idle
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "-- sessions::clear_old_tries
        delete from sign_in_attempts where id in (select id from sign_in_attempts where at <= $1 for update skip locked)",
        now - window
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What tries of passwords are counted for.
#[derive(Debug, Clone, Copy)]
pub enum Counted<'a> {
    /// What was typed as a name or an address by whoever signs in, in any case, whether or not there is such an account: else the
    /// count would tell.
    Typed(&'a str),
    /// An account, by somebody who has it already and proves himself once more. Nobody else's tries are counted with these.
    Own(UserId),
}

impl Counted<'_> {
    /// As the table keeps it.
    #[must_use]
    pub fn key(self) -> Sha256 {
        let text = match self {
            Self::Typed(typed) => format!("typed:{}", name_key(typed)),
            Self::Own(user) => format!("own:{user}"),
        };
        Sha256::of(text.as_bytes())
    }
}
