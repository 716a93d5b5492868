//! Where versions stand: in their source collection, and by links in collections of registries and projects. What must not live here:
//! who may link (see `access`) and the version's own fields.

use chrono::{DateTime, Utc};
use regalia_domain::alias::AliasRef;
use regalia_domain::ids::{CollectionId, MembershipId, ProjectId, UserId, VersionId};

use crate::access::Caller;
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

/// What `collection:alias` or `collection:vN` names in a project.
#[derive(Debug)]
pub struct Named {
    /// The project or registry.
    pub project: ProjectId,
    /// The collection's name.
    pub collection: String,
    /// What stands after the colon.
    pub alias: AliasRef,
}

/// What these name, in their order; none where nothing is. For projects that the caller was allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn resolve(connection: &mut Connection, names: &[Named]) -> Result<Vec<Option<MembershipRow>>> {
    let (mut projects, mut collections, mut aliases, mut indices) = (vec![], vec![], vec![], vec![]);
    for name in names {
        projects.push(name.project.0);
        collections.push(name.collection.as_str());
        let (alias, index) = match &name.alias {
            AliasRef::Name(alias) => (Some(alias.as_str()), None),
            // An index beyond the column's range is of no version.
            AliasRef::Version(index) => (None, Some(i32::try_from(*index).unwrap_or(-1))),
        };
        aliases.push(alias);
        indices.push(index);
    }
    let rows = sqlx::query!(
        r#"-- memberships::resolve
        select n.at as "at!", m.id as "id!", m.collection_id as "collection_id!", c.project_id, m.version_id as "version_id!",
            m.index as "index!", m.created_at as "created_at!"
        from unnest($1::bigint[], $2::text[], $3::text[], $4::int[]) with ordinality n (project_id, collection, alias, index, at)
        join collections c on c.project_id = n.project_id and c.name = n.collection
        cross join lateral (
            select m.* from aliases a join memberships m on m.collection_id = a.collection_id and m.version_id = a.version_id
            where a.collection_id = c.id and a.alias = n.alias and upper_inf(a.valid)
            union all
            select m.* from memberships m where m.collection_id = c.id and m.index = n.index
        ) m"#,
        &projects,
        &collections as &[&str],
        &aliases as &[Option<&str>],
        &indices as &[Option<i32>]
    )
    .fetch_all(connection)
    .await?;
    let mut places = vec![None; names.len()];
    for row in rows {
        // Ordinality counts from 1.
        if let Some(place) = usize::try_from(row.at - 1).ok().and_then(|at| places.get_mut(at)) {
            *place = Some(MembershipRow {
                id: MembershipId(row.id),
                collection_id: CollectionId(row.collection_id),
                project_id: ProjectId(row.project_id),
                version_id: VersionId(row.version_id),
                index: row.index,
                created_at: row.created_at,
            });
        }
    }
    Ok(places)
}

/// Memberships by number, in any order. The caller of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn memberships(connection: &mut Connection, ids: &[i64]) -> Result<Vec<MembershipRow>> {
    Ok(select_membership!("memberships", "where m.id = any($1)", ids).fetch_all(connection).await?)
}

/// A place by number, if the caller sees the project.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn visible(connection: &mut Connection, caller: &Caller, id: MembershipId) -> Result<Option<MembershipRow>> {
    Ok(select_membership!("visible", "where m.id = $1 and access_level(c.project_id, $2) >= 1", id.0, caller.user.0)
        .fetch_optional(connection)
        .await?)
}

/// All places of these versions, oldest first. The caller of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_versions(connection: &mut Connection, versions: &[i64]) -> Result<Vec<MembershipRow>> {
    Ok(select_membership!("of_versions", "where m.version_id = any($1) order by m.id", versions).fetch_all(connection).await?)
}

/// The newest place of each of these collections, in any order. The caller of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn newest(connection: &mut Connection, collections: &[i64]) -> Result<Vec<MembershipRow>> {
    Ok(select_membership!(
        "newest",
        "where m.id in (
            select newest.id from unnest($1::bigint[]) p (id)
            cross join lateral (select id from memberships where collection_id = p.id order by index desc limit 1) newest
        )",
        collections
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
