//! Tags of collections and versions. What must not live here: their grammar.

use regalia_domain::ids::{ProjectId, VersionId};

use crate::access::{Contribute, Granted};
use crate::collections::Locked;
use crate::{Connection, Result, Tx};

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

/// All tags before and after a change, each in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Those that were there.
    pub before: Vec<String>,
    /// Those that are there now.
    pub after: Vec<String>,
}

impl Changed {
    fn to(mut after: Vec<String>, added: &[String], removed: Vec<String>) -> Self {
        after.sort();
        let mut before: Vec<String> = after.iter().filter(|tag| !added.contains(tag)).cloned().chain(removed).collect();
        before.sort();
        Self { before, after }
    }
}

/// Adds tags to a locked collection and takes others away; both by the person who locked it.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn change_of_collection(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    collection: &Locked,
    add: &[String],
    remove: &[String],
) -> Result<Changed> {
    let removed = sqlx::query_scalar!(
        "-- tags::change_of_collection_remove
        delete from collection_tags where collection_id = $1 and tag = any($2) returning tag",
        collection.id().0,
        remove
    )
    .fetch_all(&mut **tx)
    .await?;
    let added = sqlx::query_scalar!(
        "-- tags::change_of_collection_add
        insert into collection_tags (collection_id, tag, created_by) select $1, tag, $3 from unnest($2::text[]) tag
        on conflict do nothing returning tag",
        collection.id().0,
        add,
        project.actor().0
    )
    .fetch_all(&mut **tx)
    .await?;
    let after = sqlx::query_scalar!(
        "-- tags::change_of_collection_after
        select tag from collection_tags where collection_id = $1",
        collection.id().0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(Changed::to(after, &added, removed))
}

/// Adds tags to a version of the project and takes others away. A version of another project has none and gets none.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn change_of_version(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    version: VersionId,
    add: &[String],
    remove: &[String],
) -> Result<Changed> {
    let ProjectId(project_id) = project.target();
    let removed = sqlx::query_scalar!(
        "-- tags::change_of_version_remove
        delete from version_tags t using versions v, collections c
        where t.version_id = $1 and t.tag = any($2) and v.id = t.version_id and c.id = v.collection_id and c.project_id = $3
        returning t.tag",
        version.0,
        remove,
        project_id
    )
    .fetch_all(&mut **tx)
    .await?;
    let added = sqlx::query_scalar!(
        "-- tags::change_of_version_add
        insert into version_tags (version_id, tag, created_by)
        select v.id, tag, $3 from versions v join collections c on c.id = v.collection_id cross join unnest($2::text[]) tag
        where v.id = $1 and c.project_id = $4
        on conflict do nothing returning tag",
        version.0,
        add,
        project.actor().0,
        project_id
    )
    .fetch_all(&mut **tx)
    .await?;
    let after = sqlx::query_scalar!(
        "-- tags::change_of_version_after
        select tag from version_tags where version_id = $1",
        version.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(Changed::to(after, &added, removed))
}
