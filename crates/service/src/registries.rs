//! Registries: created, changed and deleted under rules 1 to 5, 7 to 11 and 32. What must not live here: linking, members.

use regalia_domain::alias::ProtectedAliases;
use regalia_domain::description;
use regalia_domain::ids::ProjectId;
use regalia_domain::names::{ArtifactTypeName, RegistryName};
use regalia_domain::roles::Visibility;
use regalia_domain::types::{self, AllowedTypes, TypesChange};
use regalia_store::access::{self, Administer, Caller, CreateRegistry, EntityRow, Granted, ProjectKind, ProjectRow};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::registries::{self, Rules};
use regalia_store::{Connection, Error as StoreError, Tx};
use serde_json::json;

use crate::projects::{forbidden_project, subject};
use crate::{Error, Request, Result, Service, at_most, to_the_end};

/// Registries that linking makes by itself, with the one type that each takes (rule 11).
const CORE: [(&str, &str); 2] = [("model", "model"), ("dataset", "dataset")];

/// What a caller asks of a registry; `None` is the default at creation and no change at an update.
#[derive(Debug, Default, Clone)]
pub struct RegistryFields {
    /// The new name at an update (rule 9); a creation has its name beside these.
    pub name: Option<RegistryName>,
    /// Null and empty differ (rule 7).
    pub description: Option<String>,
    /// Who sees it.
    pub visibility: Option<Visibility>,
    /// Whether any type may be linked.
    pub allow_all_types: Option<bool>,
    /// Types for the list.
    pub types: Option<Vec<ArtifactTypeName>>,
    /// All aliases that only admins change (rule 32); at an update alone.
    pub protected_aliases: Option<ProtectedAliases>,
}

impl Service {
    /// Creates a registry, and nothing else (rule 2's create of our own schema).
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`; `Conflict` when the name or a twin of it is taken.
    pub async fn create_registry(
        &self,
        request: &Request,
        organization: &str,
        name: &RegistryName,
        fields: &RegistryFields,
    ) -> Result<ProjectRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let owner = organization_entity(&mut tx, caller, organization).await?;
        let granted = may_create(&owner, caller)?;
        let id = create(&mut tx, request, &granted, name, fields).await?.ok_or_else(|| taken(name))?;
        let project = access::project(&mut tx, caller, id).await?;
        regalia_store::commit(tx).await?;
        Ok(project)
    }

    /// Updates a registry, and nothing else.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`.
    pub async fn update_registry(&self, request: &Request, registry: ProjectId, fields: &RegistryFields) -> Result<ProjectRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, granted) = administered(&mut tx, caller, registry).await?;
        let (rules, granted) = locked(&mut tx, caller, &granted).await.map_err(lost(&project))?;
        update(&mut tx, request, &granted, rules, fields).await?;
        let project = access::project(&mut tx, caller, registry).await?;
        regalia_store::commit(tx).await?;
        Ok(project)
    }

    /// Renames a registry by its names, as the W&B protocol asks (rule 9). From then on the old name means nothing.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` when the new name, or a twin of it, is taken.
    pub async fn rename_registry(
        &self,
        request: &Request,
        organization: &str,
        old: &RegistryName,
        new: &RegistryName,
    ) -> Result<ProjectRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let Place::Registry(project) = locate(&mut tx, caller, organization, old).await? else {
            return Err(missing(regalia_store::Error::NotFound));
        };
        let granted = project.grant::<Administer>(caller).map_err(forbidden_project(&project))?;
        let (rules, granted) = locked(&mut tx, caller, &granted).await.map_err(lost(&project))?;
        update(&mut tx, request, &granted, rules, &RegistryFields { name: Some(new.clone()), ..RegistryFields::default() })
            .await?;
        let project = access::project(&mut tx, caller, project.id).await?;
        regalia_store::commit(tx).await?;
        Ok(project)
    }

    /// Deletes a registry with its collections and links. The versions stay in their source collections, and downloads by the
    /// links end (rule 10). Only admins may, so a protected alias is no obstacle.
    ///
    /// # Errors
    /// `NotFound`, also the second time; `Forbidden`.
    pub async fn delete_registry(&self, request: &Request, registry: ProjectId) -> Result<ProjectRow> {
        let (service, request) = (self.clone(), request.clone());
        to_the_end(async move { service.delete_registry_to_the_end(&request, registry).await }).await
    }

    async fn delete_registry_to_the_end(&self, request: &Request, registry: ProjectId) -> Result<ProjectRow> {
        let caller = request.caller()?;
        let mut tx = self.begin_long().await?;
        let (project, granted) = administered(&mut tx, caller, registry).await?;
        // Nobody links into it from here on.
        let (rules, granted) = locked(&mut tx, caller, &granted).await.map_err(lost(&project))?;
        audit::collections_deleted(&mut tx, request.origin(), granted.organization(), &[registry.0]).await?;
        registries::delete(&mut tx, &granted).await?;
        let event =
            Event { kind: Kind::RegistryDeleted, subject: subject(registry), before: Some(described(&rules)), after: None };
        audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
        regalia_store::commit(tx).await?;
        Ok(project)
    }

    /// Creates or updates by name, as the W&B protocol asks (rule 2); says whether it is new. A name that stands for
    /// anything that the caller doesn't administer, seen or unseen, or for a twin of one, gives one and the same error.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`, `Conflict`.
    pub async fn upsert_registry(
        &self,
        request: &Request,
        organization: &str,
        name: &RegistryName,
        fields: &RegistryFields,
    ) -> Result<(ProjectRow, bool)> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, inserted) = match locate(&mut tx, caller, organization, name).await? {
            Place::Registry(project) => (project, false),
            Place::Organization(owner) => {
                let granted = may_create(&owner, caller)?;
                match create(&mut tx, request, &granted, name, fields).await? {
                    Some(id) => (access::project(&mut tx, caller, id).await?, true),
                    // Hidden, a twin, or made by another request meanwhile: the last can be seen now.
                    None => (find(&mut tx, caller, &owner.name, name).await?.ok_or_else(|| taken(name))?, false),
                }
            }
        };
        let project = if inserted {
            project
        } else {
            let granted = project.grant::<Administer>(caller).map_err(|_| taken(name))?;
            let (rules, granted) = locked(&mut tx, caller, &granted).await.map_err(|error| match error {
                StoreError::NotFound | StoreError::Forbidden => taken(name),
                other => other.into(),
            })?;
            update(&mut tx, request, &granted, rules, fields).await?;
            access::project(&mut tx, caller, project.id).await?
        };
        regalia_store::commit(tx).await?;
        Ok((project, inserted))
    }
}

/// A registry by its number, with the right to change it and its members.
pub(crate) async fn administered(tx: &mut Tx, caller: &Caller, registry: ProjectId) -> Result<(ProjectRow, Granted<Administer>)> {
    let project = access::project(tx, caller, registry).await.map_err(missing)?;
    if project.kind != ProjectKind::Registry {
        return Err(missing(regalia_store::Error::NotFound));
    }
    let granted = project.grant::<Administer>(caller).map_err(forbidden_project(&project))?;
    Ok((project, granted))
}

/// The registry's rules, which nobody else changes until the commit, with the right to: whoever held the lock until now may have
/// taken it away.
async fn locked(
    tx: &mut Tx,
    caller: &Caller,
    registry: &Granted<Administer>,
) -> Result<(Rules, Granted<Administer>), StoreError> {
    let rules = registries::lock(tx, registry).await?;
    let granted = access::project(tx, caller, registry.target()).await?.grant(caller)?;
    Ok((rules, granted))
}

/// A registry, or the right to change it, that has gone meanwhile.
fn lost(project: &ProjectRow) -> impl FnOnce(StoreError) -> Error + use<> {
    let forbidden = forbidden_project(project);
    move |error| match error {
        StoreError::NotFound => missing(error),
        other => forbidden(other),
    }
}

async fn find(tx: &mut Tx, caller: &Caller, organization: &str, name: &RegistryName) -> Result<Option<ProjectRow>> {
    match access::project_by_name(tx, caller, organization, ProjectKind::Registry, name.as_str()).await {
        Ok(project) => Ok(Some(project)),
        Err(regalia_store::Error::NotFound) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// What the name of a registry leads to.
enum Place {
    /// The registry.
    Registry(ProjectRow),
    /// The organization, where the caller sees no registry of that name.
    Organization(EntityRow),
}

/// A registry of an organization, which goes by its entity name or its display name. A direct member from outside sees the
/// registry and not the organization, so the registry is looked for first.
async fn locate(tx: &mut Tx, caller: &Caller, organization: &str, name: &RegistryName) -> Result<Place> {
    if let Some(project) = find(tx, caller, organization, name).await? {
        return Ok(Place::Registry(project));
    }
    let owner = organization_entity(tx, caller, organization).await?;
    let found = if owner.name == organization { None } else { find(tx, caller, &owner.name, name).await? };
    Ok(found.map_or(Place::Organization(owner), Place::Registry))
}

/// An organization by its entity name, or by a display name that only one visible organization has (rule 19).
pub(crate) async fn organization_entity(tx: &mut Connection, caller: &Caller, name: &str) -> Result<EntityRow> {
    let named = crate::organizations::named(tx, caller, name).await?;
    Ok(access::entity(tx, caller, &named.name).await?)
}

fn may_create(owner: &EntityRow, caller: &Caller) -> Result<Granted<CreateRegistry>> {
    owner.create_registry(caller).map_err(Error::named(
        format!("There is no organization \"{}\", or you are not in it.", owner.name),
        format!("You may not create registries in the organization {}. Ask one of its admins.", owner.name),
    ))
}

/// The one generic error of rule 2.
fn taken(name: &RegistryName) -> Error {
    Error::Conflict(format!("The name \"{name}\" can't be used for a registry here. Please use a different name."))
}

pub(crate) fn missing(error: regalia_store::Error) -> Error {
    Error::named("There is no such registry, or you may not see it.", "")(error)
}

/// The registry of a link's target; a missing core registry is made if the caller may (rule 11).
pub(crate) async fn target(
    tx: &mut Tx,
    request: &Request,
    caller: &Caller,
    organization: &str,
    name: &RegistryName,
) -> Result<ProjectRow> {
    let organization = match locate(tx, caller, organization, name).await? {
        Place::Registry(project) => return Ok(project),
        Place::Organization(organization) => organization,
    };
    let absent = || {
        Error::NotFound(format!(
            "There is no registry \"{name}\" in the organization {}, or you may not see it. Create it first, or check its name.",
            organization.name
        ))
    };
    let Some((_, core_type)) = CORE.iter().find(|(core, _)| *core == name.as_str()) else { return Err(absent()) };
    let granted = organization.create_registry(caller).map_err(|_| absent())?;
    let fields = RegistryFields { types: Some(vec![ArtifactTypeName::parse(core_type)?]), ..RegistryFields::default() };
    create(tx, request, &granted, name, &fields).await?;
    find(tx, caller, &organization.name, name).await?.ok_or_else(absent)
}

async fn create(
    tx: &mut Tx,
    request: &Request,
    organization: &Granted<CreateRegistry>,
    name: &RegistryName,
    fields: &RegistryFields,
) -> Result<Option<ProjectId>> {
    at_most("artifact types", fields.types.as_ref().map_or(0, Vec::len), 1000)?;
    description::check(fields.description.as_deref())?;
    let allowed = AllowedTypes::from(types::AllowList::at_creation(fields.types.as_deref()));
    if fields.allow_all_types == Some(true) && !allowed.allow_all {
        return Err(Error::Invalid("A registry that allows all types takes no list of types. Send one or the other.".into()));
    }
    if fields.allow_all_types == Some(false) && allowed.allow_all {
        return Err(Error::Invalid("A registry that doesn't allow all types needs at least one artifact type.".into()));
    }
    let visibility = fields.visibility.unwrap_or(Visibility::Organization);
    let new = registries::NewRegistry { name, description: fields.description.as_deref(), visibility, types: &allowed.saved };
    let id = registries::create(tx, organization, &new).await?;
    if let Some(id) = id {
        let event = Event {
            kind: Kind::RegistryCreated,
            subject: subject(id),
            before: None,
            after: Some(json!({
                "name": name.as_str(), "description": fields.description, "visibility": visibility.as_str(),
                "types": names(&allowed.saved), "allow_all_types": allowed.allow_all,
            })),
        };
        audit::record(tx, request.origin(), organization.organization(), &[event]).await?;
    }
    Ok(id)
}

/// Changes a registry under the lock of [`locked`].
async fn update(
    tx: &mut Tx,
    request: &Request,
    registry: &Granted<Administer>,
    rules: Rules,
    fields: &RegistryFields,
) -> Result<()> {
    let current = allowed(&rules)?;
    let in_use = parse_types(&rules.in_use)?;
    at_most("artifact types", fields.types.as_ref().map_or(0, Vec::len), 1000)?;
    at_most("protected aliases", fields.protected_aliases.as_ref().map_or(0, |list| list.names().len()), ProtectedAliases::MOST)?;
    let change = TypesChange { allow_all: fields.allow_all_types, add: fields.types.clone() };
    let next = types::updated(&current, &in_use, &change)?;
    let visibility: Visibility = rules.visibility.as_deref().unwrap_or_default().parse()?;
    let next_visibility = fields.visibility.unwrap_or(visibility);
    if !visibility.may_become(next_visibility) {
        return Err(Error::Invalid(
            "A restricted registry can't be opened to its organization again. Create a new registry with organization visibility.".into(),
        ));
    }
    let after = Rules {
        name: fields.name.as_ref().map_or(&*rules.name, RegistryName::as_str).to_owned(),
        description: fields.description.clone().or_else(|| rules.description.clone()),
        visibility: Some(next_visibility.as_str().to_owned()),
        allow_all_types: next.allow_all,
        listed: next.saved.iter().map(|name| name.as_str().to_owned()).collect(),
        protected: fields.protected_aliases.clone().unwrap_or_else(|| rules.protected.clone()),
        in_use: rules.in_use.clone(),
    };
    description::check_change(rules.description.as_deref(), after.description.as_deref())?;
    if next == current && described(&after) == described(&rules) {
        return Ok(());
    }
    let name = RegistryName::parse(&after.name)?;
    let written = registries::Fields {
        name: &name,
        description: after.description.as_deref(),
        visibility: next_visibility,
        allow_all_types: next.allow_all,
        listed: &next.saved,
        protected: &after.protected,
    };
    registries::update(tx, registry, &written).await.map_err(|error| match error {
        regalia_store::Error::Exists => taken(&name),
        other => other.into(),
    })?;
    let event = Event {
        kind: Kind::RegistryUpdated,
        subject: subject(registry.target()),
        before: Some(described(&rules)),
        after: Some(described(&after)),
    };
    Ok(audit::record(tx, request.origin(), registry.organization(), &[event]).await?)
}

/// A registry's own fields, as events tell of them.
fn described(rules: &Rules) -> serde_json::Value {
    json!({
        "name": rules.name, "description": rules.description, "visibility": rules.visibility, "types": rules.listed,
        "allow_all_types": rules.allow_all_types, "protected_aliases": rules.protected.names(),
    })
}

/// The stored rules as the domain's.
pub(crate) fn allowed(rules: &Rules) -> Result<AllowedTypes> {
    Ok(AllowedTypes { allow_all: rules.allow_all_types, saved: parse_types(&rules.listed)? })
}

fn parse_types(names: &[String]) -> Result<Vec<ArtifactTypeName>> {
    Ok(names.iter().map(|name| ArtifactTypeName::parse(name)).collect::<Result<_, _>>()?)
}

fn names(types: &[ArtifactTypeName]) -> Vec<&str> {
    types.iter().map(ArtifactTypeName::as_str).collect()
}
