//! Organizations and their members (rules 16, 18 and 19). What must not live here: teams, registries.

use regalia_domain::ids::{OrganizationId, UserId};
use regalia_domain::names::{DisplayName, EntityName, EntitySuffix, display_as_entity, fitted_entity_name};
use regalia_domain::roles::{OrganizationRole, RegistryCreation};
use regalia_store::access::{self, AdministerOrganization, Caller, Granted};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::organizations::{self, MemberRow, OrganizationRow, Settings};
use regalia_store::{Connection, Error as StoreError, Tx, removal, service_accounts};
use serde_json::{Value, json};

use crate::accounts::{occupied, site_only, subject as user_subject, user_entity};
use crate::removal::{by_force, unprotected};
use crate::service_accounts::keys_revoked;
use crate::{Error, Page, Request, Result, Service, differing, to_the_end};

/// How many suffixes are tried; each is free but for one chance in 10¹⁴ per organization of that name.
const SUFFIXES: usize = 5;

impl Service {
    /// The organization that a name means: the one of that entity name, else the only one of that display name (rule 19).
    ///
    /// # Errors
    /// `NotFound`; `Invalid` with the entity names when several have that display name.
    pub async fn organization(&self, caller: &Caller, name: &str) -> Result<OrganizationRow> {
        let mut connection = self.store.read().await?;
        named(&mut connection, caller, name).await
    }

    /// Organizations by number, in any order. For rows that the caller was already allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn organizations_by_id(&self, ids: &[i64]) -> Result<Vec<OrganizationRow>> {
        let mut connection = self.store.read().await?;
        Ok(organizations::organizations(&mut connection, ids).await?)
    }

    /// One page, by entity name, of the caller's organizations; for a site administrator of all.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn organizations(&self, caller: &Caller, page: &Page) -> Result<Vec<OrganizationRow>> {
        let mut connection = self.store.read().await?;
        Ok(organizations::visible(&mut connection, caller, &page.after, page.first).await?)
    }

    /// The organizations of these users that the caller is in too (a site administrator: all of them), by name, each with
    /// the user's number.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn organizations_of_users(&self, caller: &Caller, users: &[i64]) -> Result<Vec<(i64, OrganizationRow)>> {
        let mut connection = self.store.read().await?;
        Ok(organizations::of_users(&mut connection, caller, users).await?)
    }

    /// Makes an organization with its first admin. The entity name is the display name if that fits and is free, else one
    /// made to fit with nine random characters (rule 19).
    ///
    /// # Errors
    /// `Forbidden` unless the caller is a site administrator; `NotFound` for the admin, `Invalid` for a service account.
    pub async fn create_organization(
        &self,
        request: &Request,
        display_name: &DisplayName,
        admin: &EntityName,
    ) -> Result<OrganizationRow> {
        let caller = request.caller()?;
        let site = access::site(caller).map_err(site_only("create organizations"))?;
        let mut tx = self.begin().await?;
        let first = UserId(user_entity(&mut tx, caller, admin.as_str()).await?.id);
        if service_accounts::home(&mut tx, first).await?.is_some() {
            return Err(at_home(admin));
        }

        let mut candidates = display_as_entity(display_name).into_iter().chain(
            std::iter::repeat_with(|| fitted_entity_name(display_name, &EntitySuffix::from_random(self.random_bytes())))
                .take(SUFFIXES),
        );
        let id = loop {
            let name = candidates.next().ok_or_else(|| Error::from(StoreError::Exists))?;
            match organizations::create(&mut tx, &site, &name, display_name).await {
                Err(StoreError::Exists) => {}
                other => break other?,
            }
        };
        organizations::add_first_admin(&mut tx, &site, id, first).await?;
        let row = by_id(&mut tx, id).await?;
        let events = [
            Event {
                kind: Kind::OrganizationCreated,
                subject: subject(id),
                before: None,
                after: Some(json!({ "name": row.name, "display_name": row.display_name })),
            },
            member_set(id, first, None, OrganizationRole::Admin),
        ];
        audit::record(&mut tx, request.origin(), Some(id), &events).await?;
        regalia_store::commit(tx).await?;
        Ok(row)
    }

    /// Deletes an organization and its memberships; by force, with its teams, their service accounts, its registries and all that
    /// they hold.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is its admin or a site administrator, and for force a site administrator;
    /// `Conflict` when it still owns teams, registries or files, with the list if a version is linked under a protected alias
    /// (rule 24).
    pub async fn delete_organization(&self, request: &Request, name: &str, force: bool) -> Result<OrganizationRow> {
        let (service, request, name) = (self.clone(), request.clone(), name.to_owned());
        to_the_end(async move { service.delete_organization_to_the_end(&request, &name, force).await }).await
    }

    async fn delete_organization_to_the_end(&self, request: &Request, name: &str, force: bool) -> Result<OrganizationRow> {
        let caller = request.caller()?;
        let site = by_force(caller, force)?;
        let mut tx = self.begin_long().await?;
        if let Some(site) = &site {
            let row = named(&mut tx, caller, name).await?;
            removal::lock_registries(&mut tx, site, row.id).await?;
        }
        let (row, granted) = administered(&mut tx, caller, name).await?;
        let removal = unprotected(&mut tx, caller, site.as_ref(), &format!("organization \"{}\"", row.name), row.id.0).await?;
        if let Some(site) = &site {
            removal.execute(&mut tx, request, site, Some(row.id)).await?;
            regalia_store::commit(tx).await?;
            return Ok(row);
        }
        organizations::delete(&mut tx, &granted).await.map_err(occupied(
            "organization",
            &row.name,
            "teams, registries or files",
        ))?;
        let event = Event {
            kind: Kind::OrganizationDeleted,
            subject: subject(row.id),
            before: Some(json!({ "name": row.name, "display_name": row.display_name })),
            after: None,
        };
        audit::record(&mut tx, request.origin(), Some(row.id), &[event]).await?;
        regalia_store::commit(tx).await?;
        Ok(row)
    }

    /// One page, by name, of each organization's members, with the organization's number; none of those that the caller
    /// doesn't see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn organization_members(
        &self,
        caller: &Caller,
        organizations: &[i64],
        page: &Page,
    ) -> Result<Vec<(i64, MemberRow)>> {
        let mut connection = self.store.read().await?;
        Ok(organizations::members(&mut connection, caller, organizations, &page.after, page.first).await?)
    }

    /// Changes an organization's settings; what isn't given stays, and so does the entity name (rule 19).
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is an admin of the organization or of the site.
    pub async fn update_organization(
        &self,
        request: &Request,
        organization: &str,
        display_name: Option<&DisplayName>,
        registry_creation: Option<RegistryCreation>,
    ) -> Result<OrganizationRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (row, granted) = administered(&mut tx, caller, organization).await?;
        let before = Settings { display_name: row.display_name.clone(), registry_creation: row.registry_creation.clone() };
        let after = Settings {
            display_name: display_name.map_or(&*before.display_name, DisplayName::as_str).to_owned(),
            registry_creation: registry_creation.map_or(before.registry_creation.clone(), |setting| setting.as_str().to_owned()),
        };
        if after != before {
            organizations::set_settings(&mut tx, &granted, &after).await?;
            let (old, new) = differing([
                ("display_name", json!(before.display_name), json!(after.display_name)),
                ("registry_creation", json!(before.registry_creation), json!(after.registry_creation)),
            ]);
            let event = Event {
                kind: Kind::OrganizationUpdated,
                subject: subject(row.id),
                before: Some(Value::Object(old)),
                after: Some(Value::Object(new)),
            };
            audit::record(&mut tx, request.origin(), Some(row.id), &[event]).await?;
        }
        regalia_store::commit(tx).await?;
        Ok(OrganizationRow { display_name: after.display_name, registry_creation: after.registry_creation, ..row })
    }

    /// Adds a user whom the caller sees, or changes a member's role. A member who has the role already stays as he is.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` unless the caller is an admin of the organization or of the site, and for the demotion of
    /// the last admin by anybody but a site administrator (rule 16).
    pub async fn set_organization_member(
        &self,
        request: &Request,
        organization: &str,
        user: &EntityName,
        role: OrganizationRole,
    ) -> Result<OrganizationRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (row, granted) = administered(&mut tx, caller, organization).await?;
        let member = UserId(user_entity(&mut tx, caller, user.as_str()).await?.id);
        let present = organizations::role(&mut tx, &granted, member).await?;
        // Whoever manages the team has the keys of its service accounts, and must not get more by them.
        if let Some(home) = service_accounts::home(&mut tx, member).await?
            && (home != Some(row.id) || role != OrganizationRole::Member)
        {
            return Err(at_home(user));
        }
        if present.as_deref() != Some(role.as_str()) {
            if role != OrganizationRole::Admin {
                keep_an_admin(&mut tx, caller, &granted, &row, user, present.as_deref()).await?;
            }
            organizations::set_member(&mut tx, &granted, member, role).await?;
            let event = member_set(row.id, member, present.as_deref(), role);
            audit::record(&mut tx, request.origin(), Some(row.id), &[event]).await?;
        }
        regalia_store::commit(tx).await?;
        Ok(row)
    }

    /// Ends a membership, and with it the roles in the organization's teams and registries (rule 18), and a service account of
    /// one of its teams.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` as in [`Service::set_organization_member`].
    pub async fn remove_organization_member(
        &self,
        request: &Request,
        organization: &str,
        user: &EntityName,
    ) -> Result<OrganizationRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (row, granted) = administered(&mut tx, caller, organization).await?;
        let member = UserId(user_entity(&mut tx, caller, user.as_str()).await?.id);
        let present = organizations::role(&mut tx, &granted, member).await?;
        keep_an_admin(&mut tx, caller, &granted, &row, user, present.as_deref()).await?;
        removal::leave_organization(&mut tx, request.origin(), &granted, member).await?;
        organizations::remove_member(&mut tx, &granted, member)
            .await
            .map_err(Error::named(format!("A member named \"{user}\" is not found in the organization {}.", row.name), ""))?;
        let mut events = vec![Event {
            kind: Kind::OrganizationMemberRemoved,
            subject: subject(row.id),
            before: Some(json!({ "user": user_subject(member), "role": present })),
            after: None,
        }];
        if let Some(keys) = service_accounts::retire_from_organization(&mut tx, &granted, member).await? {
            events.extend(keys_revoked(member, &keys));
        }
        audit::record(&mut tx, request.origin(), Some(row.id), &events).await?;
        regalia_store::commit(tx).await?;
        Ok(row)
    }
}

/// An organization by either of its names, which nobody else changes until the commit, with the right to manage it.
pub(crate) async fn administered(
    tx: &mut Tx,
    caller: &Caller,
    name: &str,
) -> Result<(OrganizationRow, Granted<AdministerOrganization>)> {
    let row = named(tx, caller, name).await?;
    let granted = grant(tx, caller, name, &row.name).await?;
    organizations::lock(tx, &granted).await.map_err(missing(name))?;
    // Whoever held the lock until now may have taken the right away, and changed what was read.
    let granted = grant(tx, caller, name, &row.name).await?;
    Ok((by_id(tx, row.id).await?, granted))
}

/// The right to manage an organization that goes by `name` in the request.
async fn grant(tx: &mut Tx, caller: &Caller, name: &str, entity: &str) -> Result<Granted<AdministerOrganization>> {
    let row = access::entity(tx, caller, entity).await.map_err(missing(name))?;
    row.administer_organization(caller).map_err(Error::named(
        missing_text(name),
        format!("Only an admin of the organization {entity} or a site administrator may do this."),
    ))
}

pub(crate) async fn named(connection: &mut Connection, caller: &Caller, name: &str) -> Result<OrganizationRow> {
    let mut rows = organizations::named(connection, caller, name).await?;
    if rows.len() > 1 {
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        return Err(Error::Invalid(format!(
            "Several organizations are called \"{name}\". Use the entity name of the one you mean: {}.",
            names.join(", ")
        )));
    }
    rows.pop().ok_or_else(|| Error::NotFound(missing_text(name)))
}

async fn by_id(tx: &mut Tx, id: OrganizationId) -> Result<OrganizationRow> {
    organizations::organizations(tx, &[id.0]).await?.pop().ok_or_else(|| StoreError::NotFound.into())
}

/// Rule 16, under the lock of [`administered`].
async fn keep_an_admin(
    tx: &mut Tx,
    caller: &Caller,
    granted: &Granted<AdministerOrganization>,
    organization: &OrganizationRow,
    user: &EntityName,
    present: Option<&str>,
) -> Result<()> {
    let admin = present == Some(OrganizationRole::Admin.as_str());
    if admin && !caller.site_admin && organizations::admins(tx, granted).await? == 1 {
        return Err(Error::Forbidden(format!(
            "{user} is the last admin of the organization {}. Make somebody else an admin first, or ask a site administrator.",
            organization.name
        )));
    }
    Ok(())
}

/// What a service account can't be.
fn at_home(user: &EntityName) -> Error {
    Error::Invalid(format!(
        "\"{user}\" is a service account. It is a member of its team's organization, and nothing else in any organization."
    ))
}

fn missing_text(name: &str) -> String {
    format!("The organization \"{name}\" is not found: there is none of this name, or you are not in it.")
}

fn missing(name: &str) -> impl FnOnce(StoreError) -> Error {
    Error::named(missing_text(name), "")
}

fn subject(organization: OrganizationId) -> String {
    format!("Organization:{organization}")
}

pub(crate) fn member_set(organization: OrganizationId, user: UserId, before: Option<&str>, role: OrganizationRole) -> Event {
    Event {
        kind: Kind::OrganizationMemberSet,
        subject: subject(organization),
        before: before.map(|role| json!({ "user": user_subject(user), "role": role })),
        after: Some(json!({ "user": user_subject(user), "role": role.as_str() })),
    }
}
