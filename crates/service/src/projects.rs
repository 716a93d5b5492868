//! Projects: found by name, made on first use. What must not live here: registries' rules.

use regalia_domain::alias::{AliasRef, split_versioned_name};
use regalia_domain::description;
use regalia_domain::ids::ProjectId;
use regalia_domain::names::{ArtifactTypeName, EntityName, ProjectName};
use regalia_domain::roles::RegistryRole;
use regalia_store::access::{self, At, Caller, Contribute, EntityRow, ProjectKind, ProjectRow};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::{Tx, projects};
use serde_json::json;

use crate::{Error, Request, Result, Service};

impl Service {
    /// An entity that the caller sees.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn entity(&self, caller: &Caller, name: &str) -> Result<EntityRow> {
        let mut connection = self.store.read().await?;
        access::entity(&mut connection, caller, name).await.map_err(missing_entity(name))
    }

    /// The entities of these numbers that the caller sees, in any order.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn entities_by_id(&self, caller: &Caller, ids: &[i64]) -> Result<Vec<EntityRow>> {
        let mut connection = self.store.read().await?;
        Ok(access::entities(&mut connection, caller, ids).await?)
    }

    /// A project or registry that the caller sees, by names. A registry's organization may also be named by its display name
    /// (rule 19).
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a display name that several organizations have.
    pub async fn project(&self, caller: &Caller, entity: &str, kind: ProjectKind, name: &str) -> Result<ProjectRow> {
        let mut connection = self.store.read().await?;
        let found = access::project_by_name(&mut connection, caller, entity, kind, name).await;
        if kind == ProjectKind::Registry && matches!(found, Err(regalia_store::Error::NotFound)) {
            let owner = crate::organizations::named(&mut connection, caller, entity).await?;
            return access::project_by_name(&mut connection, caller, &owner.name, kind, name)
                .await
                .map_err(missing_project(entity, name));
        }
        found.map_err(missing_project(entity, name))
    }

    /// As [`Service::project`], with what `collection:alias` names in it.
    ///
    /// # Errors
    /// As [`Service::project`].
    pub async fn at(&self, caller: &Caller, entity: &str, kind: ProjectKind, name: &str, versioned: &str) -> Result<At> {
        let (collection, alias) = split_versioned_name(versioned);
        let alias = AliasRef::parse(&alias);
        let mut connection = self.store.read().await?;
        let found = access::at(&mut connection, caller, entity, kind, name, &collection, &alias).await;
        if kind == ProjectKind::Registry && matches!(found, Err(regalia_store::Error::NotFound)) {
            let owner = crate::organizations::named(&mut connection, caller, entity).await?;
            return access::at(&mut connection, caller, &owner.name, kind, name, &collection, &alias)
                .await
                .map_err(missing_project(entity, name));
        }
        found.map_err(missing_project(entity, name))
    }

    /// Projects and registries that the caller sees, by number.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn projects_by_id(&self, caller: &Caller, ids: &[i64]) -> Result<Vec<ProjectRow>> {
        let mut connection = self.store.read().await?;
        Ok(access::projects(&mut connection, caller, ids).await?)
    }

    /// Projects and registries that the caller sees, by their owners, kinds and names.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn projects_named(
        &self,
        caller: &Caller,
        entities: &[i64],
        kinds: &[&str],
        names: &[&str],
    ) -> Result<Vec<ProjectRow>> {
        let mut connection = self.store.read().await?;
        Ok(access::projects_by_name(&mut connection, caller, entities, kinds, names).await?)
    }

    /// Artifact types of projects that the caller was allowed to see.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn types(&self, projects: &[i64]) -> Result<Vec<projects::TypeRow>> {
        let mut connection = self.store.read().await?;
        Ok(projects::types(&mut connection, projects).await?)
    }

    /// Makes a project; says whether it is new. One that is there is returned as it is, or with a new description if the
    /// caller administers it.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`.
    pub async fn upsert_project(
        &self,
        request: &Request,
        entity: &EntityName,
        name: &ProjectName,
        description: Option<&str>,
    ) -> Result<(ProjectRow, bool)> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, inserted) = ensure_project(&mut tx, request, caller, entity, name, description).await?;
        let changes = description.is_some_and(|text| project.description.as_deref() != Some(text));
        if !inserted
            && changes
            && let Some(text) = description
        {
            let granted = project.grant(caller).map_err(forbidden_project(&project))?;
            description::check(Some(text))?;
            if let Some(before) = projects::describe(&mut tx, &granted, text).await? {
                let event = Event {
                    kind: Kind::ProjectUpdated,
                    subject: subject(project.id),
                    before: Some(json!({ "description": before })),
                    after: Some(json!({ "description": text })),
                };
                audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
            }
        }
        let project = access::project(&mut tx, caller, project.id).await?;
        regalia_store::commit(tx).await?;
        Ok((project, inserted))
    }

    /// Gives a project an artifact type, if it hasn't one of that name.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`.
    pub async fn create_type(
        &self,
        request: &Request,
        entity: &str,
        name: &str,
        type_name: &ArtifactTypeName,
    ) -> Result<(ProjectRow, projects::TypeRow)> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let project = access::project_by_name(&mut tx, caller, entity, ProjectKind::Project, name)
            .await
            .map_err(missing_project(entity, name))?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let (id, new) = projects::ensure_type(&mut tx, &granted, type_name).await?;
        let types = projects::types(&mut tx, &[project.id.0]).await?;
        let row = types.into_iter().find(|row| row.id == id).ok_or(regalia_store::Error::NotFound)?;
        if new {
            let event = Event {
                kind: Kind::ProjectUpdated,
                subject: subject(project.id),
                before: Some(json!({})),
                after: Some(json!({ "type": type_name.as_str() })),
            };
            audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
        }
        regalia_store::commit(tx).await?;
        Ok((project, row))
    }
}

/// The project of these names, made if it is missing and the caller may; says whether it is new.
pub(crate) async fn ensure_project(
    tx: &mut Tx,
    request: &Request,
    caller: &Caller,
    entity: &EntityName,
    name: &ProjectName,
    description: Option<&str>,
) -> Result<(ProjectRow, bool)> {
    match access::project_by_name(tx, caller, entity.as_str(), ProjectKind::Project, name.as_str()).await {
        Ok(project) => return Ok((project, false)),
        Err(regalia_store::Error::NotFound) => {}
        Err(other) => return Err(other.into()),
    }
    let owner = access::entity(tx, caller, entity.as_str()).await.map_err(missing_entity(entity.as_str()))?;
    if owner.kind == "organization" {
        return Err(Error::Invalid(format!(
            "{entity} is an organization. Runs and versions are logged to a team or a user; name one of the organization's teams as the entity."
        )));
    }
    let granted = owner.create_project(caller).map_err(Error::named(
        "",
        format!("You can't create projects in {entity}. Ask an admin of it to add you as a member."),
    ))?;
    description::check(description)?;
    let made = projects::create(tx, &granted, name, description).await?;
    if let Some(id) = made {
        let event = Event {
            kind: Kind::ProjectCreated,
            subject: subject(id),
            before: None,
            after: Some(json!({ "entity": entity.as_str(), "name": name.as_str(), "description": description })),
        };
        audit::record(tx, request.origin(), granted.organization(), &[event]).await?;
    }
    // When another request made it meanwhile, it is there now.
    let project = access::project_by_name(tx, caller, entity.as_str(), ProjectKind::Project, name.as_str())
        .await
        .map_err(missing_project(entity.as_str(), name.as_str()))?;
    Ok((project, made.is_some()))
}

pub(crate) fn subject(project: ProjectId) -> String {
    format!("Project:{project}")
}

pub(crate) fn missing_entity(name: &str) -> impl FnOnce(regalia_store::Error) -> Error {
    Error::named(format!("There is no team, user or organization named \"{name}\", or you may not see it."), "")
}

pub(crate) fn missing_project(entity: &str, name: &str) -> impl FnOnce(regalia_store::Error) -> Error {
    Error::named(format!("There is no project \"{name}\" in \"{entity}\", or you may not see it."), "")
}

pub(crate) fn forbidden_project(project: &ProjectRow) -> impl FnOnce(regalia_store::Error) -> Error + use<> {
    let what = match project.kind {
        ProjectKind::Project => "project",
        ProjectKind::Registry => "registry",
    };
    Error::named(
        "There is no such project, or you may not see it.",
        format!(
            "You don't have the right to do this in the {what} \"{}\" of {}, where your role is {}. Ask one of its admins for a \
             higher one.",
            project.name,
            project.entity_name,
            RegistryRole::of_level(project.level).map_or("none", RegistryRole::as_str)
        ),
    )
}
