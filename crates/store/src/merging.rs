//! Several staged manifests that become one. What must not live here: which of them there are (service), and what a merged
//! manifest is checked for, which is what any is (`manifests`).

use uuid::Uuid;

use crate::{Connection, Result};

/// A path that one staged part has twice, if there is one.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn twice(connection: &mut Connection, staging: Uuid) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "-- merging::twice
        select path from manifest_staging where staging_id = $1 group by part, path having count(*) > 1 limit 1",
        staging
    )
    .fetch_optional(connection)
    .await?)
}

/// Merges staged parts: of each path the entry of the latest part stays, numbered in path order. Returns how many there are, and how
/// many the parts had together.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn merge(connection: &mut Connection, staging: Uuid) -> Result<(i64, i64)> {
    let merged = sqlx::query!(
        "-- merging::merge
        insert into manifest_staging (staging_id, ordinal, path, digest, size, md5, reference, extra, birth_artifact, skip_cache)
        select $1, row_number() over (order by path), path, digest, size, md5, reference, extra, birth_artifact, skip_cache
        from (
            select distinct on (path) path, digest, size, md5, reference, extra, birth_artifact, skip_cache
            from manifest_staging where staging_id = $1 and part is not null order by path, part desc
        ) latest",
        staging
    )
    .execute(&mut *connection)
    .await?;
    let parts =
        sqlx::query!("-- merging::merged\ndelete from manifest_staging where staging_id = $1 and part is not null", staging)
            .execute(connection)
            .await?;
    // No manifest has so many entries that they are beyond the type.
    let count = |rows| i64::try_from(rows).unwrap_or(i64::MAX);
    Ok((count(merged.rows_affected()), count(parts.rows_affected())))
}

/// A merged entry, for the text of the manifest.
#[derive(Debug)]
pub struct MergedRow {
    /// Place in path order, from 1.
    pub ordinal: i32,
    /// Path.
    pub path: String,
    /// Digest text.
    pub digest: String,
    /// Size in bytes.
    pub size: i64,
    /// A reference's URI.
    pub reference: Option<String>,
    /// What the client keeps beside it.
    pub extra: Option<String>,
    /// The version whose upload brought the bytes, as its client said.
    pub birth_artifact: Option<String>,
    /// Whether clients are asked not to cache it.
    pub skip_cache: bool,
}

/// The next merged entries behind a place: at most so many, and none after those that have so many bytes together.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn page(connection: &mut Connection, staging: Uuid, after: i32, limit: i32, bytes: i64) -> Result<Vec<MergedRow>> {
    // Both ends of the range, since nobody has statistics of a staging table.
    Ok(sqlx::query_as!(
        MergedRow,
        r#"-- merging::page
        with page as (
            select *, sum(octet_length(path) + octet_length(digest) + coalesce(octet_length(reference), 0) + coalesce(octet_length(extra), 0))
                over (order by ordinal rows between unbounded preceding and 1 preceding) as before
            from manifest_staging where staging_id = $1 and ordinal > $2 and ordinal <= $2 + $3::integer
        )
        select ordinal as "ordinal!", path as "path!", digest as "digest!", size as "size!", reference as "reference?", extra as "extra?",
            birth_artifact as "birth_artifact?", coalesce(skip_cache, false) as "skip_cache!"
        from page where coalesce(before, 0) < $4 order by ordinal"#,
        staging,
        after,
        limit,
        bytes
    )
    .fetch_all(connection)
    .await?)
}
