//! Members of registries: users and teams added, removed, given a role (rules 12 to 17), and what somebody's role comes from
//! (rule 14). What must not live here: the registry's own fields.

use std::collections::{BTreeMap, HashSet};

use regalia_domain::ids::{OrganizationId, ProjectId, TeamId, UserId};
use regalia_domain::roles::{RegistryRole, Right, RoleSource, may_lose_admins};
use regalia_store::access::{self, Administer, Caller, Granted, ProjectRow};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::registry_members::{self, Candidate, MemberKind, Named, TeamMemberRow, UserMemberRow};
use regalia_store::{Error as StoreError, Tx};
use serde_json::json;

use crate::projects::subject;
use crate::registries::{administered, missing};
use crate::{Error, Page, Request, Result, Service, at_most};

/// Most members of one request.
const MOST: usize = 1000;

/// What gives somebody a role.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is.
    pub source: RoleSource,
    /// The team that it goes through.
    pub team: Option<TeamId>,
    /// The role that it gives.
    pub role: RegistryRole,
}

/// Somebody's role in a registry and where it comes from.
#[derive(Debug, Clone)]
pub struct EffectiveAccess {
    /// Who.
    pub user: UserId,
    /// Best first; empty for somebody who has no role.
    pub sources: Vec<Source>,
}

impl EffectiveAccess {
    /// The highest of what the sources give (rule 14).
    #[must_use]
    pub fn role(&self) -> Option<RegistryRole> {
        self.sources.iter().map(|source| source.role).max()
    }
}

impl Service {
    /// One page, by name, of the users that are members of each registry. For registries that the caller was allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn registry_user_members(&self, registries: &[i64], page: &Page) -> Result<Vec<UserMemberRow>> {
        let mut connection = self.store.read().await?;
        Ok(registry_members::users(&mut connection, registries, &page.after, page.first).await?)
    }

    /// One page, by name, of the teams that are members of each registry. For registries that the caller was allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn registry_team_members(&self, registries: &[i64], page: &Page) -> Result<Vec<TeamMemberRow>> {
        let mut connection = self.store.read().await?;
        Ok(registry_members::teams(&mut connection, registries, &page.after, page.first).await?)
    }

    /// Makes users and teams members of a registry, with the role that rule 12 gives them. Who is a member already stays as he
    /// is. One of them who can't be added, and nobody is.
    ///
    /// # Errors
    /// `NotFound` for the registry, and for users and teams that the caller doesn't see; `Forbidden` unless the caller is an
    /// admin of the registry or its organization; `Invalid` for nobody and for too many.
    pub async fn add_registry_members(
        &self,
        request: &Request,
        registry: ProjectId,
        asked: &[(MemberKind, Named)],
    ) -> Result<ProjectRow> {
        some(asked)?;
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, granted) = managed(&mut tx, caller, registry).await?;
        let found = registry_members::candidates(&mut tx, &granted, caller, asked).await?;
        let mut new: BTreeMap<(MemberKind, i64), RegistryRole> = BTreeMap::new();
        for (asked, candidate) in asked.iter().zip(found) {
            match candidate {
                // A member, whom the registry's list of members shows also to those who don't see him elsewhere.
                Some(present) if present.role.is_some() => {}
                Some(candidate) if candidate.visible => {
                    new.insert((candidate.kind, candidate.id), RegistryRole::at_start(candidate.service_account));
                }
                _ => {
                    return Err(Error::NotFound(format!(
                        "The {} is not found: there is none, or you may not see it. Nobody was added.",
                        described(asked)
                    )));
                }
            }
        }
        for kind in [MemberKind::User, MemberKind::Team] {
            let members: Vec<_> = new.iter().filter(|((of, _), _)| *of == kind).map(|((_, id), role)| (*id, *role)).collect();
            if !members.is_empty() {
                registry_members::add(&mut tx, &granted, kind, &members).await?;
            }
        }
        let events: Vec<Event> = new.iter().map(|((kind, id), role)| member_set(registry, *kind, *id, None, *role)).collect();
        audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
        let project = access::project(&mut tx, caller, project.id).await?;
        regalia_store::commit(tx).await?;
        Ok(project)
    }

    /// Ends memberships. Who is no member, seen or not, is passed over (rule 13). The registry as the caller sees it
    /// afterwards; none when that was by his own membership alone.
    ///
    /// # Errors
    /// `NotFound` for the registry; `Forbidden` as in [`Service::add_registry_members`], and for the last direct admin
    /// by anybody but an admin of the organization (rule 16); `Invalid` for nobody and for too many.
    pub async fn remove_registry_members(
        &self,
        request: &Request,
        registry: ProjectId,
        asked: &[(MemberKind, Named)],
    ) -> Result<Option<ProjectRow>> {
        some(asked)?;
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, granted) = managed(&mut tx, caller, registry).await?;
        let found = registry_members::candidates(&mut tx, &granted, caller, asked).await?;
        let present: BTreeMap<(MemberKind, i64), Candidate> = found
            .into_iter()
            .flatten()
            .filter(|candidate| candidate.role.is_some())
            .map(|candidate| ((candidate.kind, candidate.id), candidate))
            .collect();
        let losing: Vec<&Candidate> = present.values().filter(|candidate| is_direct_admin(candidate)).collect();
        keep_an_admin(&mut tx, &granted, &project, &losing).await?;
        for kind in [MemberKind::User, MemberKind::Team] {
            let ids: Vec<i64> = present.keys().filter(|(of, _)| *of == kind).map(|(_, id)| *id).collect();
            if !ids.is_empty() {
                registry_members::remove(&mut tx, &granted, kind, &ids).await?;
            }
        }
        let events: Vec<Event> = present
            .values()
            .map(|candidate| Event {
                kind: Kind::RegistryMemberRemoved,
                subject: subject(registry),
                before: Some(member(candidate.kind, candidate.id, candidate.role.as_deref().unwrap_or_default())),
                after: None,
            })
            .collect();
        audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
        let left = match access::project(&mut tx, caller, registry).await {
            Ok(project) => Some(project),
            Err(StoreError::NotFound) => None,
            Err(other) => return Err(other.into()),
        };
        regalia_store::commit(tx).await?;
        Ok(left)
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// `NotFound` for the registry, and for who is no member (rule 13); `Forbidden` as in
    /// [`Service::remove_registry_members`]; `Invalid` for a role that a service account can't have (rule 15).
    pub async fn set_registry_member(
        &self,
        request: &Request,
        registry: ProjectId,
        asked: (MemberKind, Named),
        role: RegistryRole,
    ) -> Result<ProjectRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, granted) = managed(&mut tx, caller, registry).await?;
        let found = registry_members::candidates(&mut tx, &granted, caller, std::slice::from_ref(&asked)).await?;
        let candidate = found.into_iter().flatten().next().filter(|candidate| candidate.role.is_some()).ok_or_else(|| {
            Error::NotFound(format!(
                "The {} is not found among the members of the registry \"{}\". Add a member first, then change the role.",
                described(&asked),
                project.name
            ))
        })?;
        let role = role.suiting(&candidate.name, candidate.service_account)?;
        let present = candidate.role.as_deref();
        if present != Some(role.as_str()) {
            if is_direct_admin(&candidate) {
                keep_an_admin(&mut tx, &granted, &project, &[&candidate]).await?;
            }
            registry_members::set(&mut tx, &granted, candidate.kind, candidate.id, role).await?;
            let event = member_set(registry, candidate.kind, candidate.id, present, role);
            audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
        }
        let project = access::project(&mut tx, caller, registry).await?;
        regalia_store::commit(tx).await?;
        Ok(project)
    }

    /// What users, by their names, may do in registries and through what, in the order of the questions; none for a user
    /// who isn't there or whom the caller neither sees nor meets there. For registries where [`may_ask_for`] lets the caller.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn effective_access(
        &self,
        caller: &Caller,
        registries: &[i64],
        users: &[&str],
    ) -> Result<Vec<Option<EffectiveAccess>>> {
        let mut connection = self.store.read().await?;
        let rows = registry_members::sources(&mut connection, caller, registries, users).await?;
        let mut answers: Vec<Option<EffectiveAccess>> = vec![None; users.len()];
        for row in rows {
            // Ordinality counts from 1.
            let Some(answer) = usize::try_from(row.at - 1).ok().and_then(|at| answers.get_mut(at)) else { continue };
            let access = answer.get_or_insert_with(|| EffectiveAccess { user: row.user_id, sources: Vec::new() });
            let role = row.level.and_then(RegistryRole::of_level);
            if let (Some(source), Some(role)) = (row.source, role) {
                access.sources.push(Source { source: source.parse()?, team: row.team_id.map(TeamId), role });
            }
        }
        Ok(answers)
    }

    /// Teams by number, in any order. For rows that the caller was already allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn teams_by_id(&self, ids: &[i64]) -> Result<Vec<regalia_store::teams::TeamRow>> {
        let mut connection = self.store.read().await?;
        Ok(regalia_store::teams::teams(&mut connection, ids).await?)
    }
}

/// Whether a caller may ask what a user's role in a registry comes from: his own, or if he manages its members.
///
/// # Errors
/// `Forbidden`.
pub fn may_ask_for(project: &ProjectRow, caller: &Caller, user: &str) -> Result<()> {
    if user == caller.name || project.allows(Right::Administer) {
        return Ok(());
    }
    Err(Error::Forbidden(format!(
        "Only admins of the registry \"{}\" ask for somebody else's role in it. Leave `user` out to ask for your own.",
        project.name
    )))
}

/// A registry whose members nobody else changes until the commit, with the right to change them.
async fn managed(tx: &mut Tx, caller: &Caller, registry: ProjectId) -> Result<(ProjectRow, Granted<Administer>)> {
    let (_, granted) = administered(tx, caller, registry).await?;
    registry_members::lock(tx, &granted).await.map_err(missing)?;
    // Nobody leaves the organization meanwhile, who would keep what he is given here (rule 18).
    registry_members::keep_people(tx, &granted).await?;
    // Whoever held the lock until now may have taken the right away.
    administered(tx, caller, registry).await
}

/// Rule 16, under the lock of [`managed`].
async fn keep_an_admin(tx: &mut Tx, registry: &Granted<Administer>, project: &ProjectRow, losing: &[&Candidate]) -> Result<()> {
    if losing.is_empty() {
        return Ok(());
    }
    let admins: HashSet<i64> = registry_members::admins(tx, registry).await?.into_iter().collect();
    let lost = losing.iter().filter(|candidate| admins.contains(&candidate.id)).count();
    if may_lose_admins(admins.len(), lost, false) || registry_members::is_organization_admin(tx, registry).await? {
        return Ok(());
    }
    let names: Vec<&str> = losing.iter().map(|candidate| candidate.name.as_str()).collect();
    Err(Error::Forbidden(format!(
        "The registry \"{}\" would have no direct admin without {}. Make somebody else an admin first, or ask an admin of the \
         organization {}.",
        project.name,
        names.join(", "),
        project.entity_name
    )))
}

/// Rule 16 for who loses memberships together with something else, by somebody who needn't administer the registries: the account,
/// or its team. Under a lock that keeps the members of these registries as they are.
pub(crate) async fn keep_admins(
    tx: &mut Tx,
    caller: &Caller,
    user: UserId,
    name: &str,
    organization: Option<OrganizationId>,
) -> Result<()> {
    if caller.site_admin {
        return Ok(());
    }
    let Some(orphan) = registry_members::orphan(tx, caller, user, organization).await? else { return Ok(()) };
    Err(Error::Forbidden(match orphan.name {
        Some(registry) => format!(
            "{name} is the last direct admin of the registry \"{registry}\" of {0}. Make somebody else an admin of it first, or ask an \
             admin of the organization {0}.",
            orphan.organization
        ),
        None => format!("{name} is the last direct admin of a registry that you don't see. Ask a site administrator."),
    }))
}

fn is_direct_admin(candidate: &Candidate) -> bool {
    candidate.kind == MemberKind::User && candidate.role.as_deref() == Some(RegistryRole::Admin.as_str())
}

fn some(asked: &[(MemberKind, Named)]) -> Result<()> {
    if asked.is_empty() {
        return Err(Error::Invalid("Nobody was named. Name at least one user or team.".into()));
    }
    at_most("members", asked.len(), MOST)
}

/// Somebody in words, as the request named him.
fn described((kind, named): &(MemberKind, Named)) -> String {
    let (Named::Id(_, shown) | Named::Name(shown)) = named;
    format!("{} \"{shown}\"", kind.as_str())
}

fn member(kind: MemberKind, id: i64, role: &str) -> serde_json::Value {
    match kind {
        MemberKind::User => json!({ "user": format!("User:{id}"), "role": role }),
        MemberKind::Team => json!({ "team": format!("Team:{id}"), "role": role }),
    }
}

fn member_set(registry: ProjectId, kind: MemberKind, id: i64, before: Option<&str>, role: RegistryRole) -> Event {
    Event {
        kind: Kind::RegistryMemberSet,
        subject: subject(registry),
        before: before.map(|before| member(kind, id, before)),
        after: Some(member(kind, id, role.as_str())),
    }
}
