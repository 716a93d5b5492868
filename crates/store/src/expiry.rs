//! Versions whose time is over (rule 35). What must not live here: their end (`ending`), and bytes (`garbage`).

use chrono::{DateTime, Utc};
use regalia_domain::ids::VersionId;
use regalia_domain::ttl::Ttl;

use crate::collections::Locked;
use crate::{Result, Tx};

/// Versions of one batch: so many that a transaction is worth it, so few that nobody waits long for their collection.
const BATCH: i64 = 100;

/// Locks the committed versions of a locked source collection whose time is over, the longest due first, at most a batch of them. One
/// that was linked into a registry isn't among them, also if the link came a moment ago.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn lock(tx: &mut Tx, source: &Locked, now: DateTime<Utc>) -> Result<Vec<i64>> {
    let due = sqlx::query_scalar!(
        "-- expiry::lock
        select v.id from versions v
        where v.collection_id = $1 and v.state = 'committed' and v.expires_at <= $2 and not exists (
            select 1 from memberships m where m.version_id = v.id and m.collection_id <> v.collection_id)
        order by v.expires_at limit $3 for update of v",
        source.id().0,
        now,
        BATCH
    )
    .fetch_all(&mut **tx)
    .await?;
    // What is read in the statement that waits may be older than the lock.
    Ok(sqlx::query_scalar!(
        "-- expiry::locked
        select v.id from versions v
        where v.id = any($1) and v.state = 'committed' and v.expires_at <= $2 and not exists (
            select 1 from memberships m where m.version_id = v.id and m.collection_id <> v.collection_id)
        order by v.id",
        &due,
        now
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Sets off the expiry of a version that is linked into this collection, because it never expires from now on (rule 35). The
/// version is held. What it was, if there was any.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn disable(tx: &mut Tx, _: &Locked, version: VersionId) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        "-- expiry::disable
        update versions v set ttl_seconds = $2, updated_at = now() from versions old
        where v.id = $1 and old.id = v.id and v.ttl_seconds > 0 returning old.ttl_seconds",
        version.0,
        Ttl::OFF.as_seconds()
    )
    .fetch_optional(&mut **tx)
    .await?)
}
