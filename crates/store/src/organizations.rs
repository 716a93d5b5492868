//! Organizations and their members. What must not live here: teams and registries.

use chrono::{DateTime, Utc};
use regalia_domain::ids::{OrganizationId, UserId};
use regalia_domain::names::{DisplayName, EntityName};
use regalia_domain::roles::OrganizationRole;

use crate::access::{AdministerOrganization, Caller, Granted, ManageSite};
use crate::{Connection, Error, Result, Tx, entities};

/// An organization.
#[derive(Debug, Clone)]
pub struct OrganizationRow {
    /// Number.
    pub id: OrganizationId,
    /// Entity name.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// Who creates its registries: `members` or `admins` (rule 3).
    pub registry_creation: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

macro_rules! select_organization {
    ($name:literal, $rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            OrganizationRow,
            "-- organizations::" + $name + "
            select o.id, e.name, o.display_name, o.registry_creation, e.created_at
            from organizations o join entities e on e.id = o.id
            " + $rest,
            $($argument),+
        )
    };
}

/// The organizations that a name means to the caller: the one of that entity name, else all of that display name.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn named(connection: &mut Connection, caller: &Caller, name: &str) -> Result<Vec<OrganizationRow>> {
    let mut rows = select_organization!(
        "named",
        "where (e.name = $2 or o.display_name = $2)
            and ($3 or exists (select 1 from organization_members m where m.organization_id = o.id and m.user_id = $1))
            order by e.name <> $2, e.name limit 20",
        caller.user.0,
        name,
        caller.site_admin
    )
    .fetch_all(connection)
    .await?;
    if rows.first().is_some_and(|row| row.name == name) {
        rows.truncate(1);
    }
    Ok(rows)
}

/// Organizations by number, in any order. For rows that the caller was already allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn organizations(connection: &mut Connection, ids: &[i64]) -> Result<Vec<OrganizationRow>> {
    Ok(select_organization!("organizations", "where o.id = any($1)", ids).fetch_all(connection).await?)
}

/// One page of the organizations that the caller is in (a site administrator: all), by name.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn visible(connection: &mut Connection, caller: &Caller, after: &str, limit: i64) -> Result<Vec<OrganizationRow>> {
    Ok(select_organization!(
        "visible",
        "where e.name > $2
            and ($3 or exists (select 1 from organization_members m where m.organization_id = o.id and m.user_id = $1))
            order by e.name limit $4",
        caller.user.0,
        after,
        caller.site_admin,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// The organizations that the users are in and the caller too (for a site administrator: all that they are in), by name,
/// each with the user's number.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_users(connection: &mut Connection, caller: &Caller, users: &[i64]) -> Result<Vec<(i64, OrganizationRow)>> {
    let rows = sqlx::query!(
        "-- organizations::of_users
        select m.user_id, o.id, e.name, o.display_name, o.registry_creation, e.created_at
        from organization_members m join organizations o on o.id = m.organization_id join entities e on e.id = o.id
        where m.user_id = any($1)
            and ($3 or exists (select 1 from organization_members mine where mine.organization_id = o.id and mine.user_id = $2))
        order by e.name",
        users,
        caller.user.0,
        caller.site_admin
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let organization = OrganizationRow {
                id: OrganizationId(row.id),
                name: row.name,
                display_name: row.display_name,
                registry_creation: row.registry_creation,
                created_at: row.created_at,
            };
            (row.user_id, organization)
        })
        .collect())
}

/// Makes an organization.
///
/// # Errors
/// `Exists` when the entity name is taken.
pub async fn create(
    tx: &mut Tx,
    _: &Granted<ManageSite>,
    name: &EntityName,
    display_name: &DisplayName,
) -> Result<OrganizationId> {
    let id = entities::insert(tx, "organization", name).await?;
    sqlx::query!(
        "-- organizations::create\ninsert into organizations (id, display_name) values ($1, $2)",
        id,
        display_name.as_str()
    )
    .execute(&mut **tx)
    .await?;
    Ok(OrganizationId(id))
}

/// What an organization's admins set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What people call it.
    pub display_name: String,
    /// Who creates its registries (rule 3).
    pub registry_creation: String,
}

/// Changes the organization's settings. Its entity name stays (rule 19).
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn set_settings(tx: &mut Tx, organization: &Granted<AdministerOrganization>, settings: &Settings) -> Result<()> {
    let done = sqlx::query!(
        "-- organizations::set_settings
        update organizations set display_name = $2, registry_creation = $3 where id = $1",
        organization.target().0,
        settings.display_name,
        settings.registry_creation
    )
    .execute(&mut **tx)
    .await?;
    crate::one("organizations::set_settings", &done)
}

/// Makes a user the first admin of an organization that was just created.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn add_first_admin(tx: &mut Tx, _: &Granted<ManageSite>, organization: OrganizationId, user: UserId) -> Result<()> {
    sqlx::query!(
        "-- organizations::add_first_admin
        insert into organization_members (organization_id, user_id, role) values ($1, $2, 'admin')",
        organization.0,
        user.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes an organization and its memberships.
///
/// # Errors
/// `Exists` when it still has teams, registries or files.
pub async fn delete(tx: &mut Tx, organization: &Granted<AdministerOrganization>) -> Result<()> {
    entities::delete(tx, organization.target().0).await
}

/// A member of an organization.
#[derive(Debug, Clone)]
pub struct MemberRow {
    /// The user.
    pub user_id: UserId,
    /// The user's name.
    pub user_name: String,
    /// viewer, member or admin.
    pub role: String,
}

/// One page, by name, of the members of each organization that the caller is in (a site administrator: of each), with
/// the organization's number.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn members(
    connection: &mut Connection,
    caller: &Caller,
    organizations: &[i64],
    after: &str,
    limit: i64,
) -> Result<Vec<(i64, MemberRow)>> {
    let rows = sqlx::query!(
        r#"-- organizations::members
        select o.id as "id!", m.user_id as "user_id!", m.name as "name!", m.role as "role!"
        from unnest($1::bigint[]) as o (id) cross join lateral (
            select m.user_id, e.name, m.role from organization_members m join entities e on e.id = m.user_id
            where m.organization_id = o.id and e.name > $2 order by e.name limit $3
        ) m
        where $5 or exists (select 1 from organization_members mine where mine.organization_id = o.id and mine.user_id = $4)
        order by m.name"#,
        organizations,
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

/// The member's present role; none for who is no member.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn role(tx: &mut Tx, organization: &Granted<AdministerOrganization>, user: UserId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "-- organizations::role\nselect role from organization_members where organization_id = $1 and user_id = $2",
        organization.target().0,
        user.0
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Keeps everybody else from changing the organization, its members, those of its teams and those of its registries until the
/// commit, so that "the last admin" stays true (rule 16). What the caller may do was read before and may have changed meanwhile:
/// read it again.
///
/// # Errors
/// `NotFound` when the organization has just been deleted.
pub async fn lock(tx: &mut Tx, organization: &Granted<AdministerOrganization>) -> Result<()> {
    sqlx::query_scalar!(
        "-- organizations::lock\nselect id from organizations where id = $1 for no key update",
        organization.target().0
    )
    .fetch_optional(&mut **tx)
    .await?
    .map(drop)
    .ok_or(Error::NotFound)
}

/// How many admins the organization has.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn admins(tx: &mut Tx, organization: &Granted<AdministerOrganization>) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"-- organizations::admins
        select count(*) as "count!" from organization_members where organization_id = $1 and role = 'admin'"#,
        organization.target().0
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Adds a member or changes a member's role.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn set_member(
    tx: &mut Tx,
    organization: &Granted<AdministerOrganization>,
    user: UserId,
    role: OrganizationRole,
) -> Result<()> {
    sqlx::query!(
        "-- organizations::set_member
        insert into organization_members (organization_id, user_id, role) values ($1, $2, $3)
        on conflict (organization_id, user_id) do update set role = excluded.role",
        organization.target().0,
        user.0,
        role.as_str()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends a membership, after [`crate::removal::leave_organization`] the roles that came with it (rule 18).
///
/// # Errors
/// `NotFound` when the user is no member.
pub async fn remove_member(tx: &mut Tx, organization: &Granted<AdministerOrganization>, user: UserId) -> Result<()> {
    let done = sqlx::query!(
        "-- organizations::remove_member
        delete from organization_members where organization_id = $1 and user_id = $2",
        organization.target().0,
        user.0
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}
