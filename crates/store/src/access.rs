//! Who may do what: the only place that makes a [`Granted`]. Each function answers *row and permission in one
//! statement*; a target that is absent and one that the caller may not know of give the same [`Error::NotFound`].
//! What must not live here: writes, and how a role follows from memberships (that is the SQL
//! function `role_sources`, of which `access_level` is the highest).

mod address;

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use regalia_domain::ids::{ApiKeyId, OrganizationId, ProjectId, RunId, SessionId, TeamId, UserId};
use regalia_domain::roles::{Right, may_create_registry};

pub use address::{At, at};

use crate::{Connection, Error, Result};

/// An authenticated user. Made by [`crate::accounts`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The user's entity name.
    pub name: String,
    /// Whether the user manages accounts and organizations; gives no content (rule 23).
    pub site_admin: bool,
    /// The session that he came with; none for a key.
    pub session: Option<SessionId>,
    /// The key that he came with; none for a session and for a signature.
    pub key: Option<ApiKeyId>,
}

/// What can be permitted, and on what.
pub trait Permission {
    /// What the permission is for.
    type Target: Copy;
}

/// A permission on a project or registry.
pub trait ProjectPermission: Permission<Target = ProjectId> {
    /// The right that it stands for (rule 17).
    const RIGHT: Right;
}

macro_rules! permission {
    ($(#[$doc:meta])* $name:ident on $target:ty $(, $right:expr)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}
        impl Permission for $name { type Target = $target; }
        $(impl ProjectPermission for $name { const RIGHT: Right = $right; })?
    };
}

permission!(/** Know that it exists, and its fields. */ See on ProjectId, Right::See);
permission!(/** Write versions, links and aliases. */ Contribute on ProjectId, Right::Contribute);
permission!(/** Change the project or registry itself. */ Administer on ProjectId, Right::Administer);
permission!(/** Create projects in a team's or user's workspace. */ CreateProject on EntityTarget);
permission!(/** Create registries in an organization (rule 3). */ CreateRegistry on OrganizationId);
permission!(/** Manage an organization's members and teams. */ AdministerOrganization on OrganizationId);
permission!(/** Manage a team's members. */ AdministerTeam on TeamId);
permission!(/** Manage one account and its keys. */ ManageAccount on UserId);
permission!(/** Manage accounts and organizations of the whole site. */ ManageSite on ());

/// The entity of a workspace: a team or a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityTarget(pub i64);

/// Proof that a caller may do `P` on the target it carries. Only this module makes one, and store writes take their
/// target from it, so the check can't be forgotten and can't be spent on another row.
///
/// ```compile_fail
/// use regalia_store::access::{Contribute, Granted};
/// use regalia_domain::ids::ProjectId;
/// let forged: Granted<Contribute> = Granted { target: ProjectId(1) };
/// ```
///
/// A weaker permission is no stronger one:
///
/// ```compile_fail
/// use regalia_store::access::{Contribute, Granted, See};
/// fn needs(_: &Granted<Contribute>) {}
/// fn has(seen: &Granted<See>) { needs(seen) }
/// ```
#[derive(Debug)]
pub struct Granted<P: Permission> {
    target: P::Target,
    actor: UserId,
    organization: Option<OrganizationId>,
    permission: PhantomData<P>,
}

impl<P: Permission> Granted<P> {
    /// What the permission is for.
    #[must_use]
    pub fn target(&self) -> P::Target {
        self.target
    }

    /// Who was permitted.
    #[must_use]
    pub fn actor(&self) -> UserId {
        self.actor
    }

    /// The organization that the target belongs to; none for accounts and personal projects.
    #[must_use]
    pub fn organization(&self) -> Option<OrganizationId> {
        self.organization
    }

    fn mint(target: P::Target, actor: UserId, organization: Option<OrganizationId>) -> Self {
        Self { target, actor, organization, permission: PhantomData }
    }
}

/// project or registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProjectKind {
    /// A workspace.
    Project,
    /// An organization's registry.
    Registry,
}

impl ProjectKind {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Registry => "registry",
        }
    }

    /// What stands before the name in a path.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Project => "",
            Self::Registry => regalia_domain::names::REGISTRY_PREFIX,
        }
    }
}

impl From<String> for ProjectKind {
    fn from(text: String) -> Self {
        // The column's check constraint allows these two alone.
        if text == "registry" { Self::Registry } else { Self::Project }
    }
}

/// A project or registry with what the caller may do there.
#[derive(Debug, Clone)]
pub struct ProjectRow {
    /// Number.
    pub id: ProjectId,
    /// Which of the two it is.
    pub kind: ProjectKind,
    /// Name without any prefix.
    pub name: String,
    /// Null and empty differ (rule 7).
    pub description: Option<String>,
    /// Registries: `organization` or `restricted`.
    pub visibility: Option<String>,
    /// Registries: whether any type may be linked.
    pub allow_all_types: bool,
    /// Registries: aliases that only its admins change (rule 32).
    pub protected_aliases: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its own fields last changed.
    pub updated_at: DateTime<Utc>,
    /// Who made it; none when that account is gone.
    pub created_by: Option<i64>,
    /// Owner's number.
    pub entity_id: i64,
    /// Owner's name.
    pub entity_name: String,
    /// user, team or organization.
    pub entity_kind: String,
    /// The owner's organization, none for personal projects.
    pub organization_id: Option<i64>,
    /// 0 to 4, see `access_level`.
    pub level: i16,
}

impl ProjectRow {
    /// Whose blobs this project's are: the organization, or the user.
    #[must_use]
    pub fn scope(&self) -> i64 {
        self.organization_id.unwrap_or(self.entity_id)
    }

    /// Whether the caller has a right here.
    #[must_use]
    pub fn allows(&self, right: Right) -> bool {
        self.level >= right.level()
    }

    /// Turns the row's level into a permission.
    ///
    /// # Errors
    /// `NotFound` when the caller may not even see it, `Forbidden` when only this right is missing.
    pub fn grant<P: ProjectPermission>(&self, caller: &Caller) -> Result<Granted<P>> {
        if !self.allows(Right::See) {
            return Err(Error::NotFound);
        }
        if !self.allows(P::RIGHT) {
            return Err(Error::Forbidden);
        }
        Ok(Granted::mint(self.id, caller.user, self.organization_id.map(OrganizationId)))
    }
}

// `role_sources` itself becomes part of a statement and is planned with it; `access_level`, which says the same, would be a
// call for each row, ten times as slow.
macro_rules! select_project {
    ($name:literal, $where:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            ProjectRow,
            "-- access::" + $name + "
            select p.id as \"id!\", p.kind as \"kind!\", p.name as \"name!\", p.description as \"description?\",
                p.visibility as \"visibility?\", p.allow_all_types as \"allow_all_types!\",
                p.protected_aliases as \"protected_aliases!\", p.created_at as \"created_at!\",
                p.updated_at as \"updated_at!\", p.created_by as \"created_by?\", p.entity_id as \"entity_id!\", e.name as \"entity_name!\", e.kind as \"entity_kind!\",
                case e.kind when 'organization' then e.id else t.organization_id end as \"organization_id?\",
                coalesce((select max(s.level) from role_sources(p.id, $1) s), 0)::smallint as \"level!\"
            from projects p join entities e on e.id = p.entity_id left join teams t on t.id = e.id
            " + $where,
            $($argument),+
        )
    };
}

/// A project or registry by number, if the caller sees it.
///
/// # Errors
/// `NotFound`: absent or invisible.
pub async fn project(connection: &mut Connection, caller: &Caller, id: ProjectId) -> Result<ProjectRow> {
    let row = select_project!("project", "where p.id = $2", caller.user.0, id.0).fetch_optional(connection).await?;
    row.filter(|row| row.allows(Right::See)).ok_or(Error::NotFound)
}

/// The project of a run, if the caller sees it.
///
/// # Errors
/// `NotFound`: absent or invisible.
pub async fn project_of_run(connection: &mut Connection, caller: &Caller, run: RunId) -> Result<ProjectRow> {
    let row = select_project!("project_of_run", "where p.id = (select project_id from runs where id = $2)", caller.user.0, run.0)
        .fetch_optional(connection)
        .await?;
    row.filter(|row| row.allows(Right::See)).ok_or(Error::NotFound)
}

/// A project or registry by its owner's entity name and its own name, if the caller sees it.
///
/// # Errors
/// `NotFound`: absent or invisible.
pub async fn project_by_name(
    connection: &mut Connection,
    caller: &Caller,
    entity: &str,
    kind: ProjectKind,
    name: &str,
) -> Result<ProjectRow> {
    let row = select_project!(
        "project_by_name",
        "where e.name = $2 and p.kind = $3 and p.name = $4",
        caller.user.0,
        entity,
        kind.as_str(),
        name
    )
    .fetch_optional(connection)
    .await?;
    row.filter(|row| row.allows(Right::See)).ok_or(Error::NotFound)
}

/// The projects and registries of these numbers that the caller sees, in any order.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn projects(connection: &mut Connection, caller: &Caller, ids: &[i64]) -> Result<Vec<ProjectRow>> {
    // Behind a `select`, so that it is planned once (see CONTRIBUTING).
    let rows = select_project!("projects", "where p.id = any((select $2::bigint[])::bigint[])", caller.user.0, ids)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().filter(|row| row.allows(Right::See)).collect())
}

/// Projects and registries by their owners, kinds and names, as far as the caller sees them, in any order.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn projects_by_name(
    connection: &mut Connection,
    caller: &Caller,
    entities: &[i64],
    kinds: &[&str],
    names: &[&str],
) -> Result<Vec<ProjectRow>> {
    let rows = select_project!(
        "projects_by_name",
        "where (p.entity_id, p.kind, p.name) in (select * from unnest($2::bigint[], $3::text[], $4::text[]))",
        caller.user.0,
        entities,
        kinds as &[&str],
        names as &[&str]
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter(|row| row.allows(Right::See)).collect())
}

/// An entity with the caller's place in it.
#[derive(Debug, Clone)]
pub struct EntityRow {
    /// Number.
    pub id: i64,
    /// Name.
    pub name: String,
    /// user, team or organization.
    pub kind: String,
    /// The organization: itself, or a team's owner.
    pub organization_id: Option<i64>,
    /// The organization's entity name.
    pub organization_name: Option<String>,
    /// The organization's display name.
    pub organization_display_name: Option<String>,
    /// The organization's rule for who creates registries: `members` or `admins`.
    pub registry_creation: Option<String>,
    /// The caller's role in that organization.
    pub organization_role: Option<String>,
    /// The caller's role in that team.
    pub team_role: Option<String>,
    /// Users: whether the caller shares an organization with them.
    pub colleague: bool,
    /// Service accounts: whether the caller manages the team that they are of.
    pub manages: bool,
    /// When the name was taken.
    pub created_at: DateTime<Utc>,
}

impl EntityRow {
    fn visible(&self, caller: &Caller) -> bool {
        caller.site_admin || self.organization_role.is_some() || self.id == caller.user.0 || self.colleague
    }

    fn organization_admin(&self, caller: &Caller) -> bool {
        caller.site_admin || self.organization_role.as_deref() == Some("admin")
    }

    /// The right to create projects here: a team's members (not from a viewer's seat), its organization's admins, the
    /// user himself (rule 23).
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn create_project(&self, caller: &Caller) -> Result<Granted<CreateProject>> {
        let role = self.organization_role.as_deref();
        let allowed = match self.kind.as_str() {
            "user" => self.id == caller.user.0,
            "team" => role == Some("admin") || (role == Some("member") && self.team_role.is_some()),
            _ => false,
        };
        if allowed {
            Ok(Granted::mint(EntityTarget(self.id), caller.user, self.organization_id.map(OrganizationId)))
        } else {
            Err(Error::Forbidden)
        }
    }

    /// The right to create registries here (rule 3).
    ///
    /// # Errors
    /// `NotFound` when this is no organization; `Forbidden`.
    pub fn create_registry(&self, caller: &Caller) -> Result<Granted<CreateRegistry>> {
        let (true, Some(organization)) = (self.kind == "organization", self.organization_id) else {
            return Err(Error::NotFound);
        };
        // Both columns have check constraints of exactly the domain's words.
        let role = self.organization_role.as_deref().and_then(|role| role.parse().ok());
        let setting = self.registry_creation.as_deref().and_then(|setting| setting.parse().ok());
        if role.zip(setting).is_some_and(|(role, setting)| may_create_registry(role, setting)) {
            Ok(Granted::mint(OrganizationId(organization), caller.user, Some(OrganizationId(organization))))
        } else {
            Err(Error::Forbidden)
        }
    }

    /// The right to manage this organization: its admins and site administrators.
    ///
    /// # Errors
    /// `NotFound` when this is no organization; `Forbidden`.
    pub fn administer_organization(&self, caller: &Caller) -> Result<Granted<AdministerOrganization>> {
        let (true, Some(organization)) = (self.kind == "organization", self.organization_id) else {
            return Err(Error::NotFound);
        };
        if self.organization_admin(caller) {
            Ok(Granted::mint(OrganizationId(organization), caller.user, Some(OrganizationId(organization))))
        } else {
            Err(Error::Forbidden)
        }
    }

    /// The right to manage this team: its admins, its organization's admins, site administrators.
    ///
    /// # Errors
    /// `NotFound` when this is no team; `Forbidden`.
    pub fn administer_team(&self, caller: &Caller) -> Result<Granted<AdministerTeam>> {
        if self.kind != "team" {
            return Err(Error::NotFound);
        }
        // From a viewer's seat a team admin only reads (rule 23).
        let team_admin = self.team_role.as_deref() == Some("admin") && self.organization_role.as_deref() == Some("member");
        if self.organization_admin(caller) || team_admin {
            Ok(Granted::mint(TeamId(self.id), caller.user, self.organization_id.map(OrganizationId)))
        } else {
            Err(Error::Forbidden)
        }
    }

    /// The right to manage this account: the user himself and site administrators; a service account's team's managers.
    ///
    /// # Errors
    /// `NotFound` when this is no user; `Forbidden`.
    pub fn manage_account(&self, caller: &Caller) -> Result<Granted<ManageAccount>> {
        if self.kind != "user" {
            return Err(Error::NotFound);
        }
        if caller.site_admin || self.id == caller.user.0 || self.manages {
            Ok(Granted::mint(UserId(self.id), caller.user, None))
        } else {
            Err(Error::Forbidden)
        }
    }
}

macro_rules! select_entity {
    ($name:literal, $where:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            EntityRow,
            "-- access::" + $name + "
            select e.id as \"id!\", e.name as \"name!\", e.kind as \"kind!\", e.created_at as \"created_at!\",
                o.id as \"organization_id?\", oe.name as \"organization_name?\", o.display_name as \"organization_display_name?\",
                o.registry_creation as \"registry_creation?\", om.role as \"organization_role?\", tm.role as \"team_role?\",
                e.kind = 'user' and exists (
                    select 1 from organization_members mine join organization_members theirs using (organization_id)
                    where mine.user_id = $1 and theirs.user_id = e.id
                ) as \"colleague!\",
                e.kind = 'user' and exists (
                    select 1 from users u join teams s on s.id = u.service_team_id
                    join organization_members m on m.organization_id = s.organization_id and m.user_id = $1
                    left join team_members a on a.team_id = s.id and a.user_id = $1
                    where u.id = e.id and (m.role = 'admin' or m.role = 'member' and a.role = 'admin')
                ) as \"manages!\"
            from entities e
            left join teams t on t.id = e.id
            left join organizations o on o.id = coalesce(t.organization_id, e.id)
            left join entities oe on oe.id = o.id
            left join organization_members om on om.organization_id = o.id and om.user_id = $1
            left join team_members tm on tm.team_id = t.id and tm.user_id = $1
            " + $where,
            $($argument),+
        )
    };
}

/// An entity by its name (or, for organizations, by a display name that only one visible organization has), if the
/// caller sees it: members see their organizations, their teams and their colleagues; site administrators see all.
///
/// # Errors
/// `NotFound`: absent or invisible.
pub async fn entity(connection: &mut Connection, caller: &Caller, name: &str) -> Result<EntityRow> {
    let row = select_entity!("entity", "where e.name = $2", caller.user.0, name).fetch_optional(connection).await?;
    row.filter(|row| row.visible(caller)).ok_or(Error::NotFound)
}

/// The entities of these numbers that the caller sees, in any order.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn entities(connection: &mut Connection, caller: &Caller, ids: &[i64]) -> Result<Vec<EntityRow>> {
    let rows = select_entity!("entities", "where e.id = any($2)", caller.user.0, ids).fetch_all(connection).await?;
    Ok(rows.into_iter().filter(|row| row.visible(caller)).collect())
}

/// The right to manage the account that a key is of: a key of one's own, or of a service account of a team that the caller
/// manages, or any for a site administrator.
///
/// # Errors
/// `NotFound`: unknown, revoked, or somebody else's.
pub async fn key_account(connection: &mut Connection, caller: &Caller, key: ApiKeyId) -> Result<Granted<ManageAccount>> {
    let user = sqlx::query_scalar!(
        "-- access::key_account
        select k.user_id from api_keys k where k.id = $3 and k.revoked_at is null and (k.user_id = $1 or $2 or exists (
            select 1 from users u join teams s on s.id = u.service_team_id
            join organization_members m on m.organization_id = s.organization_id and m.user_id = $1
            left join team_members a on a.team_id = s.id and a.user_id = $1
            where u.id = k.user_id and (m.role = 'admin' or m.role = 'member' and a.role = 'admin')))",
        caller.user.0,
        caller.site_admin,
        key.0
    )
    .fetch_optional(connection)
    .await?;
    let user = user.ok_or(Error::NotFound)?;
    Ok(Granted::mint(UserId(user), caller.user, None))
}

/// The right to manage the whole site.
///
/// # Errors
/// `Forbidden` for everybody else.
pub fn site(caller: &Caller) -> Result<Granted<ManageSite>> {
    if caller.site_admin { Ok(Granted::mint((), caller.user, None)) } else { Err(Error::Forbidden) }
}
