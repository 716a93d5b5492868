//! Where versions stand: in their source collection, and by links in registry collections. What must not live here:
//! who may link (see `access`) and the version's own fields.

use chrono::{DateTime, Utc};
use regalia_domain::alias::AliasRef;
use regalia_domain::ids::{CollectionId, MembershipId, ProjectId, UserId, VersionId};

use crate::collections::Locked;
use crate::{Connection, Result, Tx};

/// A version's place in a collection.
#[derive(Debug, Clone)]
pub struct MembershipRow {
    /// Number.
    pub id: MembershipId,
    /// Where it stands.
    pub collection_id: CollectionId,
    /// The collection's project or registry.
    pub project_id: ProjectId,
    /// What stands there.
    pub version_id: VersionId,
    /// N of vN in this collection.
    pub index: i32,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

macro_rules! select_membership {
    ($name:literal, $rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            MembershipRow,
            "-- memberships::" + $name + "
            select m.id as \"id!\", m.collection_id as \"collection_id!\", c.project_id as \"project_id!\",
                m.version_id as \"version_id!\", m.index as \"index!\", m.created_at as \"created_at!\"
            from memberships m join collections c on c.id = m.collection_id
            " + $rest,
            $($argument),+
        )
    };
}

/// What `collection:alias` or `collection:vN` means in a project that the caller was allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn resolve(
    connection: &mut Connection,
    project: ProjectId,
    collection: &str,
    alias: &AliasRef,
) -> Result<Option<MembershipRow>> {
    let (name, index) = match alias {
        AliasRef::Name(name) => (Some(name.as_str()), None),
        // An index beyond the column's range is of no version.
        AliasRef::Version(index) => (None, Some(i32::try_from(*index).unwrap_or(-1))),
    };
    Ok(select_membership!(
        "resolve",
        "left join aliases a on a.collection_id = c.id and a.alias = $3 and upper_inf(a.valid)
            where c.project_id = $1 and c.name = $2 and (m.version_id = a.version_id or m.index = $4)",
        project.0,
        collection,
        name,
        index
    )
    .fetch_optional(connection)
    .await?)
}

/// Memberships by number, in any order. The caller of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn memberships(connection: &mut Connection, ids: &[i64]) -> Result<Vec<MembershipRow>> {
    Ok(select_membership!("memberships", "where m.id = any($1)", ids).fetch_all(connection).await?)
}

/// All places of these versions, oldest first. The caller of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_versions(connection: &mut Connection, versions: &[i64]) -> Result<Vec<MembershipRow>> {
    Ok(select_membership!("of_versions", "where m.version_id = any($1) order by m.id", versions).fetch_all(connection).await?)
}

/// One page of a collection, newest first: those below `before`.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_collection(
    connection: &mut Connection,
    collection: CollectionId,
    before: i32,
    limit: i64,
) -> Result<Vec<MembershipRow>> {
    Ok(select_membership!(
        "of_collection",
        "where m.collection_id = $1 and m.index < $2 order by m.index desc limit $3",
        collection.0,
        before,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// The newest of several collections, at most `limit` each, newest first.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_collections(connection: &mut Connection, collections: &[i64], limit: i64) -> Result<Vec<MembershipRow>> {
    Ok(select_membership!(
        "of_collections",
        "where m.id in (
            select page.id from unnest($1::bigint[]) p (id)
            cross join lateral (select id from memberships where collection_id = p.id order by index desc limit $2) page
        ) order by m.collection_id, m.index desc",
        collections,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// A version's place in a locked collection, if it has one.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_version_in(tx: &mut Tx, collection: &Locked, version: VersionId) -> Result<Option<MembershipRow>> {
    Ok(select_membership!("of_version_in", "where m.collection_id = $1 and m.version_id = $2", collection.id().0, version.0)
        .fetch_optional(&mut **tx)
        .await?)
}

/// Puts a version into a locked collection, under an index taken from it.
///
/// # Errors
/// `Exists` when it stands there already.
pub async fn insert(tx: &mut Tx, collection: &Locked, version: VersionId, index: i32, actor: UserId) -> Result<MembershipId> {
    let id = sqlx::query_scalar!(
        "-- memberships::insert
        insert into memberships (collection_id, version_id, index, created_by) values ($1, $2, $3, $4) returning id",
        collection.id().0,
        version.0,
        index,
        actor.0
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(MembershipId(id))
}
