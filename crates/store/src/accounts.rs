//! Users and their API keys. The only place that makes a [`Caller`]. What must not live here: what a user may do
//! (see `access`), and any key in clear.

use chrono::{DateTime, Utc};
use regalia_domain::digest::Sha256;
use regalia_domain::ids::{ApiKeyId, UserId};
use regalia_domain::names::EntityName;

use crate::access::{Caller, Granted, ManageAccount, ManageSite};
use crate::{Connection, Error, Result, Tx, entities, one};

/// How long a key's last use may lag behind, in minutes: a write a request would make each key a hot row.
const LAST_USE_MINUTES: i32 = 5;

/// Whom a key stands for; none when it is unknown or revoked.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn authenticate(connection: &mut Connection, key: Sha256) -> Result<Option<Caller>> {
    let row = sqlx::query!(
        r#"-- accounts::authenticate
        select k.id, u.id as user_id, e.name, u.site_admin,
            coalesce(k.last_used_at < now() - make_interval(mins => $2), true) as "stale!"
        from api_keys k join users u on u.id = k.user_id join entities e on e.id = u.id
        where k.hash = $1 and k.revoked_at is null"#,
        &key.0[..],
        LAST_USE_MINUTES
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.stale {
        sqlx::query!("-- accounts::authenticate_used\nupdate api_keys set last_used_at = now() where id = $1", row.id)
            .execute(connection)
            .await?;
    }
    Ok(Some(Caller { user: UserId(row.user_id), name: row.name, site_admin: row.site_admin }))
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
    Ok(row.map(|row| Caller { user, name: row.name, site_admin: row.site_admin }))
}

/// A user.
#[derive(Debug, Clone)]
pub struct UserRow {
    /// Number.
    pub id: UserId,
    /// Name.
    pub name: String,
    /// Address, if one was given.
    pub email: Option<String>,
    /// Manages accounts and organizations.
    pub site_admin: bool,
    /// A machine's account.
    pub service_account: bool,
    /// Where runs go that name no entity.
    pub default_entity: String,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

/// Users by number, in any order. For rows that the caller was already allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn users(connection: &mut Connection, ids: &[i64]) -> Result<Vec<UserRow>> {
    Ok(sqlx::query_as!(
        UserRow,
        r#"-- accounts::users
        select u.id as "id!", e.name as "name!", u.email as "email?", u.site_admin as "site_admin!",
            u.service_account as "service_account!", coalesce(d.name, e.name) as "default_entity!", e.created_at as "created_at!"
        from users u join entities e on e.id = u.id left join entities d on d.id = u.default_entity_id
        where u.id = any($1)"#,
        ids
    )
    .fetch_all(connection)
    .await?)
}

/// One page of the users that the caller sees: all for a site administrator, else himself and his colleagues. Of them
/// those whose name or address contains `part`, ignoring case; an empty part is in all.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn visible_users(
    connection: &mut Connection,
    caller: &Caller,
    part: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<UserRow>> {
    Ok(sqlx::query_as!(
        UserRow,
        r#"-- accounts::visible_users
        select u.id as "id!", e.name as "name!", u.email as "email?", u.site_admin as "site_admin!",
            u.service_account as "service_account!", coalesce(d.name, e.name) as "default_entity!", e.created_at as "created_at!"
        from users u join entities e on e.id = u.id left join entities d on d.id = u.default_entity_id
        where e.name > $3 and ($2 or u.id = $1 or exists (
            select 1 from organization_members mine join organization_members theirs using (organization_id)
            where mine.user_id = $1 and theirs.user_id = u.id))
            and (strpos(lower(e.name), lower($5)) > 0 or strpos(lower(u.email), lower($5)) > 0)
        order by e.name limit $4"#,
        caller.user.0,
        caller.site_admin,
        after,
        limit,
        part
    )
    .fetch_all(connection)
    .await?)
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
    sqlx::query!("-- accounts::insert\ninsert into users (id, email, site_admin) values ($1, $2, $3)", id, email, admin)
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
    let key = insert_key_row(tx, user, key_name, key).await?;
    Ok(Some((user, key.id)))
}

/// Deletes a user, his memberships and keys. One deletion at a time, and none by somebody who was deleted meanwhile: so two
/// site administrators can't delete each other.
///
/// # Errors
/// `Exists` when he still has projects; `Forbidden` when the actor is gone.
pub async fn delete(tx: &mut Tx, account: &Granted<ManageAccount>) -> Result<()> {
    sqlx::query!("-- accounts::delete_lock\nlock table users in share row exclusive mode").execute(&mut **tx).await?;
    if actor(tx, account.actor()).await?.is_none() {
        return Err(Error::Forbidden);
    }
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
}

/// One page, by number, of each user's keys that are not revoked. Only a site administrator gets others' keys than his own.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn keys(connection: &mut Connection, caller: &Caller, users: &[i64], after: i64, limit: i64) -> Result<Vec<KeyRow>> {
    Ok(sqlx::query_as!(
        KeyRow,
        r#"-- accounts::keys
        select k.id as "id!", k.user_id as "user_id!", k.name as "name!", k.created_at as "created_at!", k.last_used_at as "last_used_at?"
        from unnest($1::bigint[]) as u (id) cross join lateral (
            select id, user_id, name, created_at, last_used_at from api_keys
            where user_id = u.id and revoked_at is null and id > $2 order by id limit $3
        ) k
        where $5 or u.id = $4
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

/// Keeps a key's hash.
///
/// # Errors
/// `Exists` when the key is known already.
pub async fn insert_key(tx: &mut Tx, account: &Granted<ManageAccount>, name: &str, key: Sha256) -> Result<KeyRow> {
    insert_key_row(tx, account.target(), name, key).await
}

async fn insert_key_row(tx: &mut Tx, user: UserId, name: &str, key: Sha256) -> Result<KeyRow> {
    let row = sqlx::query_as!(
        KeyRow,
        "-- accounts::insert_key
        insert into api_keys (user_id, name, hash) values ($1, $2, $3) on conflict do nothing
        returning id, user_id, name, created_at, last_used_at",
        user.0,
        name,
        &key.0[..]
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
