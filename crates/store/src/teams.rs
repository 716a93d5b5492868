//! Teams and their members. What must not live here: a team's projects.

use chrono::{DateTime, Utc};
use regalia_domain::ids::{OrganizationId, TeamId, UserId};
use regalia_domain::names::EntityName;
use regalia_domain::roles::TeamRole;

use crate::access::{AdministerOrganization, AdministerTeam, Caller, Granted};
use crate::{Connection, Error, Result, Tx, entities};

/// A team.
#[derive(Debug, Clone)]
pub struct TeamRow {
    /// Number.
    pub id: TeamId,
    /// Name.
    pub name: String,
    /// Owner.
    pub organization_id: OrganizationId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// One page, by name, of the teams of each organization that the caller is in (a site administrator: of each).
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_organizations(
    connection: &mut Connection,
    caller: &Caller,
    organizations: &[i64],
    after: &str,
    limit: i64,
) -> Result<Vec<TeamRow>> {
    Ok(sqlx::query_as!(
        TeamRow,
        r#"-- teams::of_organizations
        select t.id as "id!", t.name as "name!", t.organization_id as "organization_id!", t.created_at as "created_at!"
        from unnest($1::bigint[]) as o (id) cross join lateral (
            select t.id, e.name, t.organization_id, e.created_at from teams t join entities e on e.id = t.id
            where t.organization_id = o.id and e.name > $2 order by e.name limit $3
        ) t
        where $5 or exists (select 1 from organization_members mine where mine.organization_id = o.id and mine.user_id = $4)
        order by t.name"#,
        organizations,
        after,
        limit,
        caller.user.0,
        caller.site_admin
    )
    .fetch_all(connection)
    .await?)
}

/// One page of all teams of the organizations that the caller sees, by name.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn visible(connection: &mut Connection, caller: &Caller, after: &str, limit: i64) -> Result<Vec<TeamRow>> {
    Ok(sqlx::query_as!(
        TeamRow,
        "-- teams::visible
        select t.id, e.name, t.organization_id, e.created_at from teams t join entities e on e.id = t.id
        where e.name > $2
            and ($3 or exists (select 1 from organization_members m where m.organization_id = t.organization_id and m.user_id = $1))
        order by e.name limit $4",
        caller.user.0,
        after,
        caller.site_admin,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// A team by its name, if the caller is in its organization (a site administrator: in any case).
///
/// # Errors
/// `NotFound`: absent or invisible.
pub async fn named(connection: &mut Connection, caller: &Caller, name: &str) -> Result<TeamRow> {
    sqlx::query_as!(
        TeamRow,
        "-- teams::named
        select t.id, e.name, t.organization_id, e.created_at from teams t join entities e on e.id = t.id
        where e.name = $2
            and ($3 or exists (select 1 from organization_members m where m.organization_id = t.organization_id and m.user_id = $1))",
        caller.user.0,
        name,
        caller.site_admin
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::NotFound)
}

/// Teams by number, in any order. For rows that the caller was already allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn teams(connection: &mut Connection, ids: &[i64]) -> Result<Vec<TeamRow>> {
    Ok(sqlx::query_as!(
        TeamRow,
        "-- teams::teams
        select t.id, e.name, t.organization_id, e.created_at from teams t join entities e on e.id = t.id where t.id = any($1)",
        ids
    )
    .fetch_all(connection)
    .await?)
}

/// One page, by name, of the teams that each user is in, as far as the caller is in their organization (a site
/// administrator: all), with the user's number.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_users(
    connection: &mut Connection,
    caller: &Caller,
    users: &[i64],
    after: &str,
    limit: i64,
) -> Result<Vec<(i64, TeamRow)>> {
    let rows = sqlx::query!(
        r#"-- teams::of_users
        select u.id as "user_id!", t.id as "id!", t.name as "name!", t.organization_id as "organization_id!", t.created_at as "created_at!"
        from unnest($1::bigint[]) as u (id) cross join lateral (
            select t.id, e.name, t.organization_id, e.created_at
            from team_members m join teams t on t.id = m.team_id join entities e on e.id = t.id
            where m.user_id = u.id and e.name > $2
                and ($5 or exists (
                    select 1 from organization_members mine where mine.organization_id = t.organization_id and mine.user_id = $4))
            order by e.name limit $3
        ) t
        order by t.name"#,
        users,
        after,
        limit,
        caller.user.0,
        caller.site_admin
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let team = TeamRow {
                id: TeamId(row.id),
                name: row.name,
                organization_id: OrganizationId(row.organization_id),
                created_at: row.created_at,
            };
            (row.user_id, team)
        })
        .collect())
}

/// Makes a team.
///
/// # Errors
/// `Exists` when the name is taken.
pub async fn create(tx: &mut Tx, organization: &Granted<AdministerOrganization>, name: &EntityName) -> Result<TeamId> {
    let id = entities::insert(tx, "team", name).await?;
    sqlx::query!("-- teams::create\ninsert into teams (id, organization_id) values ($1, $2)", id, organization.target().0)
        .execute(&mut **tx)
        .await?;
    Ok(TeamId(id))
}

/// Deletes a team and its memberships.
///
/// # Errors
/// `Exists` when it still has projects.
pub async fn delete(tx: &mut Tx, team: &Granted<AdministerTeam>) -> Result<()> {
    entities::delete(tx, team.target().0).await
}

/// A member of a team.
#[derive(Debug, Clone)]
pub struct MemberRow {
    /// The user.
    pub user_id: UserId,
    /// The user's name.
    pub user_name: String,
    /// member or admin.
    pub role: String,
}

/// One page, by name, of the members of each team whose organization the caller is in (a site administrator: of each),
/// with the team's number.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn members(
    connection: &mut Connection,
    caller: &Caller,
    teams: &[i64],
    after: &str,
    limit: i64,
) -> Result<Vec<(i64, MemberRow)>> {
    let rows = sqlx::query!(
        r#"-- teams::members
        select t.id as "id!", m.user_id as "user_id!", m.name as "name!", m.role as "role!"
        from teams t cross join lateral (
            select m.user_id, e.name, m.role from team_members m join entities e on e.id = m.user_id
            where m.team_id = t.id and e.name > $2 order by e.name limit $3
        ) m
        where t.id = any($1) and ($5 or exists (
            select 1 from organization_members mine where mine.organization_id = t.organization_id and mine.user_id = $4))
        order by m.name"#,
        teams,
        after,
        limit,
        caller.user.0,
        caller.site_admin
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, MemberRow { user_id: UserId(row.user_id), user_name: row.name, role: row.role }))
        .collect())
}

/// Somebody who belongs to a team or an organization, with what the W&B protocol tells of him.
#[derive(Debug, Clone)]
pub struct BelongingRow {
    /// The team or organization.
    pub entity_id: i64,
    /// The user.
    pub user_id: UserId,
    /// The user's name.
    pub user_name: String,
    /// What people call the user.
    pub display_name: Option<String>,
    /// Address, if one was given.
    pub email: Option<String>,
    /// A machine's account.
    pub service_account: bool,
    /// viewer, member or admin.
    pub role: String,
}

/// All who belong to each of these teams and organizations, who joined last at the end, as far as the caller is in the
/// organization (a site administrator: all). Without pages, because the W&B protocol has none there.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn belonging(connection: &mut Connection, caller: &Caller, entities: &[i64]) -> Result<Vec<BelongingRow>> {
    Ok(sqlx::query_as!(
        BelongingRow,
        r#"-- teams::belonging
        select m.entity_id as "entity_id!", m.user_id as "user_id!", e.name as "user_name!", u.display_name as "display_name?",
            u.email as "email?", u.service_account as "service_account!", m.role as "role!"
        from (
            select t.id as entity_id, t.organization_id, m.user_id, m.role, m.joined_at
            from teams t join team_members m on m.team_id = t.id where t.id = any($1)
            union all
            select m.organization_id, m.organization_id, m.user_id, m.role, m.joined_at
            from organization_members m where m.organization_id = any($1)
        ) m
        join users u on u.id = m.user_id join entities e on e.id = u.id
        where $3 or exists (
            select 1 from organization_members mine where mine.organization_id = m.organization_id and mine.user_id = $2)
        order by m.joined_at, m.user_id"#,
        entities,
        caller.user.0,
        caller.site_admin
    )
    .fetch_all(connection)
    .await?)
}

/// For each of these teams, users and organizations the bytes of what its projects' and registries' versions have, as far as
/// the caller sees them: files and references, versions of the same content counted once.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn stored_bytes(connection: &mut Connection, caller: &Caller, entities: &[i64]) -> Result<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"-- teams::stored_bytes
        select e.id as "id!", least(coalesce((
            select sum(m.total_size) from manifests m where m.id in (
                select v.manifest_id from projects p join collections c on c.project_id = p.id
                join versions v on v.collection_id = c.id
                where p.entity_id = e.id and v.state = 'committed' and access_level(p.id, $2) >= 1)
        ), 0), 9223372036854775807)::bigint as "bytes!"
        from unnest($1::bigint[]) as e (id)"#,
        entities,
        caller.user.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.bytes)).collect())
}

/// The name of the organization in which the caller makes a team who names none (rule 23): that of his default entity if that
/// is a team, else the one that he joined last; none when he is in none.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn default_organization(connection: &mut Connection, caller: &Caller) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "-- teams::default_organization
        select e.name from organization_members m join entities e on e.id = m.organization_id
        where m.user_id = $1
        order by exists (
            select 1 from users u join teams t on t.id = u.default_entity_id where u.id = $1 and t.organization_id = m.organization_id
        ) desc, m.joined_at desc, m.organization_id desc
        limit 1",
        caller.user.0
    )
    .fetch_optional(connection)
    .await?)
}

/// Keeps the members of the team's organization as they are until the commit, so that nobody joins the team while he is
/// being removed from the organization (rule 18). What the caller may do was read before and may have changed meanwhile: read it
/// again.
///
/// # Errors
/// `NotFound` when the team has just been deleted.
pub async fn lock(tx: &mut Tx, team: &Granted<AdministerTeam>) -> Result<()> {
    sqlx::query_scalar!(
        "-- teams::lock
        select o.id from organizations o join teams t on t.organization_id = o.id where t.id = $1 for no key update of o",
        team.target().0
    )
    .fetch_optional(&mut **tx)
    .await?
    .map(drop)
    .ok_or(Error::NotFound)
}

/// The user's present role in the team; none for who is no member.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn role(tx: &mut Tx, team: &Granted<AdministerTeam>, user: UserId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "-- teams::role\nselect role from team_members where team_id = $1 and user_id = $2",
        team.target().0,
        user.0
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Adds a member of the organization to one of its teams, or changes the role there.
///
/// # Errors
/// `NotFound` when the user isn't in the organization.
pub async fn set_member(tx: &mut Tx, team: &Granted<AdministerTeam>, user: UserId, role: TeamRole) -> Result<()> {
    let done = sqlx::query!(
        "-- teams::set_member
        insert into team_members (team_id, user_id, role)
        select t.id, m.user_id, $3 from teams t join organization_members m using (organization_id)
        where t.id = $1 and m.user_id = $2
        on conflict (team_id, user_id) do update set role = excluded.role",
        team.target().0,
        user.0,
        role.as_str()
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Makes an organization's member the first admin of a team that was just created.
///
/// # Errors
/// `NotFound` when the user isn't in the organization.
pub async fn add_first_admin(
    tx: &mut Tx,
    organization: &Granted<AdministerOrganization>,
    team: TeamId,
    user: UserId,
) -> Result<()> {
    let done = sqlx::query!(
        "-- teams::add_first_admin
        insert into team_members (team_id, user_id, role)
        select t.id, m.user_id, 'admin' from teams t join organization_members m using (organization_id)
        where t.id = $1 and m.user_id = $2 and t.organization_id = $3",
        team.0,
        user.0,
        organization.target().0
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Ends a membership.
///
/// # Errors
/// `NotFound` when the user is no member.
pub async fn remove_member(tx: &mut Tx, team: &Granted<AdministerTeam>, user: UserId) -> Result<()> {
    let done = sqlx::query!(
        "-- teams::remove_member
        with defaults as (
            update users set default_entity_id = null where id = $2 and default_entity_id = $1 returning id
        )
        delete from team_members where team_id = $1 and user_id = $2",
        team.target().0,
        user.0
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}
