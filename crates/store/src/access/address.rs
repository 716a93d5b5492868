//! What an address names, `ENTITY/PROJECT/COLLECTION:ALIAS`, with the caller's right to it: one statement. What must not live
//! here: how an address is written.

use regalia_domain::alias::AliasRef;
use regalia_domain::ids::{ArtifactTypeId, CollectionId, MembershipId, ProjectId, VersionId};
use regalia_domain::roles::Right;

use super::{Caller, ProjectKind, ProjectRow};
use crate::collections::CollectionRow;
use crate::memberships::MembershipRow;
use crate::versions::VersionRow;
use crate::{Connection, Error, Result};

/// What an address names, as far as it names something.
#[derive(Debug)]
pub struct At {
    /// The project or registry, which the caller sees.
    pub project: ProjectRow,
    /// The collection.
    pub collection: Option<CollectionRow>,
    /// What the alias points at, or what has the index.
    pub place: Option<MembershipRow>,
    /// The version that stands there.
    pub version: Option<VersionRow>,
}

/// What an address names, if the caller sees the project.
///
/// # Errors
/// `NotFound`: the project is absent or invisible.
pub async fn at(
    connection: &mut Connection,
    caller: &Caller,
    entity: &str,
    kind: ProjectKind,
    project: &str,
    collection: &str,
    alias: &AliasRef,
) -> Result<At> {
    let (alias, index) = match alias {
        AliasRef::Name(alias) => (Some(alias.as_str()), None),
        // An index beyond the column's range is of no version.
        AliasRef::Version(index) => (None, Some(i32::try_from(*index).unwrap_or(-1))),
    };
    let row = sqlx::query!(
        r#"-- access::at
        select p.id as "id!", p.kind as "kind!", p.name as "name!", p.description as "description?", p.visibility as "visibility?",
            p.allow_all_types as "allow_all_types!", p.protected_aliases as "protected_aliases!", p.created_at as "created_at!",
            p.updated_at as "updated_at!", p.created_by as "created_by?", p.entity_id as "entity_id!", e.name as "entity_name!",
            e.kind as "entity_kind!", case e.kind when 'organization' then e.id else t.organization_id end as "organization_id?",
            coalesce((select max(s.level) from role_sources(p.id, $1) s), 0)::smallint as "level!",
            c.id as "collection_id?", c.kind as "collection_kind?", c.name as "collection_name?", c.type_id as "type_id?",
            ct.name as "type_name?", c.description as "collection_description?", c.created_at as "collection_created_at?",
            c.updated_at as "collection_updated_at?",
            m.id as "place_id?", m.index as "place_index?", m.created_at as "place_created_at?",
            v.id as "version_id?", v.state as "state?", v.digest as "digest?", v.description as "version_description?",
            v.ttl_seconds as "ttl_seconds?", v.expires_at as "expires_at?", v.history_step as "history_step?",
            v.created_at as "version_created_at?", v.updated_at as "version_updated_at?", v.manifest_id as "manifest_id?",
            f.entry_count as "entry_count?", f.total_size as "total_size?", vt.name as "version_type?",
            v.collection_id as "source_id?", vc.name as "source_name?", vc.project_id as "source_project?",
            ve.name as "source_entity?", team.organization_id as "source_organization?", born.index as "source_index?",
            v.run_id as "run_id?", v.created_by as "version_created_by?",
            coalesce((select max(s.level) from role_sources(vc.project_id, $1) s), 0)::smallint as "source_level!",
            coalesce((
                select max(s.level)
                from (
                    select vc.project_id union
                    select pc.project_id from memberships pm join collections pc on pc.id = pm.collection_id where pm.version_id = v.id
                ) path
                cross join lateral role_sources(path.project_id, $1) s
            ), 0)::smallint as "version_level!"
        from projects p
        join entities e on e.id = p.entity_id
        left join teams t on t.id = e.id
        left join collections c on c.project_id = p.id and c.name = $5
        left join artifact_types ct on ct.id = c.type_id
        left join lateral (
            -- Behind a `select` the planner doesn't see that one of the two is null, and settles for one plan (see CONTRIBUTING).
            select m.* from aliases a join memberships m on m.collection_id = a.collection_id and m.version_id = a.version_id
            where a.collection_id = c.id and a.alias = (select $6::text) and upper_inf(a.valid)
            union all
            select m.* from memberships m where m.collection_id = c.id and m.index = (select $7::int)
        ) m on true
        left join versions v on v.id = m.version_id and v.state <> 'deleted'
        left join collections vc on vc.id = v.collection_id
        left join artifact_types vt on vt.id = vc.type_id
        left join projects vp on vp.id = vc.project_id
        left join entities ve on ve.id = vp.entity_id
        left join teams team on team.id = ve.id
        left join manifests f on f.id = v.manifest_id
        left join memberships born on born.version_id = v.id and born.collection_id = v.collection_id
        where e.name = $2 and p.kind = $3 and p.name = $4"#,
        caller.user.0,
        entity,
        kind.as_str(),
        project,
        collection,
        alias,
        index
    )
    .fetch_optional(connection)
    .await?;
    let row = row.ok_or(Error::NotFound)?;
    let project = ProjectRow {
        id: ProjectId(row.id),
        kind: row.kind.into(),
        name: row.name,
        description: row.description,
        visibility: row.visibility,
        allow_all_types: row.allow_all_types,
        protected_aliases: row.protected_aliases,
        created_at: row.created_at,
        updated_at: row.updated_at,
        created_by: row.created_by,
        entity_id: row.entity_id,
        entity_name: row.entity_name,
        entity_kind: row.entity_kind,
        organization_id: row.organization_id,
        level: row.level,
    };
    if !project.allows(Right::See) {
        return Err(Error::NotFound);
    }
    // Whatever is null where the row is there, the columns are not: each of these is whole, or none.
    let place = || {
        Some(MembershipRow {
            id: MembershipId(row.place_id?),
            collection_id: CollectionId(row.collection_id?),
            project_id: ProjectId(row.id),
            version_id: VersionId(row.version_id?),
            index: row.place_index?,
            created_at: row.place_created_at?,
        })
    };
    let collection = || {
        Some(CollectionRow {
            id: CollectionId(row.collection_id?),
            project_id: ProjectId(row.id),
            kind: row.collection_kind?,
            name: row.collection_name?,
            type_id: ArtifactTypeId(row.type_id?),
            type_name: row.type_name?,
            description: row.collection_description,
            created_at: row.collection_created_at?,
            updated_at: row.collection_updated_at?,
            deleted: false,
        })
    };
    let version = || {
        Some(VersionRow {
            id: VersionId(row.version_id?),
            state: row.state?,
            digest: row.digest?,
            description: row.version_description,
            ttl_seconds: row.ttl_seconds?,
            expires_at: row.expires_at,
            history_step: row.history_step,
            created_at: row.version_created_at?,
            updated_at: row.version_updated_at?,
            manifest_id: row.manifest_id,
            entry_count: row.entry_count.unwrap_or(0),
            total_size: row.total_size.unwrap_or(0),
            type_name: row.version_type?,
            collection_id: row.source_id?,
            collection_name: row.source_name?,
            project_id: ProjectId(row.source_project?),
            entity_name: row.source_entity?,
            organization_id: row.source_organization,
            index: row.source_index,
            run_id: row.run_id,
            created_by: row.version_created_by,
            source_level: row.source_level,
            level: row.version_level,
        })
    };
    Ok(At { project, place: place(), collection: collection(), version: version() })
}
