//! Users, their API keys and passwords. The only place that makes a [`Caller`]. What must not live here: what a user may do
//! (see `access`), the beginning and end of sessions (`sessions`), and any key or password in clear.

use chrono::{DateTime, TimeDelta, Utc};
use regalia_domain::digest::Sha256;
use regalia_domain::ids::{ApiKeyId, SessionId, UserId};
use regalia_domain::names::{DisplayName, EntityName, name_key};

use crate::access::{Caller, Granted, ManageAccount, ManageSite};
use crate::{Connection, Error, Result, Tx, entities, one};

/// How long a key's last use may lag behind, in minutes: a write a request would make each key a hot row.
const LAST_USE_MINUTES: i32 = 5;

/// What a key opens.
#[derive(Debug)]
pub enum Opened {
    /// It stands for this user.
    By(Caller),
    /// It did, until this moment.
    Expired(DateTime<Utc>),
    /// It is unknown or revoked.
    Nothing,
}

/// Whom a key stands for.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn authenticate(connection: &mut Connection, key: Sha256, now: DateTime<Utc>) -> Result<Opened> {
    let row = sqlx::query!(
        r#"-- accounts::authenticate
        select k.id, u.id as user_id, e.name, u.site_admin, k.expires_at,
            coalesce(k.last_used_at < $3::timestamptz - make_interval(mins => $2), true) as "stale!"
        from api_keys k join users u on u.id = k.user_id join entities e on e.id = u.id
        where k.hash = $1 and k.revoked_at is null"#,
        &key.0[..],
        LAST_USE_MINUTES,
        now
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(Opened::Nothing) };
    if let Some(expired) = row.expires_at.filter(|at| *at <= now) {
        return Ok(Opened::Expired(expired));
    }
    if row.stale {
        sqlx::query!("-- accounts::authenticate_used\nupdate api_keys set last_used_at = $2 where id = $1", row.id, now)
            .execute(connection)
            .await?;
    }
    Ok(Opened::By(Caller {
        user: UserId(row.user_id),
        name: row.name,
        site_admin: row.site_admin,
        session: None,
        key: Some(ApiKeyId(row.id)),
    }))
}

/// Whose a session is, that is neither over nor unused for longer than `idle`; none for any other.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_session(
    connection: &mut Connection,
    token: Sha256,
    now: DateTime<Utc>,
    idle: TimeDelta,
) -> Result<Option<Caller>> {
    let row = sqlx::query!(
        r#"-- accounts::of_session
        select s.id, u.id as user_id, e.name, u.site_admin, s.last_used_at < $2::timestamptz - make_interval(mins => $4) as "stale!"
        from sessions s join users u on u.id = s.user_id join entities e on e.id = u.id
        where s.hash = $1 and s.expires_at > $2 and s.last_used_at > $3"#,
        &token.0[..],
        now,
        now - idle,
        LAST_USE_MINUTES
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.stale {
        sqlx::query!("-- accounts::of_session_used\nupdate sessions set last_used_at = $2 where id = $1", row.id, now)
            .execute(connection)
            .await?;
    }
    let session = Some(SessionId(row.id));
    Ok(Some(Caller { user: UserId(row.user_id), name: row.name, site_admin: row.site_admin, session, key: None }))
}

/// An account that somebody wants to sign in to.
pub struct SignIn {
    /// Whose it is.
    pub caller: Caller,
    /// The hash of the password, in PHC form; none when there is no password.
    pub password_hash: Option<String>,
}

/// The account of a name or an address, whoever asks: for a comparison of passwords, which must not tell whether there is one.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn by_login(connection: &mut Connection, login: &str) -> Result<Option<SignIn>> {
    let row = sqlx::query!(
        r#"-- accounts::by_login
        select u.id, e.name, u.site_admin, u.password_hash
        from users u join entities e on e.id = u.id
        where u.id in (
            select id from entities where name = $1 and kind = 'user' union all select id from users where email_key = $2
        )
        order by e.name <> $1 limit 1"#,
        login,
        name_key(login)
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| SignIn {
        caller: Caller { user: UserId(row.id), name: row.name, site_admin: row.site_admin, session: None, key: None },
        password_hash: row.password_hash,
    }))
}

/// The user of a number that a signature vouches for; none when the user is gone.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn actor(connection: &mut Connection, user: UserId) -> Result<Option<Caller>> {
    let row = sqlx::query!(
        "-- accounts::actor\nselect e.name, u.site_admin from users u join entities e on e.id = u.id where u.id = $1",
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Caller { user, name: row.name, site_admin: row.site_admin, session: None, key: None }))
}

/// A user.
#[derive(Debug, Clone)]
pub struct UserRow {
    /// Number.
    pub id: UserId,
    /// Name.
    pub name: String,
    /// What people call him; none: the name.
    pub display_name: Option<String>,
    /// Address, if one was given.
    pub email: Option<String>,
    /// What the account is found by, of the address: none where two accounts had one address before this was kept.
    pub email_key: Option<String>,
    /// Manages accounts and organizations.
    pub site_admin: bool,
    /// A machine's account.
    pub service_account: bool,
    /// Whether he can sign in with a password.
    pub has_password: bool,
    /// Where runs go that name no entity.
    pub default_entity: String,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

macro_rules! select_user {
    ($name:literal, $rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            UserRow,
            "-- accounts::" + $name + "
            select u.id as \"id!\", e.name as \"name!\", u.display_name as \"display_name?\", u.email as \"email?\",
                u.email_key as \"email_key?\", u.site_admin as \"site_admin!\", u.service_account as \"service_account!\",
                u.password_hash is not null as \"has_password!\",
                coalesce(d.name, e.name) as \"default_entity!\", e.created_at as \"created_at!\"
            from users u join entities e on e.id = u.id left join entities d on d.id = u.default_entity_id
            " + $rest,
            $($argument),+
        )
    };
}

/// Users by number, in any order. For rows that the caller was already allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn users(connection: &mut Connection, ids: &[i64]) -> Result<Vec<UserRow>> {
    Ok(select_user!("users", "where u.id = any($1)", ids).fetch_all(connection).await?)
}

/// Those of the users of these numbers that the caller sees: himself and his colleagues; a site administrator all.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn users_seen(connection: &mut Connection, caller: &Caller, ids: &[i64]) -> Result<Vec<UserRow>> {
    Ok(select_user!(
        "users_seen",
        "where u.id = any($1) and ($3 or u.id = $2 or exists (
            select 1 from organization_members mine join organization_members theirs using (organization_id)
            where mine.user_id = $2 and theirs.user_id = u.id))",
        ids,
        caller.user.0,
        caller.site_admin
    )
    .fetch_all(connection)
    .await?)
}

/// One page, by name, of the users that the caller sees: all for a site administrator, else himself and his colleagues.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn visible_users(connection: &mut Connection, caller: &Caller, after: &str, limit: i64) -> Result<Vec<UserRow>> {
    Ok(select_user!(
        "visible_users",
        "where e.name > $3 and ($2 or u.id = $1 or exists (
            select 1 from organization_members mine join organization_members theirs using (organization_id)
            where mine.user_id = $1 and theirs.user_id = u.id))
        order by e.name limit $4",
        caller.user.0,
        caller.site_admin,
        after,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// One page of the users that the caller sees and whose name or address contains `part`, ignoring case: first who is called
/// exactly so or has that address, then the others, each by name. `after` is a row's [`UserRow::found_at`].
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn find_users(
    connection: &mut Connection,
    caller: &Caller,
    part: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<UserRow>> {
    Ok(select_user!(
        "find_users",
        "cross join lateral (
            select (case when e.name = $5 or u.email_key = $6 then '0' else '1' end || e.name) collate \"C\" as at
        ) found
        where found.at > $3 and ($2 or u.id = $1 or exists (
            select 1 from organization_members mine join organization_members theirs using (organization_id)
            where mine.user_id = $1 and theirs.user_id = u.id))
            and (strpos(lower(e.name), lower($5)) > 0 or strpos(lower(u.email), lower($5)) > 0)
        order by found.at limit $4",
        caller.user.0,
        caller.site_admin,
        after,
        limit,
        part,
        name_key(part)
    )
    .fetch_all(connection)
    .await?)
}

impl UserRow {
    /// Where the user stands among those that [`find_users`] finds for `part`.
    #[must_use]
    pub fn found_at(&self, part: &str) -> String {
        let exact = self.name == part || self.email_key.as_ref().is_some_and(|key| *key == name_key(part));
        format!("{}{}", if exact { '0' } else { '1' }, self.name)
    }
}

/// The number of the user of an address, whoever asks: to keep addresses apart, and for who may add anybody.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn by_email(connection: &mut Connection, email: &str) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!("-- accounts::by_email\nselect id from users where email_key = $1", name_key(email))
        .fetch_optional(connection)
        .await?;
    Ok(id.map(UserId))
}

/// Keeps others from giving an account this address until the commit.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn lock_email(tx: &mut Tx, email: &str) -> Result<()> {
    sqlx::query!(
        r#"-- accounts::lock_email
        select 1 as "one!" from pg_advisory_xact_lock(hashtextextended('email ' || $1, 0))"#,
        name_key(email)
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// Makes a user.
///
/// # Errors
/// `Exists`.
pub async fn create(tx: &mut Tx, _: &Granted<ManageSite>, name: &EntityName, email: Option<&str>, admin: bool) -> Result<UserId> {
    insert(tx, name, email, admin).await
}

async fn insert(tx: &mut Tx, name: &EntityName, email: Option<&str>, admin: bool) -> Result<UserId> {
    let id = entities::insert(tx, "user", name).await?;
    sqlx::query!(
        "-- accounts::insert\ninsert into users (id, email, email_key, site_admin) values ($1, $2, $3, $4)",
        id,
        email,
        email.map(name_key),
        admin
    )
    .execute(&mut **tx)
    .await?;
    Ok(UserId(id))
}

/// Makes the first site administrator with a key, if there is no user at all. Servers that start together make one.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn create_first(tx: &mut Tx, name: &EntityName, key_name: &str, key: Sha256) -> Result<Option<(UserId, ApiKeyId)>> {
    sqlx::query!("-- accounts::create_first_lock\nlock table users in share row exclusive mode").execute(&mut **tx).await?;
    let empty = sqlx::query_scalar!(
        r#"-- accounts::create_first_check
        select not exists (select 1 from users) as "empty!""#
    )
    .fetch_one(&mut **tx)
    .await?;
    if !empty {
        return Ok(None);
    }
    let user = insert(tx, name, None, true).await?;
    let key = insert_key_row(tx, user, key_name, key, None).await?;
    Ok(Some((user, key.id)))
}

/// Lets one deletion through at a time, and none by somebody who was deleted meanwhile: so two site administrators can't delete
/// each other. What the caller may do was read before and may have changed meanwhile: read it again.
///
/// # Errors
/// `Forbidden` when the actor is gone.
pub async fn lock_deletions(tx: &mut Tx, account: &Granted<ManageAccount>) -> Result<()> {
    sqlx::query!("-- accounts::lock_deletions\nlock table users in share row exclusive mode").execute(&mut **tx).await?;
    if actor(tx, account.actor()).await?.is_none() { Err(Error::Forbidden) } else { Ok(()) }
}

/// Deletes a user, his memberships and keys, under [`lock_deletions`].
///
/// # Errors
/// `Exists` when he still has projects.
pub async fn delete(tx: &mut Tx, account: &Granted<ManageAccount>) -> Result<()> {
    entities::delete(tx, account.target().0).await
}

/// Sets where the user's runs go that name no entity: his own entity, or a team that he is in.
///
/// # Errors
/// `NotFound` when the entity is neither.
pub async fn set_default_entity(tx: &mut Tx, account: &Granted<ManageAccount>, entity: &EntityName) -> Result<()> {
    let done = sqlx::query!(
        "-- accounts::set_default_entity
        update users u set default_entity_id = e.id from entities e
        where u.id = $1 and e.name = $2
            and (e.id = u.id or exists (select 1 from team_members m where m.team_id = e.id and m.user_id = u.id))",
        account.target().0,
        entity.as_str()
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { one("accounts::set_default_entity", &done) }
}

/// Sets what people call the user; none: the name.
///
/// # Errors
/// `AffectedRows` when the account is gone.
pub async fn set_display_name(tx: &mut Tx, account: &Granted<ManageAccount>, name: Option<&DisplayName>) -> Result<()> {
    let done = sqlx::query!(
        "-- accounts::set_display_name\nupdate users set display_name = $2 where id = $1",
        account.target().0,
        name.map(DisplayName::as_str)
    )
    .execute(&mut **tx)
    .await?;
    one("accounts::set_display_name", &done)
}

/// Sets the user's address.
///
/// # Errors
/// `Exists` when another account has it.
pub async fn set_email(
    tx: &mut Tx,
    _: &Granted<ManageSite>,
    account: &Granted<ManageAccount>,
    email: Option<&str>,
) -> Result<()> {
    let done = sqlx::query!(
        "-- accounts::set_email\nupdate users set email = $2, email_key = $3 where id = $1",
        account.target().0,
        email,
        email.map(name_key)
    )
    .execute(&mut **tx)
    .await?;
    one("accounts::set_email", &done)
}

/// The hash of the user's password.
///
/// # Errors
/// `NotFound` when the account is gone.
pub async fn password_hash(connection: &mut Connection, account: &Granted<ManageAccount>) -> Result<Option<String>> {
    sqlx::query_scalar!("-- accounts::password_hash\nselect password_hash from users where id = $1", account.target().0)
        .fetch_optional(connection)
        .await?
        .ok_or(Error::NotFound)
}

/// Sets the password, if it is still the one whose hash is `before`, and ends the user's sessions but for the one that asks.
/// Returns how many ended.
///
/// # Errors
/// `NotFound` when the password has changed meanwhile, or the account is a service account.
pub async fn set_password(
    tx: &mut Tx,
    account: &Granted<ManageAccount>,
    before: Option<&str>,
    hash: &str,
    now: DateTime<Utc>,
    keep: Option<SessionId>,
) -> Result<u64> {
    let done = sqlx::query!(
        "-- accounts::set_password
        update users set password_hash = $3, password_set_at = $4
        where id = $1 and password_hash is not distinct from $2 and not service_account",
        account.target().0,
        before,
        hash,
        now
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    one("accounts::set_password", &done)?;
    let ended = sqlx::query!(
        "-- accounts::set_password_ends\ndelete from sessions where user_id = $1 and id is distinct from $2",
        account.target().0,
        keep.map(|session| session.0)
    )
    .execute(&mut **tx)
    .await?;
    Ok(ended.rows_affected())
}

/// A key as it is listed: never the key itself.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// Number.
    pub id: ApiKeyId,
    /// Owner.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Last use, at most five minutes behind.
    pub last_used_at: Option<DateTime<Utc>>,
    /// From when on it opens nothing; none: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// One page, by number, of each user's keys that are not revoked. Only a site administrator gets others' keys than his own, and
/// whoever manages a team those of its service accounts.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn keys(connection: &mut Connection, caller: &Caller, users: &[i64], after: i64, limit: i64) -> Result<Vec<KeyRow>> {
    Ok(sqlx::query_as!(
        KeyRow,
        r#"-- accounts::keys
        select k.id as "id!", k.user_id as "user_id!", k.name as "name!", k.created_at as "created_at!", k.last_used_at as "last_used_at?",
            k.expires_at as "expires_at?"
        from unnest($1::bigint[]) as u (id) cross join lateral (
            select id, user_id, name, created_at, last_used_at, expires_at from api_keys
            where user_id = u.id and revoked_at is null and id > $2 order by id limit $3
        ) k
        where $5 or u.id = $4 or exists (
            select 1 from users a join teams s on s.id = a.service_team_id
            join organization_members m on m.organization_id = s.organization_id and m.user_id = $4
            left join team_members t on t.team_id = s.id and t.user_id = $4
            where a.id = u.id and (m.role = 'admin' or m.role = 'member' and t.role = 'admin'))
        order by k.id"#,
        users,
        after,
        limit,
        caller.user.0,
        caller.site_admin
    )
    .fetch_all(connection)
    .await?)
}

/// Keeps an account from being deleted, and a service account from being retired, until the commit: its keys are revoked then, and
/// one that is made meanwhile would stay. What the caller may do was read before and may have changed meanwhile: read it again.
///
/// # Errors
/// `NotFound` when the account is gone.
pub async fn hold(tx: &mut Tx, account: &Granted<ManageAccount>) -> Result<()> {
    sqlx::query_scalar!("-- accounts::hold\nselect id from users where id = $1 for share", account.target().0)
        .fetch_optional(&mut **tx)
        .await?
        .map(drop)
        .ok_or(Error::NotFound)
}

/// Keeps what the caller came with, his key or his session, from being ended until the commit. When it expires, if it is a key that
/// does.
///
/// # Errors
/// `NotFound` when it has ended meanwhile.
pub async fn hold_credential(tx: &mut Tx, caller: &Caller) -> Result<Option<DateTime<Utc>>> {
    let held = match (caller.key, caller.session) {
        (Some(key), _) => {
            sqlx::query_scalar!(
                r#"-- accounts::hold_key
                select expires_at as "at?" from api_keys where id = $1 and revoked_at is null for share"#,
                key.0
            )
            .fetch_optional(&mut **tx)
            .await?
        }
        (None, Some(session)) => {
            sqlx::query_scalar!("-- accounts::hold_session\nselect id from sessions where id = $1 for share", session.0)
                .fetch_optional(&mut **tx)
                .await?
                .map(|_| None)
        }
        (None, None) => None,
    };
    held.ok_or(Error::NotFound)
}

/// Keeps a key's hash.
///
/// # Errors
/// `Exists` when the key is known already.
pub async fn insert_key(
    tx: &mut Tx,
    account: &Granted<ManageAccount>,
    name: &str,
    key: Sha256,
    expires_at: Option<DateTime<Utc>>,
) -> Result<KeyRow> {
    insert_key_row(tx, account.target(), name, key, expires_at).await
}

async fn insert_key_row(tx: &mut Tx, user: UserId, name: &str, key: Sha256, expires_at: Option<DateTime<Utc>>) -> Result<KeyRow> {
    let row = sqlx::query_as!(
        KeyRow,
        "-- accounts::insert_key
        insert into api_keys (user_id, name, hash, expires_at) values ($1, $2, $3, $4) on conflict do nothing
        returning id, user_id, name, created_at, last_used_at, expires_at",
        user.0,
        name,
        &key.0[..],
        expires_at
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.ok_or(Error::Exists)
}

/// Revokes a key at once on every server.
///
/// # Errors
/// `NotFound` when the account has no such key, or it is revoked already.
pub async fn revoke_key(tx: &mut Tx, account: &Granted<ManageAccount>, key: ApiKeyId) -> Result<()> {
    let done = sqlx::query!(
        "-- accounts::revoke_key
        update api_keys set revoked_at = now() where id = $1 and user_id = $2 and revoked_at is null",
        key.0,
        account.target().0
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { one("accounts::revoke_key", &done) }
}
