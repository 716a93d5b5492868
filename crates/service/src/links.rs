//! Linking versions into collections of registries and projects, and unlinking them (rules 11, 20, 21, 28 to 33). What must not live
//! here: changes of their aliases (`changes`).

use regalia_domain::ids::{CollectionId, MembershipId, VersionId};
use regalia_domain::names::{ArtifactTypeName, EntityName, ProjectName, RegistryCollectionName, RegistryName};
use regalia_domain::paths::TargetPath;
use regalia_domain::roles::Right;
use regalia_domain::ttl::Ttl;
use regalia_store::access::{self, Caller, Contribute, Granted, ProjectKind, ProjectRow};
use regalia_store::collections::{self, CollectionRow, Locked};
use regalia_store::memberships::{self, MembershipRow};
use regalia_store::versions::{self, VersionRow};
use regalia_store::{Tx, aliases, audit, expiry, organizations, registries};
use serde_json::json;

use crate::changes::{lost_event, unlinked_event};
use crate::projects::{ensure_project, forbidden_project};
use crate::registries::{allowed, target};
use crate::runs::missing_version;
use crate::versions::{alias_event, create_collection, custom_aliases};
use crate::{Error, Request, Result, Service};

/// What is linked where.
#[derive(Debug)]
pub struct Link {
    /// The version, by whatever path it was found: linking a link links its source (rule 31).
    pub version: VersionId,
    /// Where to (rule 20). What it leaves out is where the version was logged: its organization, its entity, its project. Made when
    /// missing: a core registry (rule 11), a project, a collection.
    pub target: TargetPath,
    /// Aliases in that collection.
    pub aliases: Vec<String>,
}

impl Service {
    /// Links a version, or finds the link that is there and adds the aliases (rule 31). What a registry holds doesn't expire
    /// any more (rule 35).
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`, `Conflict`.
    pub async fn link(&self, request: &Request, link: &Link) -> Result<MembershipRow> {
        let caller = request.caller()?;
        let names = custom_aliases(&link.aliases)?;
        let mut tx = self.begin().await?;
        let version = source(&mut tx, caller, link.version).await?;
        let (home, name) = match &link.target {
            TargetPath::Registry { organization, registry, collection } => {
                (self::registry(&mut tx, request, &version, organization.as_deref(), registry).await?, collection)
            }
            TargetPath::Project { entity, project, collection } => {
                (self::project(&mut tx, request, &version, entity.as_ref(), project.as_ref()).await?, collection)
            }
        };
        let granted = home.grant::<Contribute>(caller).map_err(forbidden_project(&home))?;
        let type_name = ArtifactTypeName::parse(&version.type_name)?;
        if home.kind == ProjectKind::Registry {
            taken_by(&mut tx, &home, &granted, &type_name).await?;
        }
        let collection = match collections::lock(&mut tx, &granted, name.as_str()).await? {
            Some(collection) => collection,
            None => create_collection(&mut tx, request, &granted, ProjectKind::Registry, name.as_str(), &type_name).await?,
        };
        if collection.kind == "source" {
            return Err(Error::Conflict(format!(
                "\"{name}\" is a collection where versions are logged, so none can be linked into it. Link into another collection."
            )));
        }
        // From here on it is neither deleted nor does its type change. The collection's lock has the right to write here read again;
        // that to the source, and all else that was read above, may be older.
        versions::hold(&mut tx, version.id).await?;
        let version = source(&mut tx, caller, link.version).await?;
        if version.type_name != type_name.as_str() {
            return Err(Error::Conflict("The version's type was changed at the same moment. Please try again.".into()));
        }
        same_type(&collection, name, &type_name)?;
        let membership = self.place(&mut tx, request, &home, &collection, &version, names).await?;
        regalia_store::commit(tx).await?;
        Ok(membership)
    }

    /// A link that the caller sees, or a version's place where it was logged.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn link_by_id(&self, caller: &Caller, id: MembershipId) -> Result<MembershipRow> {
        let mut connection = self.store.read().await?;
        let place = memberships::visible(&mut connection, caller, id).await?;
        place.ok_or_else(|| Error::NotFound("There is no such link, or you may not see it.".into()))
    }

    /// Removes a link: the version's place and aliases in a collection of links, and nothing else (rule 33). Its index is never
    /// given again. The collection that it was in.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, for a link under a protected alias to all but the registry's admins (rule 32); `Invalid` for a
    /// version's own source collection.
    pub async fn unlink(&self, request: &Request, collection: CollectionId, version: VersionId) -> Result<CollectionRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (row, project) = crate::collections::found(&mut tx, caller, collection).await?;
        if row.is_source() {
            return Err(Error::Invalid("This is where the version was logged, not a link. Delete the version instead.".into()));
        }
        let (granted, locked) = crate::collections::contribute(&mut tx, caller, &row, &project).await?;
        let lost = aliases::leave(&mut tx, &[locked], &[version.0], caller.user).await?;
        if lost.places.is_empty() {
            return Err(Error::NotFound(format!("There is no such version in the collection \"{}\".", row.name)));
        }
        let aliases = lost.aliases.iter().map(lost_event);
        let events: Vec<audit::Event> = aliases.chain(lost.places.iter().map(unlinked_event)).collect();
        audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
        regalia_store::commit(tx).await?;
        Ok(row)
    }

    async fn place(
        &self,
        tx: &mut Tx,
        request: &Request,
        home: &ProjectRow,
        collection: &Locked,
        version: &VersionRow,
        mut names: Vec<String>,
    ) -> Result<MembershipRow> {
        let actor = request.caller()?.user;
        let mut events = Vec::new();
        let present = memberships::of_version_in(tx, collection, version.id).await?;
        if present.is_none() {
            let index = collections::take_index(tx, collection).await?;
            let id = memberships::insert(tx, collection, version.id, index, actor).await?;
            names.push(regalia_domain::alias::LATEST.to_owned());
            events.push(audit::Event {
                kind: audit::Kind::VersionLinked,
                subject: format!("Version:{}", version.id),
                before: None,
                after: Some(json!({ "collection": collection.id().0, "index": index, "membership": id.0 })),
            });
            if home.kind == ProjectKind::Registry
                && let Some(seconds) = expiry::disable(tx, collection, version.id).await?
            {
                events.push(audit::Event {
                    kind: audit::Kind::VersionUpdated,
                    subject: format!("Version:{}", version.id),
                    before: Some(json!({ "ttl_seconds": seconds })),
                    after: Some(json!({ "ttl_seconds": Ttl::OFF.as_seconds() })),
                });
            }
        }
        let moved = aliases::set(tx, collection, version.id, &names, actor).await?;
        events.extend(moved.iter().map(|moved| alias_event(collection, version.id, moved)));
        audit::record(tx, request.origin(), home.organization_id.map(Into::into), &events).await?;
        match present {
            Some(present) => Ok(present),
            None => Ok(memberships::of_version_in(tx, collection, version.id).await?.ok_or(regalia_store::Error::NotFound)?),
        }
    }
}

/// The version to be linked: committed, and the caller may download it (rule 28).
async fn source(tx: &mut Tx, caller: &Caller, id: VersionId) -> Result<VersionRow> {
    let version = versions::version(tx, caller, id).await.map_err(missing_version)?;
    if version.state != "committed" {
        return Err(Error::Conflict("This version is not committed yet. Finish logging it before you link it.".into()));
    }
    if !version.allows(Right::Download) {
        return Err(Error::Forbidden(
            "Linking needs the right to download the version. Ask for the viewer role where it is.".into(),
        ));
    }
    Ok(version)
}

/// The registry of a target, which is one of the version's organization (rule 21).
async fn registry(
    tx: &mut Tx,
    request: &Request,
    version: &VersionRow,
    organization: Option<&str>,
    name: &RegistryName,
) -> Result<ProjectRow> {
    let organization = match (organization, version.organization_id) {
        (Some(name), _) => name.to_owned(),
        (None, Some(id)) => organizations::organizations(tx, &[id]).await?.pop().ok_or(regalia_store::Error::NotFound)?.name,
        (None, None) => return Err(elsewhere(version, None)),
    };
    let registry = target(tx, request, request.caller()?, &organization, name).await?;
    if version.organization_id != Some(registry.entity_id) {
        return Err(elsewhere(version, Some(&registry.entity_name)));
    }
    Ok(registry)
}

/// The project of a target, which is one of the version's own team or user (rule 21); made if it is missing.
async fn project(
    tx: &mut Tx,
    request: &Request,
    version: &VersionRow,
    entity: Option<&EntityName>,
    name: Option<&ProjectName>,
) -> Result<ProjectRow> {
    let caller = request.caller()?;
    let (entity, name) = match (entity, name) {
        (Some(entity), Some(name)) => (entity.clone(), name.clone()),
        (entity, name) => {
            let source = access::project(tx, caller, version.project_id).await.map_err(|_| {
                Error::Invalid(
                    "You see a link to this version and not where it was logged, so the target has to say it all: \
                     ENTITY/PROJECT/COLLECTION, or a collection of a registry."
                        .into(),
                )
            })?;
            let entity = entity.map_or_else(|| EntityName::parse(&source.entity_name), |entity| Ok(entity.clone()))?;
            (entity, name.map_or_else(|| ProjectName::parse(&source.name), |name| Ok(name.clone()))?)
        }
    };
    // Whether it is the version's own entity is asked after it was found: who sees a link alone learns nothing by trying names.
    let (project, _) = ensure_project(tx, request, caller, &entity, &name, None).await?;
    if project.entity_name != version.entity_name {
        let source = if version.source_visible() {
            format!("The version was logged under \"{}\"", version.entity_name)
        } else {
            "The version's source is elsewhere".to_owned()
        };
        return Err(Error::Invalid(format!(
            "{source}, and the project belongs to \"{entity}\": linking is only allowed within the same team or to a collection in your \
             organization's registry. Link it into a project of the team or user that it was logged under, or into a registry."
        )));
    }
    Ok(project)
}

/// Asks whether the registry takes the type, and keeps its rules from changing.
async fn taken_by(tx: &mut Tx, registry: &ProjectRow, granted: &Granted<Contribute>, type_name: &ArtifactTypeName) -> Result<()> {
    let rules = registries::lock_shared(tx, granted).await?;
    if allowed(&rules)?.allows(type_name) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "The registry \"{}\" doesn't allow the artifact type \"{type_name}\"; it allows: {}. An admin of the registry can add the type.",
        registry.name,
        rules.listed.join(", ")
    )))
}

/// Rule 21 in words, as far as both ends are visible.
fn elsewhere(version: &VersionRow, organization: Option<&str>) -> Error {
    let source = match (version.source_visible(), version.organization_id) {
        (false, _) => "The version's source is elsewhere".to_owned(),
        (true, None) => format!("The version was logged under the personal entity \"{}\"", version.entity_name),
        (true, Some(_)) => format!("The version was logged under \"{}\", a team of another organization", version.entity_name),
    };
    let registry =
        organization.map_or_else(String::new, |name| format!(", and the registry belongs to the organization \"{name}\""));
    let team = organization.map_or_else(|| "a team of an organization".to_owned(), |name| format!("a team of \"{name}\""));
    Error::Invalid(format!(
        "{source}{registry}: linking is only allowed within the same team or to a collection in your organization's registry. Log the version \
         under {team} and link that one."
    ))
}

fn same_type(collection: &Locked, name: &RegistryCollectionName, type_name: &ArtifactTypeName) -> Result<()> {
    if collection.type_name == type_name.as_str() {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "The collection \"{name}\" holds versions of type \"{}\", so a version of type \"{type_name}\" can't be linked into it. \
         Link it into another collection.",
        collection.type_name
    )))
}
