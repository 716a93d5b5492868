//! Service accounts: users that a team has for its machines (rule 15). What must not live here: their keys, which are as
//! anybody's (`accounts`), but for the end of all.

use regalia_domain::ids::{OrganizationId, UserId};
use regalia_domain::names::{DisplayName, EntityName};

use crate::access::{AdministerOrganization, AdministerTeam, Granted};
use crate::audit::Origin;
use crate::{Result, Tx, entities};

/// Makes a team's service account, which joins the team and its organization as a member and whose runs go to the team.
///
/// # Errors
/// `Exists` when the name is taken; `NotFound` when the team has just been deleted.
pub async fn create(
    tx: &mut Tx,
    team: &Granted<AdministerTeam>,
    name: &EntityName,
    display_name: Option<&DisplayName>,
) -> Result<UserId> {
    let id = entities::insert(tx, "user", name).await?;
    let team = team.target().0;
    sqlx::query!(
        "-- service_accounts::create
        insert into users (id, display_name, service_account, service_team_id, default_entity_id) values ($1, $2, true, $3, $3)",
        id,
        display_name.map(DisplayName::as_str),
        team
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "-- service_accounts::create_joins
        insert into organization_members (organization_id, user_id, role) select organization_id, $1, 'member' from teams where id = $2",
        id,
        team
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "-- service_accounts::create_joins_team\ninsert into team_members (team_id, user_id, role) values ($2, $1, 'member')",
        id,
        team
    )
    .execute(&mut **tx)
    .await?;
    Ok(UserId(id))
}

/// The organization of a service account's team; none in it for one that was removed from its team, none at all for a person.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn home(tx: &mut Tx, user: UserId) -> Result<Option<Option<OrganizationId>>> {
    let home = sqlx::query_scalar!(
        r#"-- service_accounts::home
        select t.organization_id as "organization_id?" from users u left join teams t on t.id = u.service_team_id
        where u.id = $1 and u.service_account"#,
        user.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(home.map(|organization| organization.map(OrganizationId)))
}

/// Whether a user is a service account of this team.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn is_of(tx: &mut Tx, team: &Granted<AdministerTeam>, user: UserId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"-- service_accounts::is_of
        select exists (select 1 from users where id = $2 and service_team_id = $1) as "is!""#,
        team.target().0,
        user.0
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Ends what is left of a service account that was removed from the team that it is of: its keys, its place in the
/// organization and, recorded, in the organization's teams and registries (rule 18), its belonging to the team. Returns the numbers of the keys; none when it is no service account of this team.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn retire_from_team(
    tx: &mut Tx,
    origin: Origin,
    team: &Granted<AdministerTeam>,
    user: UserId,
) -> Result<Option<Vec<i64>>> {
    let done = sqlx::query!(
        "-- service_accounts::retire_from_team
        update users set service_team_id = null, default_entity_id = null where id = $2 and service_team_id = $1",
        team.target().0,
        user.0
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    crate::removal::leave_with_team(tx, origin, team, user).await?;
    sqlx::query!(
        "-- service_accounts::retire_from_team_leaves
        delete from organization_members m using teams t where t.id = $1 and m.organization_id = t.organization_id and m.user_id = $2",
        team.target().0,
        user.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(Some(revoke_keys(tx, user).await?))
}

/// Ends what is left of a service account that was removed from the organization of its team: its keys, its belonging to the
/// team. Returns the numbers of the keys; none when it is no service account of this organization.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn retire_from_organization(
    tx: &mut Tx,
    organization: &Granted<AdministerOrganization>,
    user: UserId,
) -> Result<Option<Vec<i64>>> {
    let done = sqlx::query!(
        "-- service_accounts::retire_from_organization
        update users set service_team_id = null, default_entity_id = null
        where id = $2 and service_team_id in (select id from teams where organization_id = $1)",
        organization.target().0,
        user.0
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 { Ok(None) } else { Ok(Some(revoke_keys(tx, user).await?)) }
}

async fn revoke_keys(tx: &mut Tx, user: UserId) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        "-- service_accounts::revoke_keys\nupdate api_keys set revoked_at = now() where user_id = $1 and revoked_at is null returning id",
        user.0
    )
    .fetch_all(&mut **tx)
    .await?)
}
