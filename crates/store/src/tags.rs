//! Tags of collections and versions. What must not live here: their grammar.

use crate::{Connection, Result};

/// A tag.
#[derive(Debug, Clone)]
pub struct TagRow {
    /// Number.
    pub id: i64,
    /// The collection's or version's number.
    pub owner: i64,
    /// The tag.
    pub tag: String,
}

/// The tags of these collections, by name. The caller of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_collections(connection: &mut Connection, collections: &[i64]) -> Result<Vec<TagRow>> {
    Ok(sqlx::query_as!(
        TagRow,
        "-- tags::of_collections
        select id, collection_id as owner, tag from collection_tags where collection_id = any($1) order by collection_id, tag",
        collections
    )
    .fetch_all(connection)
    .await?)
}

/// The tags of these versions, by name. The caller of this checks who may see them.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_versions(connection: &mut Connection, versions: &[i64]) -> Result<Vec<TagRow>> {
    Ok(sqlx::query_as!(
        TagRow,
        "-- tags::of_versions
        select id, version_id as owner, tag from version_tags where version_id = any($1) order by version_id, tag",
        versions
    )
    .fetch_all(connection)
    .await?)
}
