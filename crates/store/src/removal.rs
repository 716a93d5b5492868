//! What goes with a user, a team or an organization that is deleted (rule 24): what stands in the way of it, and the end of all
//! that it holds where that is forced; and the roles elsewhere that end with whoever is deleted or leaves an organization (rule 18).
//! What must not live here: the deletion of somebody who holds nothing (`accounts`, `teams`,
//! `organizations`), and stored objects, which outlive their rows (`garbage`).

use regalia_domain::alias::LATEST;
use regalia_domain::ids::{OrganizationId, UserId};

use crate::access::{AdministerOrganization, AdministerTeam, Caller, Granted, ManageAccount, ManageSite};
use crate::audit::{Kind, Origin};
use crate::{Error, Result, Tx};

/// Somebody who goes.
#[derive(Debug, Clone)]
pub struct Going {
    /// Number.
    pub id: i64,
    /// user, team or organization.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// Who goes with an entity, in the order in which they can: the service accounts of the teams, the teams, itself.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn going(tx: &mut Tx, entity: i64) -> Result<Vec<Going>> {
    Ok(sqlx::query_as!(
        Going,
        r#"-- removal::going
        select e.id as "id!", e.kind as "kind!", e.name as "name!"
        from (
            select $1::bigint as id
            union select id from teams where organization_id = $1
            union select u.id from users u join teams t on t.id = u.service_team_id where t.id = $1 or t.organization_id = $1
        ) all_of_it join entities e using (id)
        order by case e.kind when 'user' then 1 when 'team' then 2 else 3 end, e.id"#,
        entity
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// A protected alias under which a version is linked.
#[derive(Debug, Clone)]
pub struct Protected {
    /// The registry's name.
    pub registry: String,
    /// The collection's.
    pub collection: String,
    /// The alias.
    pub alias: String,
    /// Whether the caller sees the registry.
    pub seen: bool,
}

/// The protected aliases under which versions of these entities are linked, or any in registries of theirs: the first so many,
/// those that the caller sees before the others, and how many there are.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn protected(tx: &mut Tx, caller: &Caller, entities: &[i64], most: i64) -> Result<(Vec<Protected>, i64)> {
    let rows = sqlx::query!(
        r#"-- removal::protected
        with registries as materialized (
            select id, name, entity_id, protected_aliases, access_level(id, $2) >= 1 as seen
            from projects where protected_aliases <> '{}'
        )
        select r.name as "registry!", c.name as "collection!", a.alias as "alias!", r.seen as "seen!", count(*) over () as "count!"
        from registries r
        join collections c on c.project_id = r.id
        join aliases a on a.collection_id = c.id and upper_inf(a.valid) and a.alias = any(r.protected_aliases)
        join versions v on v.id = a.version_id
        join collections s on s.id = v.collection_id
        join projects p on p.id = s.project_id
        where p.entity_id = any($1) or r.entity_id = any($1)
        order by r.seen desc, r.name, c.name, a.alias limit $3"#,
        entities,
        caller.user.0,
        most
    )
    .fetch_all(&mut **tx)
    .await?;
    let count = rows.first().map_or(0, |row| row.count);
    let rows = rows.into_iter().map(|row| Protected {
        registry: row.registry,
        collection: row.collection,
        alias: row.alias,
        seen: row.seen,
    });
    Ok((rows.collect(), count))
}

/// Keeps links from coming into an organization's registries, and their rules from changing, until the commit. Before the
/// organization itself is locked, in the order of whoever changes a registry's members.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn lock_registries(tx: &mut Tx, _: &Granted<ManageSite>, organization: OrganizationId) -> Result<()> {
    sqlx::query!(
        "-- removal::lock_registries\nselect id from projects where kind = 'registry' and entity_id = $1 order by id for update",
        organization.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(())
}

/// A project or registry that goes.
#[derive(Debug, Clone)]
pub struct GoingProject {
    /// Number.
    pub id: i64,
    /// project or registry.
    pub kind: String,
    /// Name.
    pub name: String,
    /// The owner's name.
    pub entity_name: String,
}

/// The projects and registries of entities.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn projects(tx: &mut Tx, entities: &[i64]) -> Result<Vec<GoingProject>> {
    Ok(sqlx::query_as!(
        GoingProject,
        "-- removal::projects
        select p.id, p.kind, p.name, e.name as entity_name from projects p join entities e on e.id = p.entity_id
        where p.entity_id = any($1) order by p.id",
        entities
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Deletes all that entities hold: projects and registries with everything in them, wherever it is linked, and what they stored;
/// and records what leaves the collections of registries that stay.
///
/// # Errors
/// `Exists` when something came meanwhile, or somebody else's version needs what is stored here.
pub async fn delete_content(tx: &mut Tx, origin: Origin, site: &Granted<ManageSite>, entities: &[i64]) -> Result<()> {
    let actor = site.actor().0;
    sqlx::query!("-- removal::lock_projects\nselect id from projects where entity_id = any($1) order by id for update", entities)
        .fetch_all(&mut **tx)
        .await?;
    // What goes, and what versions of it stand in.
    sqlx::query!(
        "-- removal::lock_collections
        select c.id from collections c where c.id in (
            select g.id from collections g join projects p on p.id = g.project_id where p.entity_id = any($1)
            union
            select m.collection_id from projects p join collections g on g.project_id = p.id join versions v on v.collection_id = g.id
            join memberships m on m.version_id = v.id where p.entity_id = any($1)
        ) order by c.id for update",
        entities
    )
    .fetch_all(&mut **tx)
    .await?;
    let statements = [
        // With versions go places, aliases and what is on its way, but for those that the history of another's collection names.
        sqlx::query!(
            "-- removal::delete_versions
            with going as materialized (
                select c.id from collections c join projects p on p.id = c.project_id where p.entity_id = any($1)
            )
            delete from versions v where v.collection_id in (select id from going) and not exists (
                select 1 from aliases a where a.version_id = v.id and a.collection_id not in (select id from going))",
            entities
        ),
        sqlx::query!(
            "-- removal::leave_clock
            update collections set alias_clock = greatest(clock_timestamp(), alias_clock + interval '1 microsecond'),
                updated_at = now()
            where id in (
                select m.collection_id from projects p join collections g on g.project_id = p.id
                join versions v on v.collection_id = g.id join memberships m on m.version_id = v.id where p.entity_id = any($1))",
            entities
        ),
        sqlx::query!(
            "-- removal::leave_close
            with closed as (
                update aliases a set valid = tstzrange(lower(a.valid), c.alias_clock)
                from collections c, versions v, collections g, projects p
                where c.id = a.collection_id and v.id = a.version_id and g.id = v.collection_id and p.id = g.project_id
                    and p.entity_id = any($1) and upper_inf(a.valid)
                returning a.collection_id, a.alias, a.version_id
            )
            insert into audit_events (organization_id, actor_id, request_id, kind, subject, project_id, collection_id, before)
            select h.entity_id, $2, $3, $4, 'Collection:' || c.id, h.id, c.id,
                jsonb_build_object('alias', closed.alias, 'version', closed.version_id)
            from closed join collections c on c.id = closed.collection_id join projects h on h.id = c.project_id
            where h.entity_id <> all($1) order by c.id, closed.alias",
            entities,
            actor,
            origin.request,
            Kind::AliasRemoved.as_str()
        ),
        sqlx::query!(
            "-- removal::leave_places
            with gone as (
                delete from memberships m using versions v, collections g, projects p
                where v.id = m.version_id and g.id = v.collection_id and p.id = g.project_id and p.entity_id = any($1)
                returning m.id, m.collection_id, m.version_id, m.index
            )
            insert into audit_events (organization_id, actor_id, request_id, kind, subject, project_id, collection_id, before)
            select h.entity_id, $2, $3, $4, 'Version:' || gone.version_id, h.id, c.id,
                jsonb_build_object('collection', c.id, 'index', gone.index, 'membership', gone.id)
            from gone join collections c on c.id = gone.collection_id join projects h on h.id = c.project_id
            where h.entity_id <> all($1) order by c.id, gone.index",
            entities,
            actor,
            origin.request,
            Kind::VersionUnlinked.as_str()
        ),
        sqlx::query!(
            "-- removal::end_versions
            with ended as (
                select v.id from versions v join collections g on g.id = v.collection_id join projects p on p.id = g.project_id
                where p.entity_id = any($1)
            ), untagged as (
                delete from version_tags where version_id in (select id from ended)
            )
            update versions set state = 'deleted', manifest_id = null, description = null, metadata = '{}', metadata_index = '{}',
                updated_at = now()
            where id in (select id from ended)",
            entities
        ),
        sqlx::query!(
            "-- removal::delete_collections
            delete from collections where project_id in (select id from projects where entity_id = any($1))",
            entities
        ),
        // Histories that ended with them name nobody any more.
        sqlx::query!(
            "-- removal::delete_unnamed
            delete from versions v where v.collection_id is null and not exists (select 1 from aliases a where a.version_id = v.id)"
        ),
        sqlx::query!("-- removal::delete_projects\ndelete from projects where entity_id = any($1)", entities),
        sqlx::query!("-- removal::delete_uploads\ndelete from uploads where scope_id = any($1)", entities),
        sqlx::query!("-- removal::delete_manifests\ndelete from manifests where scope_id = any($1)", entities),
        sqlx::query!(
            "-- removal::delete_blobs
            with gone as (delete from blobs where scope_id = any($1) returning id, scope_id, sha256)
            insert into loose_objects (blob_id, scope_id, sha256, going) select id, scope_id, sha256, true from gone",
            entities
        ),
    ];
    for statement in statements {
        statement.execute(&mut **tx).await.map_err(|error| match Error::from(error) {
            // A reference to what is gone, or a version that came meanwhile.
            Error::NotFound => Error::Exists,
            Error::Database(sqlx::Error::Database(refused)) if refused.is_check_violation() => Error::Exists,
            other => other,
        })?;
    }
    Ok(())
}

/// Gives `latest` to the newest link of each of an organization's registry collections that lost its holder (rule 29), and records it.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn restore_latest(tx: &mut Tx, origin: Origin, site: &Granted<ManageSite>, organization: OrganizationId) -> Result<()> {
    sqlx::query!(
        "-- removal::restore_latest
        with bereft as (
            select c.id, newest.version_id, newest.index
            from projects p join collections c on c.project_id = p.id
            cross join lateral (
                select m.version_id, m.index from memberships m where m.collection_id = c.id order by m.index desc limit 1
            ) newest
            where p.entity_id = $1 and p.kind = 'registry' and not exists (
                select 1 from aliases a where a.collection_id = c.id and a.alias = $3 and upper_inf(a.valid))
        ), timed as (
            update collections c set alias_clock = greatest(clock_timestamp(), c.alias_clock + interval '1 microsecond')
            from bereft where c.id = bereft.id returning c.id, bereft.version_id, bereft.index, c.alias_clock
        ), opened as (
            insert into aliases (collection_id, version_id, index, alias, valid, set_by)
            select id, version_id, index, $3, tstzrange(alias_clock, null), $2 from timed
            returning collection_id, version_id
        )
        insert into audit_events (organization_id, actor_id, request_id, kind, subject, project_id, collection_id, after)
        select $1, $2, $4, $5, 'Collection:' || c.id, c.project_id, c.id, jsonb_build_object('alias', $3, 'version', version_id)
        from opened join collections c on c.id = collection_id order by c.id",
        organization.0,
        site.actor().0,
        LATEST,
        origin.request,
        Kind::AliasSet.as_str()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Gives the names back of who goes, in the order of [`going`].
///
/// # Errors
/// `Exists` when something came meanwhile that belongs to one of them.
pub async fn delete(tx: &mut Tx, _: &Granted<ManageSite>, entities: &[i64]) -> Result<()> {
    for entity in entities {
        crate::entities::delete(tx, *entity).await?;
    }
    Ok(())
}

/// Ends what an account is a member of, and records it for those who stay there. Its deletion is next.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn leave_as_account(tx: &mut Tx, origin: Origin, account: &Granted<ManageAccount>) -> Result<()> {
    leave(tx, origin, &[account.target().0], None).await
}

/// Ends what a team is a member of, likewise.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn leave_as_team(tx: &mut Tx, origin: Origin, team: &Granted<AdministerTeam>) -> Result<()> {
    leave(tx, origin, &[team.target().0], None).await
}

/// Ends what all that goes is a member of, likewise.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn leave_by_force(tx: &mut Tx, origin: Origin, _: &Granted<ManageSite>, going: &[i64]) -> Result<()> {
    leave(tx, origin, going, None).await
}

/// Ends what a user is a member of within an organization, but for the organization itself, and records it.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn leave_organization(
    tx: &mut Tx,
    origin: Origin,
    organization: &Granted<AdministerOrganization>,
    user: UserId,
) -> Result<()> {
    leave(tx, origin, &[user.0], Some(organization.target())).await
}

/// The same for a service account that is removed from its team, with which it leaves the organization.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn leave_with_team(tx: &mut Tx, origin: Origin, team: &Granted<AdministerTeam>, account: UserId) -> Result<()> {
    leave(tx, origin, &[account.0], team.organization()).await
}

/// Everywhere or within one organization.
async fn leave(tx: &mut Tx, origin: Origin, entities: &[i64], within: Option<OrganizationId>) -> Result<()> {
    if let Some(organization) = within {
        // Before any place of theirs is touched: whoever deletes accounts has kept others from writing them first, and then does that.
        sqlx::query!(
            "-- removal::leave_defaults
            update users set default_entity_id = null
            where id = any($1) and default_entity_id in (select id from teams where organization_id = $2)",
            entities,
            organization.0
        )
        .execute(&mut **tx)
        .await?;
    } else {
        // So that nobody adds them anywhere meanwhile.
        sqlx::query!("-- removal::leave_users\nselect id from users where id = any($1) order by id for update", entities)
            .fetch_all(&mut **tx)
            .await?;
        sqlx::query!("-- removal::leave_teams\nselect id from teams where id = any($1) order by id for update", entities)
            .fetch_all(&mut **tx)
            .await?;
    }
    sqlx::query!(
        "-- removal::leave
        with registries as (
            delete from registry_user_members m using projects p
            where p.id = m.registry_id and m.user_id = any($1) and ($2::bigint is null or p.entity_id = $2)
            returning p.entity_id as organization_id, p.id as project_id, m.user_id, m.role
        ), team_registries as (
            delete from registry_team_members m using projects p
            where p.id = m.registry_id and m.team_id = any($1) and ($2::bigint is null or p.entity_id = $2)
            returning p.entity_id as organization_id, p.id as project_id, m.team_id, m.role
        ), teams_left as (
            delete from team_members m using teams t
            where t.id = m.team_id and m.user_id = any($1) and ($2::bigint is null or t.organization_id = $2)
            returning t.organization_id, t.id as team_id, m.user_id, m.role
        ), organizations_left as (
            delete from organization_members m where m.user_id = any($1) and $2::bigint is null
            returning m.organization_id, m.user_id, m.role
        )
        insert into audit_events (organization_id, actor_id, request_id, kind, subject, project_id, before)
        select organization_id, $3, $4, kind, subject, project_id, before from (
            select organization_id, $5 as kind, 'Project:' || project_id as subject, project_id,
                jsonb_build_object('user', 'User:' || user_id, 'role', role) as before from registries
            union all
            select organization_id, $5, 'Project:' || project_id, project_id,
                jsonb_build_object('team', 'Team:' || team_id, 'role', role) from team_registries
            union all
            select organization_id, $6, 'Team:' || team_id, null,
                jsonb_build_object('user', 'User:' || user_id, 'role', role) from teams_left where team_id <> all($1)
            union all
            select organization_id, $7, 'Organization:' || organization_id, null,
                jsonb_build_object('user', 'User:' || user_id, 'role', role) from organizations_left
        ) lost
        where organization_id <> all($1) order by organization_id, subject, before",
        entities,
        within.map(|id| id.0),
        origin.actor.map(|id| id.0),
        origin.request,
        Kind::RegistryMemberRemoved.as_str(),
        Kind::TeamMemberRemoved.as_str(),
        Kind::OrganizationMemberRemoved.as_str()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
