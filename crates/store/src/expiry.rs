//! Versions whose time is over (rule 35). What must not live here: their end (`ending`), and bytes (`garbage`).

use chrono::{DateTime, Utc};
use regalia_domain::ids::{CollectionId, OrganizationId, VersionId};
use regalia_domain::ttl::Ttl;

use crate::collections::{self, Locked};
use crate::{Result, Tx};

/// Versions of one batch: so many that a transaction is worth it, so few that nobody waits long for their collection.
const BATCH: i64 = 100;

/// Among so many of those that are due the longest a collection is looked for.
const LOOKED_AT: i64 = 1000;

/// A source collection with versions whose time is over.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// The collection.
    pub collection: CollectionId,
    /// Whose history it belongs to.
    pub organization: Option<OrganizationId>,
}

/// The source collection of the version that is due the longest, but for those that are named; none when nothing is due.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn due(tx: &mut Tx, now: DateTime<Utc>, but: &[i64]) -> Result<Option<Due>> {
    let row = sqlx::query!(
        r#"-- expiry::due
        select v.collection_id as "collection!", team.organization_id as "organization?"
        from (
            select id, collection_id, expires_at from versions
            where state = 'committed' and expires_at <= $1 and collection_id <> all($2) order by expires_at limit $3
        ) v
        join collections c on c.id = v.collection_id
        join projects p on p.id = c.project_id
        left join teams team on team.id = p.entity_id
        where not in_registry(v.id) order by v.expires_at limit 1"#,
        now,
        but,
        LOOKED_AT
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Due { collection: CollectionId(row.collection), organization: row.organization.map(OrganizationId) }))
}

/// Locks a batch of the versions of a source collection whose time is over, and before them every collection where they stand. One
/// that was linked into a registry isn't among them, also if the link came a moment ago. None when somebody else is at work on one of
/// the collections. No caller: that its versions end was asked for by whoever set their time.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn lock(tx: &mut Tx, due: Due, now: DateTime<Utc>) -> Result<Option<(Vec<Locked>, Vec<i64>)>> {
    let batch = sqlx::query_scalar!(
        "-- expiry::batch
        select v.id from versions v
        where v.collection_id = $1 and v.state = 'committed' and v.expires_at <= $2 and not in_registry(v.id)
        order by v.expires_at limit $3",
        due.collection.0,
        now,
        BATCH
    )
    .fetch_all(&mut **tx)
    .await?;
    let places = sqlx::query_scalar!(
        r#"-- expiry::places
        select collection_id as "id!" from memberships where version_id = any($2) union select $1"#,
        due.collection.0,
        &batch
    )
    .fetch_all(&mut **tx)
    .await?;
    let Some(locked) = collections::lock_unasked(tx, &places).await? else { return Ok(None) };
    sqlx::query!("-- expiry::lock\nselect id from versions where id = any($1) order by id for update", &batch)
        .fetch_all(&mut **tx)
        .await?;
    // What was read before the locks may be older than they are.
    let batch = sqlx::query_scalar!(
        "-- expiry::locked
        select v.id from versions v
        where v.id = any($1) and v.state = 'committed' and v.expires_at <= $2 and not in_registry(v.id) and not exists (
            select 1 from memberships m where m.version_id = v.id and m.collection_id <> all($3))
        order by v.id",
        &batch,
        now,
        &places
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(Some((locked, batch)))
}

/// Sets off the expiry of a version that is linked into this collection of a registry, because it never expires from now on
/// (rule 35). The version is held. What it was, if there was any.
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
