//! What nobody needs any more: versions that were begun and left, announcements and clients' names of long ago, ended versions that
//! no history names, manifests that no version names, bytes that nothing names, objects without a row. Batch by batch, each short
//! and safe to break off. What must not live here: the objects themselves (the blobs crate), and how long anything is kept (service).

use chrono::{DateTime, Utc};
use regalia_domain::ids::BlobId;

use crate::blobs::BlobKey;
use crate::{Connection, Result, Tx};

/// Announcements that one statement forgets.
const ANNOUNCEMENTS: i64 = 5000;

/// Forgets a few versions that were begun, and of which nothing was announced since a time, `shared_before` being that for those that
/// several processes make; before them, so many at a time, their announcements. How many, and whether there may be more.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn abandoned(tx: &mut Tx, before: DateTime<Utc>, shared_before: DateTime<Utc>) -> Result<(u64, bool)> {
    let ids = sqlx::query_scalar!(
        "-- garbage::abandoned_lock
        select v.id from versions v
        cross join lateral (select case when v.distributed_id is null then $1::timestamptz else $2 end as time) since
        where v.state = 'pending' and v.created_at < $1 and v.created_at < since.time
            and not exists (select 1 from uploads u where u.version_id = v.id and u.created_at >= since.time)
            and not exists (select 1 from manifest_drafts d where v.id in (d.version_id, d.patch_of) and d.created_at >= since.time)
        order by v.created_at limit 10 for update of v skip locked",
        before,
        shared_before
    )
    .fetch_all(&mut **tx)
    .await?;
    // Looked at again under the lock: the announcement of a file waits for it, or came before. Whoever comes between two of these
    // finds announcements missing, and the commit says so.
    let announcements = sqlx::query!(
        "-- garbage::abandoned_uploads
        delete from uploads where id in (
            select u.id from versions v join uploads u on u.version_id = v.id
            cross join lateral (select case when v.distributed_id is null then $2::timestamptz else $3 end as time) since
            where v.id = any($1) and v.state = 'pending'
                and not exists (select 1 from uploads n where n.version_id = v.id and n.created_at >= since.time)
                and not exists (select 1 from manifest_drafts d where v.id in (d.version_id, d.patch_of) and d.created_at >= since.time)
            limit $4)",
        &ids,
        before,
        shared_before,
        ANNOUNCEMENTS
    )
    .execute(&mut **tx)
    .await?;
    if announcements.rows_affected() == ANNOUNCEMENTS.unsigned_abs() {
        return Ok((0, true));
    }
    let done = sqlx::query!(
        "-- garbage::abandoned
        delete from versions where id in (
            select v.id from versions v
            cross join lateral (select case when v.distributed_id is null then $2::timestamptz else $3 end as time) since
            where v.id = any($1) and v.state = 'pending'
                and not exists (select 1 from uploads u where u.version_id = v.id and u.created_at >= since.time)
                and not exists (select 1 from manifest_drafts d where v.id in (d.version_id, d.patch_of) and d.created_at >= since.time))",
        &ids,
        before,
        shared_before
    )
    .execute(&mut **tx)
    .await?;
    Ok((done.rows_affected(), done.rows_affected() > 0))
}

/// Forgets what was announced of manifests before a time, but for those of versions that are still to be committed. How many.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn drafts(connection: &mut Connection, before: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query!(
        "-- garbage::drafts
        delete from manifest_drafts where id in (
            select d.id from manifest_drafts d
            where d.created_at < $1
                and not exists (select 1 from versions v where v.id in (d.version_id, d.patch_of) and v.state = 'pending')
            order by d.id limit $2 for update of d skip locked)",
        before,
        ANNOUNCEMENTS
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets announcements from before a time, but for those of versions that are still to be committed. How many.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn announcements(connection: &mut Connection, before: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query!(
        "-- garbage::announcements
        delete from uploads where id in (
            select u.id from uploads u
            where u.created_at < $1 and not exists (select 1 from versions v where v.id = u.version_id and v.state = 'pending')
            order by u.created_at limit $2 for update of u skip locked)",
        before,
        ANNOUNCEMENTS
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets what clients called versions before a time. How many names.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn client_ids(connection: &mut Connection, before: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query!(
        "-- garbage::client_ids
        delete from client_ids where (user_id, client_id) in (
            select user_id, client_id from client_ids where named_at < $1 order by named_at limit 5000 for update skip locked)",
        before
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets a few versions that ended before a time, their collection too, and that no alias ever pointed at in a collection that is
/// there. Nothing finds them: `state` is what keeps a version from being read, and nothing makes an ended one anew. How many.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn unnamed_versions(connection: &mut Connection, before: DateTime<Utc>) -> Result<u64> {
    let done = sqlx::query!(
        "-- garbage::unnamed_versions
        delete from versions where id in (
            select v.id from versions v
            where v.collection_id is null and v.updated_at < $1 and not exists (select 1 from aliases a where a.version_id = v.id)
            order by v.id limit 1000 for update of v skip locked)",
        before
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// A manifest that no version names.
#[derive(Debug, Clone, Copy)]
pub struct UnnamedManifest {
    /// Number.
    pub id: i64,
    /// How many entries go with it.
    pub entries: i64,
}

/// The last of the next so many manifests after a number; none at the end.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn manifests_until(connection: &mut Connection, after: i64, count: i64) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        "-- garbage::manifests_until
        select max(id) from (select id from manifests where id > $1 order by id limit $2) next",
        after,
        count
    )
    .fetch_one(connection)
    .await?)
}

/// The manifests of a range of numbers that no version names.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn unnamed_manifests(connection: &mut Connection, after: i64, until: i64) -> Result<Vec<UnnamedManifest>> {
    Ok(sqlx::query_as!(
        UnnamedManifest,
        "-- garbage::unnamed_manifests
        select m.id, m.entry_count as entries from manifests m
        where m.id > $1 and m.id <= $2 and not exists (select 1 from versions v where v.manifest_id = m.id) order by m.id",
        after,
        until
    )
    .fetch_all(connection)
    .await?)
}

/// Deletes those of these manifests that no version names, with their entries. Whoever finds one to name it (`manifests::keep`)
/// locks it. How many.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn manifests(tx: &mut Tx, ids: &[i64]) -> Result<u64> {
    let ids = sqlx::query_scalar!(
        "-- garbage::manifests_lock\nselect id from manifests where id = any($1) order by id for update skip locked",
        ids
    )
    .fetch_all(&mut **tx)
    .await?;
    let done = sqlx::query!(
        "-- garbage::manifests
        delete from manifests m where m.id = any($1) and not exists (select 1 from versions v where v.manifest_id = m.id)",
        &ids
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}

/// The last of the next so many blobs after a number; none at the end.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn blobs_until(connection: &mut Connection, after: i64, count: i64) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        "-- garbage::blobs_until
        select max(id) from (select id from blobs where id > $1 order by id limit $2) next",
        after,
        count
    )
    .fetch_one(connection)
    .await?)
}

/// Notes which blobs of a range of numbers nothing names, and of which that isn't so any more.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn mark_blobs(connection: &mut Connection, after: i64, until: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "-- garbage::mark_blobs
        with looked as materialized (
            select b.id, exists (select 1 from manifest_entries e where e.blob_id = b.id)
                or exists (select 1 from manifests m where m.file_blob_id = b.id)
                or exists (select 1 from uploads u where u.blob_id = b.id)
                or exists (select 1 from run_files f where f.blob_id = b.id) as named
            from blobs b where b.id > $1 and b.id <= $2
        ), locked as materialized (
            select b.id, l.named from looked l join blobs b on b.id = l.id
            where l.named = (b.unnamed_since is not null) order by b.id for no key update of b skip locked
        )
        update blobs b set unnamed_since = case when l.named then null else $3::timestamptz end from locked l where b.id = l.id",
        after,
        until,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the rows of a few blobs that nothing names since before a time, and notes that their objects go. How many it looked at,
/// and how many went.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn blobs(tx: &mut Tx, before: DateTime<Utc>) -> Result<(usize, u64)> {
    let ids = sqlx::query_scalar!(
        "-- garbage::blobs_lock
        select id from blobs where unnamed_since <= $1 order by unnamed_since limit 1000 for update skip locked",
        before
    )
    .fetch_all(&mut **tx)
    .await?;
    // Looked at again under the lock: whoever names one of them has done so, or waits for this and finds none.
    let done = sqlx::query!(
        "-- garbage::blobs
        with gone as (
            delete from blobs b
            where b.id = any($1) and b.unnamed_since <= $2
                and not exists (select 1 from manifest_entries e where e.blob_id = b.id)
                and not exists (select 1 from manifests m where m.file_blob_id = b.id)
                and not exists (select 1 from uploads u where u.blob_id = b.id)
                and not exists (select 1 from run_files f where f.blob_id = b.id)
            returning b.id, b.scope_id, b.sha256
        )
        insert into loose_objects (blob_id, scope_id, sha256, going) select id, scope_id, sha256, true from gone",
        &ids,
        before
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("-- garbage::blobs_kept\nupdate blobs set unnamed_since = null where id = any($1)", &ids)
        .execute(&mut **tx)
        .await?;
    Ok((ids.len(), done.rows_affected()))
}

/// Gives up waiting for the rows of objects whose numbers were given before a time: from now on none can come.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn give_up(connection: &mut Connection, before: DateTime<Utc>) -> Result<()> {
    sqlx::query!("-- garbage::give_up\nupdate loose_objects set going = true where since < $1 and not going", before)
        .execute(connection)
        .await?;
    Ok(())
}

/// One page of the objects that go, after a number.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn going(connection: &mut Connection, after: i64, limit: i64) -> Result<Vec<BlobKey>> {
    Ok(sqlx::query_as!(
        BlobKey,
        "-- garbage::going
        select blob_id as id, scope_id, sha256 from loose_objects where going and blob_id > $1 order by blob_id limit $2",
        after,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// Notes that objects are gone.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn gone(connection: &mut Connection, blobs: &[BlobId]) -> Result<()> {
    let ids: Vec<i64> = blobs.iter().map(|blob| blob.0).collect();
    sqlx::query!("-- garbage::gone\ndelete from loose_objects where blob_id = any($1)", &ids).execute(connection).await?;
    Ok(())
}
