//! Users and teams that are members of registries, and what gives somebody a role there. What must not live here: which role
//! somebody may have (rules 12, 15 and 16 are in the domain crate), and how roles follow from memberships (that is the SQL
//! function `role_sources`).

use chrono::{DateTime, Utc};
use regalia_domain::ids::{OrganizationId, ProjectId, TeamId, UserId};
use regalia_domain::roles::RegistryRole;

use crate::access::{Administer, Caller, Granted, ManageAccount};
use crate::{Connection, Error, Result, Tx};

/// A user's direct membership.
#[derive(Debug, Clone)]
pub struct UserMemberRow {
    /// The registry.
    pub registry_id: ProjectId,
    /// The user.
    pub user_id: UserId,
    /// The user's name.
    pub name: String,
    /// The direct role.
    pub role: String,
    /// Since when.
    pub added_at: DateTime<Utc>,
}

/// One page, by name, of the users that are members of each registry. For registries that the caller was allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn users(connection: &mut Connection, registries: &[i64], after: &str, limit: i64) -> Result<Vec<UserMemberRow>> {
    Ok(sqlx::query_as!(
        UserMemberRow,
        r#"-- registry_members::users
        select m.registry_id as "registry_id!", m.user_id as "user_id!", m.name as "name!", m.role as "role!", m.added_at as "added_at!"
        from unnest($1::bigint[]) r (id) cross join lateral (
            select m.registry_id, m.user_id, e.name, m.role, m.added_at
            from registry_user_members m join entities e on e.id = m.user_id
            where m.registry_id = r.id and e.name > $2 order by e.name limit $3
        ) m
        order by m.name"#,
        registries,
        after,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// A team's membership.
#[derive(Debug, Clone)]
pub struct TeamMemberRow {
    /// The registry.
    pub registry_id: ProjectId,
    /// The team.
    pub team_id: TeamId,
    /// The team's name.
    pub name: String,
    /// The role that each user of the team has by it.
    pub role: String,
    /// Since when.
    pub added_at: DateTime<Utc>,
}

/// One page, by name, of the teams that are members of each registry. For registries that the caller was allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn teams(connection: &mut Connection, registries: &[i64], after: &str, limit: i64) -> Result<Vec<TeamMemberRow>> {
    Ok(sqlx::query_as!(
        TeamMemberRow,
        r#"-- registry_members::teams
        select m.registry_id as "registry_id!", m.team_id as "team_id!", m.name as "name!", m.role as "role!", m.added_at as "added_at!"
        from unnest($1::bigint[]) r (id) cross join lateral (
            select m.registry_id, m.team_id, e.name, m.role, m.added_at
            from registry_team_members m join entities e on e.id = m.team_id
            where m.registry_id = r.id and e.name > $2 order by e.name limit $3
        ) m
        order by m.name"#,
        registries,
        after,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// user or team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberKind {
    /// A person or a service account.
    User,
    /// A team.
    Team,
}

impl MemberKind {
    /// As entities store it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Team => "team",
        }
    }
}

/// How a request names a user or team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By number, and the public id as it was sent.
    Id(i64, String),
    /// By entity name.
    Name(String),
}

/// Somebody whom a request names, with the place in the registry.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The user's or team's number.
    pub id: i64,
    /// Which of the two.
    pub kind: MemberKind,
    /// Name.
    pub name: String,
    /// A machine's account.
    pub service_account: bool,
    /// Whether the caller sees the user or team, registry or not.
    pub visible: bool,
    /// The present role of a member.
    pub role: Option<String>,
}

/// Whom these name, in their order; none where nobody is. Also those whom the caller doesn't see: look at `visible` and
/// `role` before anything is said of them.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn candidates(
    tx: &mut Tx,
    registry: &Granted<Administer>,
    caller: &Caller,
    asked: &[(MemberKind, Named)],
) -> Result<Vec<Option<Candidate>>> {
    let (mut kinds, mut ids, mut names) = (vec![], vec![], vec![]);
    for (kind, named) in asked {
        kinds.push(kind.as_str());
        let (id, name) = match named {
            Named::Id(id, _) => (Some(*id), None),
            Named::Name(name) => (None, Some(name.as_str())),
        };
        ids.push(id);
        names.push(name);
    }
    let rows = sqlx::query!(
        r#"-- registry_members::candidates
        select a.at as "at!", e.id, e.name, coalesce(u.service_account, false) as "service_account!",
            coalesce(um.role, tm.role) as "role?",
            $6 or e.id = $2 or exists (
                select 1 from organization_members mine join organization_members theirs using (organization_id)
                where mine.user_id = $2 and theirs.user_id = u.id
            ) or exists (
                select 1 from organization_members mine where mine.organization_id = t.organization_id and mine.user_id = $2
            ) as "visible!"
        from unnest($3::text[], $4::bigint[], $5::text[]) with ordinality a (kind, id, name, at)
        join entities e on e.kind = a.kind and e.id = coalesce(a.id, (select named.id from entities named where named.name = a.name))
        left join users u on u.id = e.id
        left join teams t on t.id = e.id
        left join registry_user_members um on um.registry_id = $1 and um.user_id = e.id
        left join registry_team_members tm on tm.registry_id = $1 and tm.team_id = e.id"#,
        registry.target().0,
        caller.user.0,
        &kinds as &[&str],
        &ids as &[Option<i64>],
        &names as &[Option<&str>],
        caller.site_admin
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut found: Vec<Option<Candidate>> = vec![None; asked.len()];
    for row in rows {
        // Ordinality counts from 1.
        let at = usize::try_from(row.at - 1).unwrap_or(usize::MAX);
        if let (Some(place), Some((kind, _))) = (found.get_mut(at), asked.get(at)) {
            *place = Some(Candidate {
                id: row.id,
                kind: *kind,
                name: row.name,
                service_account: row.service_account,
                visible: row.visible,
                role: row.role,
            });
        }
    }
    Ok(found)
}

/// Keeps the registry's members as they are until the commit, so that "the last direct admin" stays true (rule 16). What the
/// caller may do was read before and may have changed meanwhile: read it again.
///
/// # Errors
/// `NotFound` when the registry has gone.
pub async fn lock(tx: &mut Tx, registry: &Granted<Administer>) -> Result<()> {
    sqlx::query_scalar!("-- registry_members::lock\nselect id from projects where id = $1 for no key update", registry.target().0)
        .fetch_optional(&mut **tx)
        .await?
        .map(drop)
        .ok_or(Error::NotFound)
}

/// The users that are direct admins, whose memberships nobody else ends until the commit, not even by removing them from the
/// organization.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn admins(tx: &mut Tx, registry: &Granted<Administer>) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        "-- registry_members::admins
        select user_id from registry_user_members where registry_id = $1 and role = 'admin' order by user_id for update",
        registry.target().0
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// A registry that would have no direct admin any more.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// Its name; none when the caller doesn't see it.
    pub name: Option<String>,
    /// The entity name of its organization.
    pub organization: String,
}

/// Keeps the members of all registries of which an account is a direct admin as they are until the commit. Taken before the account
/// itself, as whoever changes members does.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn lock_of(tx: &mut Tx, account: &Granted<ManageAccount>) -> Result<()> {
    sqlx::query!(
        "-- registry_members::lock_of
        select o.id from organizations o
        where o.id in (
            select p.entity_id from registry_user_members m join projects p on p.id = m.registry_id
            where m.user_id = $1 and m.role = 'admin')
        order by o.id for no key update",
        account.target().0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(())
}

/// A registry of which the user is the last direct admin and whose organization the caller doesn't administer (rule 16): of one
/// organization, or of any. Those that the caller sees go first.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn orphan(tx: &mut Tx, caller: &Caller, user: UserId, organization: Option<OrganizationId>) -> Result<Option<Orphan>> {
    let row = sqlx::query!(
        r#"-- registry_members::orphan
        select p.name, e.name as organization, access_level(p.id, $2) >= 1 as "seen!"
        from registry_user_members m join projects p on p.id = m.registry_id join entities e on e.id = p.entity_id
        where m.user_id = $1 and m.role = 'admin' and ($3::bigint is null or p.entity_id = $3)
            and not exists (
                select 1 from registry_user_members other
                where other.registry_id = m.registry_id and other.role = 'admin' and other.user_id <> $1)
            and not exists (
                select 1 from organization_members a where a.organization_id = p.entity_id and a.user_id = $2 and a.role = 'admin')
        order by 3 desc, p.name, p.id limit 1"#,
        user.0,
        caller.user.0,
        organization.map(|organization| organization.0)
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| Orphan { name: row.seen.then_some(row.name), organization: row.organization }))
}

/// Whether somebody is an admin of the registry's organization.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn is_organization_admin(tx: &mut Tx, registry: &Granted<Administer>) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"-- registry_members::is_organization_admin
        select exists (select 1 from role_sources($1, $2) where source = 'organization_admin') as "is!""#,
        registry.target().0,
        registry.actor().0
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Keeps the people of the registry's organization in it until the commit.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn keep_people(tx: &mut Tx, registry: &Granted<Administer>) -> Result<()> {
    sqlx::query!(
        "-- registry_members::keep_people
        select o.id from organizations o join projects p on p.entity_id = o.id where p.id = $1 for share of o",
        registry.target().0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(())
}

/// Makes users and teams members. Those who are there already stay as they are.
///
/// # Errors
/// `NotFound` when one of them has just been deleted.
pub async fn add(tx: &mut Tx, registry: &Granted<Administer>, kind: MemberKind, members: &[(i64, RegistryRole)]) -> Result<()> {
    let ids: Vec<i64> = members.iter().map(|(id, _)| *id).collect();
    let roles: Vec<&str> = members.iter().map(|(_, role)| role.as_str()).collect();
    match kind {
        MemberKind::User => {
            sqlx::query!(
                "-- registry_members::add_users
                insert into registry_user_members (registry_id, user_id, role)
                select $1, m.id, m.role from unnest($2::bigint[], $3::text[]) m (id, role) on conflict do nothing",
                registry.target().0,
                &ids,
                &roles as &[&str]
            )
            .execute(&mut **tx)
            .await?
        }
        MemberKind::Team => {
            sqlx::query!(
                "-- registry_members::add_teams
                insert into registry_team_members (registry_id, team_id, role)
                select $1, m.id, m.role from unnest($2::bigint[], $3::text[]) m (id, role) on conflict do nothing",
                registry.target().0,
                &ids,
                &roles as &[&str]
            )
            .execute(&mut **tx)
            .await?
        }
    };
    Ok(())
}

/// Changes a member's role.
///
/// # Errors
/// `NotFound` when he is none.
pub async fn set(tx: &mut Tx, registry: &Granted<Administer>, kind: MemberKind, id: i64, role: RegistryRole) -> Result<()> {
    let done = match kind {
        MemberKind::User => sqlx::query!(
            "-- registry_members::set_user\nupdate registry_user_members set role = $3 where registry_id = $1 and user_id = $2",
            registry.target().0,
            id,
            role.as_str()
        )
        .execute(&mut **tx)
        .await?,
        MemberKind::Team => sqlx::query!(
            "-- registry_members::set_team\nupdate registry_team_members set role = $3 where registry_id = $1 and team_id = $2",
            registry.target().0,
            id,
            role.as_str()
        )
        .execute(&mut **tx)
        .await?,
    };
    // The account may have been deleted since it was looked at.
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Ends memberships; who is no member is passed over (rule 13).
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn remove(tx: &mut Tx, registry: &Granted<Administer>, kind: MemberKind, ids: &[i64]) -> Result<()> {
    match kind {
        MemberKind::User => sqlx::query!(
            "-- registry_members::remove_users\ndelete from registry_user_members where registry_id = $1 and user_id = any($2)",
            registry.target().0,
            ids
        )
        .execute(&mut **tx)
        .await?,
        MemberKind::Team => sqlx::query!(
            "-- registry_members::remove_teams\ndelete from registry_team_members where registry_id = $1 and team_id = any($2)",
            registry.target().0,
            ids
        )
        .execute(&mut **tx)
        .await?,
    };
    Ok(())
}

/// One thing that gives somebody a role in a registry; a user without any has one row without a source.
#[derive(Debug, Clone)]
pub struct SourceRow {
    /// Which of the questions this answers, counted from 1.
    pub at: i64,
    /// The user.
    pub user_id: UserId,
    /// What it is.
    pub source: Option<String>,
    /// The team that it goes through.
    pub team_id: Option<i64>,
    /// What it gives.
    pub level: Option<i16>,
}

/// Everything that gives users, each by name, a role in a registry, best first. Nothing of users who have no role there and
/// whom the caller doesn't see. For registries in which the caller may ask this.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn sources(connection: &mut Connection, caller: &Caller, registries: &[i64], users: &[&str]) -> Result<Vec<SourceRow>> {
    Ok(sqlx::query_as!(
        SourceRow,
        r#"-- registry_members::sources
        select a.at as "at!", e.id as "user_id!", s.source as "source?", s.team_id as "team_id?", s.level as "level?"
        from unnest($2::bigint[], $3::text[]) with ordinality a (registry, name, at)
        join entities e on e.name = a.name and e.kind = 'user'
        left join lateral role_sources(a.registry, e.id) s on true
        where s.source is not null or $4 or e.id = $1 or exists (
            select 1 from organization_members mine join organization_members theirs using (organization_id)
            where mine.user_id = $1 and theirs.user_id = e.id)
        order by s.level desc, s.source, s.team_id"#,
        caller.user.0,
        registries,
        users as &[&str],
        caller.site_admin
    )
    .fetch_all(connection)
    .await?)
}
