//! Rows of stored bytes. A row appears only after its bytes are durable. What must not live here: the bytes (the blobs
//! crate) and who may read them (`manifests`, `uploads`).

use regalia_domain::digest::{Md5, Sha256};
use regalia_domain::ids::BlobId;

use crate::{Connection, Result, Tx, one};

/// The blob of these bytes in a scope, if it is stored: for whoever names it soon. It stays for a day at least, also if nothing
/// has named it for long.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn find(connection: &mut Connection, scope: i64, sha256: Sha256) -> Result<Option<BlobId>> {
    // Where it is just being deleted, the update waits for that and finds nothing.
    let id = sqlx::query_scalar!(
        r#"-- blobs::find
        with found as (
            select id, unnamed_since from blobs where scope_id = $1 and sha256 = $2
        ), kept as (
            update blobs b set unnamed_since = null from found where b.id = found.id and found.unnamed_since is not null returning b.id
        )
        select id as "id!" from found where unnamed_since is null union all select id from kept"#,
        scope,
        &sha256.0[..]
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(BlobId))
}

/// A number for a blob that is about to be stored: part of its key, never given again. A note of the object stays until its row
/// is there or the object is gone.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn reserve(connection: &mut Connection, scope: i64, sha256: Sha256) -> Result<BlobId> {
    let id = sqlx::query_scalar!(
        "-- blobs::reserve
        insert into loose_objects (blob_id, scope_id, sha256, going)
        values (nextval(pg_get_serial_sequence('blobs', 'id')), $1, $2, false) returning blob_id",
        scope,
        &sha256.0[..]
    )
    .fetch_one(connection)
    .await?;
    Ok(BlobId(id))
}

/// Notes stored bytes under their number; none when somebody stored the same bytes meanwhile.
///
/// # Errors
/// `AffectedRows` when the number was given so long ago that the object was given up.
pub async fn insert(tx: &mut Tx, id: BlobId, scope: i64, sha256: Sha256, md5: Md5, size: i64) -> Result<Option<BlobId>> {
    let id = sqlx::query_scalar!(
        "-- blobs::insert
        insert into blobs (id, scope_id, sha256, md5, size) overriding system value values ($1, $2, $3, $4, $5)
        on conflict (scope_id, sha256) do nothing returning id",
        id.0,
        scope,
        &sha256.0[..],
        &md5.0[..],
        size
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(id) = id else { return Ok(None) };
    let done = sqlx::query!("-- blobs::insert_kept\ndelete from loose_objects where blob_id = $1 and not going", id)
        .execute(&mut **tx)
        .await?;
    one("blobs::insert_kept", &done)?;
    Ok(Some(BlobId(id)))
}

/// What is in an object's key.
#[derive(Debug, Clone)]
pub struct BlobKey {
    /// Number.
    pub id: BlobId,
    /// Whose bytes they are.
    pub scope_id: i64,
    /// SHA-256.
    pub sha256: Vec<u8>,
}

/// Where a blob's bytes are.
#[derive(Debug, Clone)]
pub struct BlobRow {
    /// Number.
    pub id: BlobId,
    /// Whose bytes they are.
    pub scope_id: i64,
    /// SHA-256.
    pub sha256: Vec<u8>,
    /// Length in bytes.
    pub size: i64,
}

/// A blob by number. The caller of this has checked what leads to it.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn blob(connection: &mut Connection, id: BlobId) -> Result<Option<BlobRow>> {
    Ok(sqlx::query_as!(BlobRow, "-- blobs::blob\nselect id, scope_id, sha256, size from blobs where id = $1", id.0)
        .fetch_optional(connection)
        .await?)
}
