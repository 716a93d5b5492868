//! Rows of stored bytes. A row appears only after its bytes are durable. What must not live here: the bytes (the blobs
//! crate) and who may read them (`manifests`, `uploads`).

use regalia_domain::digest::{Md5, Sha256};
use regalia_domain::ids::BlobId;

use crate::{Connection, Result, Tx};

/// The blob of these bytes in a scope, if it is stored.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn find(connection: &mut Connection, scope: i64, sha256: Sha256) -> Result<Option<BlobId>> {
    let id =
        sqlx::query_scalar!("-- blobs::find\nselect id from blobs where scope_id = $1 and sha256 = $2", scope, &sha256.0[..])
            .fetch_optional(connection)
            .await?;
    Ok(id.map(BlobId))
}

/// A number for a blob that is about to be stored: part of its key, never given again.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn reserve(connection: &mut Connection) -> Result<BlobId> {
    let id = sqlx::query_scalar!(
        r#"-- blobs::reserve
        select nextval(pg_get_serial_sequence('blobs', 'id')) as "id!""#
    )
    .fetch_one(connection)
    .await?;
    Ok(BlobId(id))
}

/// Notes stored bytes; none when somebody stored the same bytes meanwhile.
///
/// # Errors
/// Of PostgreSQL alone.
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
    Ok(id.map(BlobId))
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
