//! Demo data: many collections with versions, links, aliases and events at once, for measuring and for looking at. What must not
//! live here: people, teams, projects, registries and the contents themselves, which the ordinary use-cases make.
//!
//! The rows are those that commits and links would have left: dense indices, the digest of the manifest, `latest` with its
//! history, an event for each change.

use chrono::{DateTime, Utc};
use regalia_domain::ids::{OrganizationId, ProjectId, UserId};
use regalia_domain::names::name_key;
use uuid::Uuid;

use crate::audit::Kind;
use crate::{Connection, Result, Tx};

/// The oldest site administrator that is no machine's account.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn administrator(connection: &mut Connection) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        "-- demo::administrator\nselect id from users where site_admin and not service_account order by id limit 1"
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(UserId))
}

/// Whoever has a name that the demo data needs.
#[derive(Debug, Clone)]
pub struct HolderRow {
    /// Number.
    pub id: i64,
    /// The name, which may differ by case.
    pub name: String,
    /// `user`, `team` or `organization`.
    pub kind: String,
    /// A team's organization.
    pub organization: Option<i64>,
    /// Whether it is a machine's account.
    pub service_account: bool,
    /// Whether it is an organization that was made by requests of the number asked for.
    pub loaded: bool,
}

/// Who has these names.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn holders(connection: &mut Connection, names: &[&str], loader: Uuid) -> Result<Vec<HolderRow>> {
    let keys: Vec<String> = names.iter().map(|name| name_key(name)).collect();
    Ok(sqlx::query_as!(
        HolderRow,
        r#"-- demo::holders
        select e.id, e.name, e.kind, t.organization_id as "organization?", coalesce(u.service_account, false) as "service_account!",
            exists (select 1 from audit_events a where a.organization_id = e.id and a.kind = $3 and a.request_id = $2) as "loaded!"
        from entities e left join teams t on t.id = e.id left join users u on u.id = e.id
        where e.name_key = any($1) order by e.id"#,
        &keys,
        loader,
        Kind::OrganizationCreated.as_str()
    )
    .fetch_all(connection)
    .await?)
}

/// Those of the users who are in an organization or team already.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn members(connection: &mut Connection, entity: &str, users: &[i64]) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"-- demo::members
        select m.user_id as "user_id!" from entities e cross join lateral (
            select user_id from organization_members where organization_id = e.id union all select user_id from team_members where team_id = e.id
        ) m where e.name = $1 and m.user_id = any($2)"#,
        entity,
        users
    )
    .fetch_all(connection)
    .await?)
}

/// Whether an organization's registries have collections.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn is_filled(connection: &mut Connection, organization: OrganizationId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"-- demo::is_filled
        select exists (select 1 from projects p join collections c on c.project_id = p.id where p.entity_id = $1) as "filled!""#,
        organization.0
    )
    .fetch_one(connection)
    .await?)
}

/// What versions can hold.
#[derive(Debug, Clone)]
pub struct ContentRow {
    /// The manifest.
    pub manifest_id: i64,
    /// Its digest.
    pub digest: String,
}

/// The contents of a collection's versions, oldest first.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn contents(connection: &mut Connection, project: ProjectId, collection: &str) -> Result<Vec<ContentRow>> {
    Ok(sqlx::query_as!(
        ContentRow,
        r#"-- demo::contents
        select v.manifest_id as "manifest_id!", v.digest
        from collections c join memberships m on m.collection_id = c.id join versions v on v.id = m.version_id
        where c.project_id = $1 and c.name = $2 and v.state = 'committed' order by m.index"#,
        project.0,
        collection
    )
    .fetch_all(connection)
    .await?)
}

/// Where the rows go and what they are made of. Lists are gone round: number 5 of three registries is the third.
#[derive(Debug)]
pub struct Demo {
    /// Owner of the registries and of the projects' teams.
    pub organization: OrganizationId,
    /// Where versions are linked.
    pub registries: Vec<i64>,
    /// Where versions are born.
    pub projects: Vec<i64>,
    /// What versions hold; at least two, for a collection never has the same twice in a row (rule 26).
    pub contents: Vec<ContentRow>,
    /// Who makes collections, links and sets aliases.
    pub publisher: UserId,
    /// Who logs versions.
    pub author: UserId,
    /// As the events name what made them.
    pub request: Uuid,
    /// When the first collection was made.
    pub began: DateTime<Utc>,
    /// How many versions each line has.
    pub each: i32,
    /// So many lines at the beginning have one more.
    pub one_more: i32,
    /// So many more the first line has.
    pub long: i32,
}

/// Makes the places as old as what will be in them, and the types for it.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn prepare(tx: &mut Tx, demo: &Demo) -> Result<()> {
    let places: Vec<i64> = demo.registries.iter().chain(&demo.projects).copied().collect();
    sqlx::query!(
        "-- demo::prepare_places
        update projects p set created_at = $2::timestamptz - at * interval '1 hour', updated_at = $2::timestamptz - at * interval '1 hour'
        from unnest($1::bigint[]) with ordinality place (id, at) where p.id = place.id",
        &places,
        demo.began
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "-- demo::prepare_types
        insert into artifact_types (project_id, name)
        select place, type from unnest($1::bigint[]) place, unnest(array['dataset', 'model']) type
        on conflict do nothing",
        &places
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Makes the lines of these numbers: for each a source collection, a registry collection, and versions that are born in the one
/// and linked into the other. Says how many versions. Whole lines at a time, so that each statement leaves nothing half done.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn fill(tx: &mut Tx, demo: &Demo, lines: std::ops::Range<i32>) -> Result<i64> {
    let (manifests, digests): (Vec<i64>, Vec<&str>) =
        demo.contents.iter().map(|content| (content.manifest_id, content.digest.as_str())).unzip();
    Ok(sqlx::query_scalar!(
        r#"-- demo::fill
        with line as materialized (
            select i, l.count, l.began, (now() - l.began) / (l.count + 1) as step, case i % 4 when 3 then 'dataset' else 'model' end as type_name,
                ($3::bigint[])[i % cardinality($3::bigint[]) + 1] as registry_id,
                ($4::bigint[])[i % cardinality($4::bigint[]) + 1] as project_id,
                nextval(pg_get_serial_sequence('collections', 'id')) as source_id,
                nextval(pg_get_serial_sequence('collections', 'id')) as target_id
            from generate_series($1::int, $2::int - 1) i
            cross join lateral (
                select $5::int + (i < $6::int)::int + case i when 0 then $7::int else 0 end as count,
                    $8::timestamptz + i % 100 * interval '1 day' + i % 86400 * interval '1 second' as began
            ) l
        ), collection as materialized (
            select source_id as id, project_id as home, 'source' as kind, type_name || '-' || lpad(i::text, greatest(5, length(i::text)), '0') as name,
                i, count, began, step, type_name
            from line
            union all
            select target_id, registry_id, 'registry', initcap(type_name) || ' ' || lpad(i::text, greatest(5, length(i::text)), '0'), i, count, began, step, type_name
            from line
        ), made_collections as (
            insert into collections (id, project_id, kind, name, type_id, description, next_index, alias_clock, created_by, created_at,
                updated_at)
            overriding system value
            select c.id, c.home, c.kind, c.name, t.id, case i % 3 when 0 then 'Line ' || i || ' of the demo data.' end, c.count,
                c.began + c.count * c.step, $9::bigint, c.began, c.began + c.count * c.step
            from collection c join artifact_types t on t.project_id = c.home and t.name = c.type_name
        ), made_collection_tags as (
            insert into collection_tags (collection_id, tag, created_by, created_at)
            select c.id, x.tag, $9::bigint, c.began from collection c
            cross join lateral (values ('baseline', i % 3 = 0), ('weekly', i % 5 = 0), ('reviewed', i % 7 = 0)) x (tag, given)
            where x.given
        ), version as materialized (
            select line.*, n, (i + n) % cardinality($10::bigint[]) + 1 as content, began + (n + 1) * step as at,
                case when n + 1 < count then began + (n + 2) * step end as until,
                nextval(pg_get_serial_sequence('versions', 'id')) as id,
                nextval(pg_get_serial_sequence('memberships', 'id')) as born,
                nextval(pg_get_serial_sequence('memberships', 'id')) as linked
            from line cross join lateral generate_series(0, count - 1) n
        ), made_versions as (
            insert into versions (id, collection_id, state, digest, manifest_id, description, metadata, metadata_index, created_by,
                created_at, updated_at, committed_at)
            overriding system value
            select v.id, v.source_id, 'committed', ($11::text[])[v.content], ($10::bigint[])[v.content],
                case n % 10 when 0 then 'Trained anew.' end, m.text::json, m.text::jsonb, $12::bigint, v.at, v.at, v.at
            from version v
            cross join lateral (
                select format('{"accuracy": 0.%s, "epochs": %s, "framework": "%s", "data": {"rows": %s}}', 500 + (i * 7 + n * 13) % 500,
                    1 + n % 20, case i % 3 when 0 then 'torch' when 1 then 'jax' else 'sklearn' end, 1000 * (1 + n % 50))
            ) m (text)
        ), made_version_tags as (
            insert into version_tags (version_id, tag, created_by, created_at)
            select v.id, x.tag, $12::bigint, v.at from version v
            cross join lateral (values ('checked', n % 10 = 0), ('candidate', n % 25 = 0)) x (tag, given)
            where x.given
        ), made_memberships as (
            insert into memberships (id, collection_id, version_id, index, created_by, created_at)
            overriding system value
            select born, source_id, id, n, $12::bigint, at from version
            union all
            select linked, target_id, id, n, $9::bigint, at from version
        ), alias as materialized (
            select c.id as collection_id, c.home, v.id as version_id, v.n, x.alias, x.since, x.until
            from version v
            cross join lateral (values (source_id, project_id, false), (target_id, registry_id, true)) c (id, home, is_registry)
            cross join lateral (values
                ('latest', true, v.at, v.until),
                ('best', not is_registry and i % 4 = 0 and n = count / 2, v.at, null),
                ('staging', is_registry and i % 3 = 0 and v.until is null, v.at, null),
                -- Set between two versions, and moved once.
                ('production', is_registry and i % 2 = 0 and count > 4 and n = count / 2, v.at + step / 2,
                    began + (count - 1) * step + step / 2),
                ('production', is_registry and i % 2 = 0 and count > 4 and n = count - 2, v.at + step / 2, null)
            ) x (alias, given, since, until)
            where x.given
        ), made_aliases as (
            insert into aliases (collection_id, version_id, index, alias, valid, set_by)
            select collection_id, version_id, n, alias, tstzrange(since, until), $9::bigint from alias
        ), made_events as (
            insert into audit_events (organization_id, request_id, kind, subject, project_id, collection_id, before, after)
            select $13::bigint, $14::uuid, kind, subject, home, place, before, after from (
                select $15::text as kind, 'Collection:' || id as subject, home, id as place, null::jsonb as before,
                    jsonb_build_object('project', home, 'name', name, 'type', type_name) as after
                from collection
                union all
                select $16::text, 'Version:' || id, project_id, source_id, null,
                    jsonb_build_object('collection', source_id, 'index', n, 'digest', ($11::text[])[content])
                from version
                union all
                select $17::text, 'Version:' || id, registry_id, target_id, null,
                    jsonb_build_object('collection', target_id, 'index', n, 'membership', linked)
                from version
                union all
                select $18::text, 'Collection:' || collection_id, home, collection_id,
                    case when held is not null then jsonb_build_object('alias', alias, 'version', held) end,
                    jsonb_build_object('alias', alias, 'version', version_id)
                from (select *, lag(version_id) over (partition by collection_id, alias order by since) as held from alias) moved
            ) event
        )
        select count(*) as "count!" from version"#,
        lines.start,
        lines.end,
        &demo.registries,
        &demo.projects,
        demo.each,
        demo.one_more,
        demo.long,
        demo.began,
        demo.publisher.0,
        &manifests,
        &digests as &[&str],
        demo.author.0,
        demo.organization.0,
        demo.request,
        Kind::CollectionCreated.as_str(),
        Kind::VersionCommitted.as_str(),
        Kind::VersionLinked.as_str(),
        Kind::AliasSet.as_str()
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Tells PostgreSQL's planner of the new rows.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn analyze(connection: &mut Connection) -> Result<()> {
    sqlx::query!(
        "-- demo::analyze
        analyze projects, registry_user_members, registry_team_members, artifact_types, collections, collection_tags, versions, version_tags, memberships, aliases, audit_events"
    )
    .execute(connection)
    .await?;
    Ok(())
}
