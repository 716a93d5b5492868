//! Teams and their members (rules 18 and 23). What must not live here: a team's projects.

use regalia_domain::ids::{TeamId, UserId};
use regalia_domain::names::EntityName;
use regalia_domain::roles::TeamRole;
use regalia_store::access::{self, AdministerTeam, Caller, Granted};
use regalia_store::accounts::{self, UserRow};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::teams::{self, BelongingRow, MemberRow, TeamRow};
use regalia_store::{Error as StoreError, Tx, removal, service_accounts};
use serde_json::json;

use crate::accounts::{occupied, subject as user_subject, taken, user_entity};
use crate::organizations::administered;
use crate::registry_members::keep_admins;
use crate::removal::{by_force, unprotected};
use crate::service_accounts::retired;
use crate::{Error, Page, Request, Result, Service, to_the_end};

impl Service {
    /// A team of one of the caller's organizations; for a site administrator any.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn team(&self, caller: &Caller, name: &str) -> Result<TeamRow> {
        let mut connection = self.store.read().await?;
        teams::named(&mut connection, caller, name).await.map_err(missing(name))
    }

    /// One page, by name, of the teams of the caller's organizations; for a site administrator of all.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn teams(&self, caller: &Caller, page: &Page) -> Result<Vec<TeamRow>> {
        let mut connection = self.store.read().await?;
        Ok(teams::visible(&mut connection, caller, &page.after, page.first).await?)
    }

    /// One page, by name, of each organization's teams; none of organizations that the caller doesn't see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn teams_of_organizations(&self, caller: &Caller, organizations: &[i64], page: &Page) -> Result<Vec<TeamRow>> {
        let mut connection = self.store.read().await?;
        Ok(teams::of_organizations(&mut connection, caller, organizations, &page.after, page.first).await?)
    }

    /// One page, by name, of the teams that each user is in and that the caller sees, with the user's number.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn teams_of_users(&self, caller: &Caller, users: &[i64], page: &Page) -> Result<Vec<(i64, TeamRow)>> {
        let mut connection = self.store.read().await?;
        Ok(teams::of_users(&mut connection, caller, users, &page.after, page.first).await?)
    }

    /// Makes a team whose first admin is a member of the organization.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is an admin of the organization or of the site; `Invalid` when the first
    /// admin isn't in the organization; `Conflict` when the name is taken.
    pub async fn create_team(
        &self,
        request: &Request,
        organization: &str,
        name: &EntityName,
        admin: &EntityName,
    ) -> Result<TeamRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (owner, granted) = administered(&mut tx, caller, organization).await?;
        let first = UserId(user_entity(&mut tx, caller, admin.as_str()).await?.id);
        let id = teams::create(&mut tx, &granted, name).await.map_err(taken(name.as_str()))?;
        teams::add_first_admin(&mut tx, &granted, id, first).await.map_err(outsider(admin))?;
        let events = [
            Event {
                kind: Kind::TeamCreated,
                subject: subject(id),
                before: None,
                after: Some(json!({ "name": name.as_str(), "organization": owner.name })),
            },
            member_set(id, first, None, TeamRole::Admin),
        ];
        audit::record(&mut tx, request.origin(), Some(owner.id), &events).await?;
        let team = teams::named(&mut tx, caller, name.as_str()).await?;
        regalia_store::commit(tx).await?;
        Ok(team)
    }

    /// Deletes a team and its memberships; by force, with its service accounts and all that they and it hold.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is an admin of the team, its organization or the site, and for force of the site;
    /// `Conflict` when it still owns projects, with the list if a version is linked under a protected alias (rule 24).
    pub async fn delete_team(&self, request: &Request, name: &EntityName, force: bool) -> Result<TeamRow> {
        let (service, request, name) = (self.clone(), request.clone(), name.clone());
        to_the_end(async move { service.delete_team_to_the_end(&request, &name, force).await }).await
    }

    async fn delete_team_to_the_end(&self, request: &Request, name: &EntityName, force: bool) -> Result<TeamRow> {
        let caller = request.caller()?;
        let site = by_force(caller, force)?;
        let mut tx = self.begin_long().await?;
        if let Some(site) = &site {
            let team = teams::named(&mut tx, caller, name.as_str()).await.map_err(missing(name.as_str()))?;
            removal::lock_registries(&mut tx, site, team.organization_id).await?;
        }
        let (team, granted) = managed(&mut tx, caller, name).await?;
        let removal = unprotected(&mut tx, caller, site.as_ref(), &format!("team \"{name}\""), team.id.0).await?;
        if let Some(site) = &site {
            removal.execute(&mut tx, request, site, granted.organization()).await?;
            regalia_store::commit(tx).await?;
            return Ok(team);
        }
        removal::leave_as_team(&mut tx, request.origin(), &granted).await?;
        teams::delete(&mut tx, &granted).await.map_err(occupied("team", name.as_str(), "projects or service accounts"))?;
        let event =
            Event { kind: Kind::TeamDeleted, subject: subject(team.id), before: Some(json!({ "name": team.name })), after: None };
        audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
        regalia_store::commit(tx).await?;
        Ok(team)
    }

    /// One page, by name, of each team's members, with the team's number; none of teams that the caller doesn't see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn team_members(&self, caller: &Caller, teams: &[i64], page: &Page) -> Result<Vec<(i64, MemberRow)>> {
        let mut connection = self.store.read().await?;
        Ok(teams::members(&mut connection, caller, teams, &page.after, page.first).await?)
    }

    /// Adds a member of the organization to its team, or changes the role there. One who has the role already stays as he
    /// is.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is an admin of the team, its organization or the site; `Invalid` when the
    /// user isn't in the organization.
    pub async fn set_team_member(
        &self,
        request: &Request,
        team: &EntityName,
        user: &EntityName,
        role: TeamRole,
    ) -> Result<TeamRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (row, granted) = managed(&mut tx, caller, team).await?;
        let member = UserId(user_entity(&mut tx, caller, user.as_str()).await?.id);
        let present = teams::role(&mut tx, &granted, member).await?;
        if present.as_deref() != Some(role.as_str()) {
            teams::set_member(&mut tx, &granted, member, role).await.map_err(outsider(user))?;
            let event = member_set(row.id, member, present.as_deref(), role);
            audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
        }
        regalia_store::commit(tx).await?;
        Ok(row)
    }

    /// Adds a colleague to a team at once, by name or by e-mail address.
    ///
    /// # Errors
    /// As [`Service::set_team_member`]; `Conflict` for somebody who is in the team already.
    pub async fn invite(&self, request: &Request, team: &EntityName, who: &str, role: TeamRole) -> Result<(TeamRow, UserRow)> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (row, granted) = managed(&mut tx, caller, team).await?;
        let user = colleague(&mut tx, caller, who).await?;
        let name = EntityName::parse(&user.name)?;
        if teams::role(&mut tx, &granted, user.id).await?.is_some() {
            return Err(Error::Conflict(format!("{name} is in the team {team} already.")));
        }
        teams::set_member(&mut tx, &granted, user.id, role).await.map_err(outsider(&name))?;
        audit::record(&mut tx, request.origin(), granted.organization(), &[member_set(row.id, user.id, None, role)]).await?;
        regalia_store::commit(tx).await?;
        Ok((row, user))
    }

    /// The organization in which the caller makes a team who names none (rule 23).
    ///
    /// # Errors
    /// `Invalid` when he is in none.
    pub async fn default_organization(&self, caller: &Caller) -> Result<String> {
        let mut connection = self.store.read().await?;
        teams::default_organization(&mut connection, caller).await?.ok_or_else(|| {
            Error::Invalid(
                "A team belongs to an organization, and you are in none. Ask a site administrator to add you to one.".into(),
            )
        })
    }

    /// All who belong to each of these teams and organizations, the last to join at the end; none of those that the caller
    /// doesn't see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn belonging(&self, caller: &Caller, entities: &[i64]) -> Result<Vec<BelongingRow>> {
        let mut connection = self.store.read().await?;
        Ok(teams::belonging(&mut connection, caller, entities).await?)
    }

    /// For each of these entities the bytes of its versions, as far as the caller sees them.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn stored_bytes(&self, caller: &Caller, entities: &[i64]) -> Result<Vec<(i64, i64)>> {
        let mut connection = self.store.read().await?;
        Ok(teams::stored_bytes(&mut connection, caller, entities).await?)
    }

    /// Ends a membership and what it gave (rule 18). A service account that is removed from the team that it is of loses
    /// everything, its keys too: there is nothing left for it to do.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` as in [`Service::set_team_member`], and for a service account that is a registry's last direct
    /// admin by anybody but an admin of the organization or the site (rule 16).
    pub async fn remove_team_member(&self, request: &Request, team: &EntityName, user: &EntityName) -> Result<TeamRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (row, granted) = managed(&mut tx, caller, team).await?;
        let member = UserId(user_entity(&mut tx, caller, user.as_str()).await?.id);
        let present = teams::role(&mut tx, &granted, member).await?;
        if service_accounts::is_of(&mut tx, &granted, member).await? {
            keep_admins(&mut tx, caller, member, user.as_str(), Some(row.organization_id)).await?;
        }
        teams::remove_member(&mut tx, &granted, member)
            .await
            .map_err(Error::named(format!("A member named \"{user}\" is not found in the team {team}."), ""))?;
        let mut events = vec![Event {
            kind: Kind::TeamMemberRemoved,
            subject: subject(row.id),
            before: Some(json!({ "user": user_subject(member), "role": present })),
            after: None,
        }];
        if let Some(keys) = service_accounts::retire_from_team(&mut tx, request.origin(), &granted, member).await? {
            events.extend(retired(member, row.organization_id, &keys));
        }
        audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
        regalia_store::commit(tx).await?;
        Ok(row)
    }
}

/// A user whom the caller sees, by name or by address.
async fn colleague(tx: &mut Tx, caller: &Caller, who: &str) -> Result<UserRow> {
    let absent = || {
        Error::NotFound(format!("The user \"{who}\" is not found: there is none of this name or address, or you may not see it."))
    };
    let id = if who.contains('@') {
        // Who isn't there is looked for as who isn't seen: the statements are the same.
        accounts::by_email(tx, who).await?.unwrap_or(UserId(0))
    } else {
        UserId(user_entity(tx, caller, who).await?.id)
    };
    accounts::users_seen(tx, caller, &[id.0]).await?.pop().ok_or_else(absent)
}

/// A team whose members, and those of its organization, nobody else changes until the commit, with the right to manage it.
pub(crate) async fn managed(tx: &mut Tx, caller: &Caller, name: &EntityName) -> Result<(TeamRow, Granted<AdministerTeam>)> {
    let row = teams::named(tx, caller, name.as_str()).await.map_err(missing(name.as_str()))?;
    let granted = grant(tx, caller, name).await?;
    teams::lock(tx, &granted).await.map_err(missing(name.as_str()))?;
    // Whoever held the lock until now may have taken the right away.
    Ok((row, grant(tx, caller, name).await?))
}

async fn grant(tx: &mut Tx, caller: &Caller, name: &EntityName) -> Result<Granted<AdministerTeam>> {
    let entity = access::entity(tx, caller, name.as_str()).await.map_err(missing(name.as_str()))?;
    entity.administer_team(caller).map_err(Error::named(
        missing_text(name.as_str()),
        format!("Only an admin of the team {name}, of its organization or of the site may do this."),
    ))
}

fn missing_text(name: &str) -> String {
    format!("The team \"{name}\" is not found: there is none of this name, or you may not see it.")
}

fn missing(name: &str) -> impl FnOnce(StoreError) -> Error {
    Error::named(missing_text(name), "")
}

fn outsider(user: &EntityName) -> impl FnOnce(StoreError) -> Error {
    let sentence = format!("{user} is not in the team's organization. Add {user} to the organization first.");
    move |error| match error {
        StoreError::NotFound => Error::Invalid(sentence),
        other => other.into(),
    }
}

fn subject(team: TeamId) -> String {
    format!("Team:{team}")
}

pub(crate) fn member_set(team: TeamId, user: UserId, before: Option<&str>, role: TeamRole) -> Event {
    Event {
        kind: Kind::TeamMemberSet,
        subject: subject(team),
        before: before.map(|role| json!({ "user": user_subject(user), "role": role })),
        after: Some(json!({ "user": user_subject(user), "role": role.as_str() })),
    }
}
