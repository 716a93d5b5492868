//! Sessions of browsers and tries of passwords. What must not live here: whose a session is (`accounts` answers that, the
//! only maker of a caller), and a cookie's value or a password in clear.

use chrono::{DateTime, TimeDelta, Utc};
use regalia_domain::digest::Sha256;
use regalia_domain::ids::{SessionId, UserId};

use crate::access::Caller;
use crate::{Connection, Error, Result, Tx};

/// Begins a session of somebody who has just proved who he is by the password of this hash.
///
/// # Errors
/// `NotFound` when the account is gone or its password was changed meanwhile: a change ends every session of the old one.
pub async fn begin(
    tx: &mut Tx,
    caller: &Caller,
    password_hash: &str,
    token: Sha256,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<SessionId> {
    let id = sqlx::query_scalar!(
        "-- sessions::begin
        with account as (select id from users where id = $1 and password_hash = $2 for share)
        insert into sessions (user_id, hash, started_at, last_used_at, expires_at) select id, $3, $4, $4, $5 from account returning id",
        caller.user.0,
        password_hash,
        &token.0[..],
        now,
        expires_at
    )
    .fetch_optional(&mut **tx)
    .await?;
    id.map(SessionId).ok_or(Error::NotFound)
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

/// Tries of a password that didn't succeed, this one included.
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

/// Forgets one try, which was refused unseen: so that being refused doesn't prolong itself.
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

/// The account that a try is for: one that is there by its number, so that its name and its address count together; else
/// what was typed.
#[must_use]
pub fn account_key(user: Option<UserId>, typed: &str) -> Sha256 {
    match user {
        Some(user) => Sha256::of(format!("user:{user}").as_bytes()),
        None => Sha256::of(format!("typed:{}", regalia_domain::names::name_key(typed)).as_bytes()),
    }
}
