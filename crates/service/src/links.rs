//! Linking versions into registry collections, and unlinking them (rules 11, 20, 21, 28 to 33). What must not live here: changes
//! of their aliases (`changes`).

use regalia_domain::ids::{CollectionId, MembershipId, VersionId};
use regalia_domain::names::{ArtifactTypeName, RegistryCollectionName, RegistryName};
use regalia_domain::roles::Right;
use regalia_domain::ttl::Ttl;
use regalia_store::access::{Caller, Contribute, ProjectKind, ProjectRow};
use regalia_store::collections::{self, CollectionRow, Locked};
use regalia_store::memberships::{self, MembershipRow};
use regalia_store::versions::{self, VersionRow};
use regalia_store::{Tx, aliases, audit, expiry, organizations, registries};
use serde_json::json;

use crate::changes::{lost_event, unlinked_event};
use crate::projects::forbidden_project;
use crate::registries::{allowed, target};
use crate::runs::missing_version;
use crate::versions::{alias_event, create_collection, custom_aliases};
use crate::{Error, Request, Result, Service};

/// What is linked where.
#[derive(Debug)]
pub struct Link {
    /// The version, by whatever path it was found: linking a link links its source (rule 31).
    pub version: VersionId,
    /// The organization's entity or display name; absent: that of the source version's entity (rule 21).
    pub organization: Option<String>,
    /// The registry; a missing core registry is made (rule 11).
    pub registry: RegistryName,
    /// The collection; made if it is missing.
    pub collection: RegistryCollectionName,
    /// Aliases in that collection.
    pub aliases: Vec<String>,
}

impl Service {
    /// Links a version, or finds the link that is there and adds the aliases (rule 31). What is linked doesn't expire any more
    /// (rule 35).
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`, `Conflict`.
    pub async fn link(&self, request: &Request, link: &Link) -> Result<MembershipRow> {
        let caller = request.caller()?;
        let names = custom_aliases(&link.aliases)?;
        let mut tx = self.begin().await?;
        let version = source(&mut tx, caller, link.version).await?;
        let organization = match (&link.organization, version.organization_id) {
            (Some(name), _) => name.clone(),
            (None, Some(id)) => {
                organizations::organizations(&mut tx, &[id]).await?.pop().ok_or(regalia_store::Error::NotFound)?.name
            }
            (None, None) => return Err(elsewhere(&version, None)),
        };
        let registry = target(&mut tx, request, caller, &organization, &link.registry).await?;
        // Rule 21: the organization is that of the source version's entity.
        if version.organization_id != Some(registry.entity_id) {
            return Err(elsewhere(&version, Some(&registry.entity_name)));
        }
        let granted = registry.grant::<Contribute>(caller).map_err(forbidden_project(&registry))?;
        let rules = registries::lock_shared(&mut tx, &granted).await?;
        let type_name = ArtifactTypeName::parse(&version.type_name)?;
        if !allowed(&rules)?.allows(&type_name) {
            return Err(Error::Invalid(format!(
                "The registry \"{}\" doesn't allow the artifact type \"{type_name}\"; it allows: {}. An admin of the registry can add the type.",
                registry.name,
                rules.listed.join(", ")
            )));
        }
        let collection = match collections::lock(&mut tx, &granted, link.collection.as_str()).await? {
            Some(collection) => collection,
            None => {
                create_collection(&mut tx, request, &granted, ProjectKind::Registry, link.collection.as_str(), &type_name).await?
            }
        };
        // From here on it is neither deleted nor does its type change. The collection's lock has the right to write here read again;
        // that to the source, and all else that was read above, may be older.
        versions::hold(&mut tx, version.id).await?;
        let version = source(&mut tx, caller, link.version).await?;
        if version.type_name != type_name.as_str() {
            return Err(Error::Conflict("The version's type was changed at the same moment. Please try again.".into()));
        }
        same_type(&collection, &link.collection, &type_name)?;
        let membership = self.place(&mut tx, request, &registry, &collection, &version, names).await?;
        regalia_store::commit(tx).await?;
        Ok(membership)
    }

    /// A link that the caller sees.
    ///
    /// # Errors
    /// `NotFound`, also for a version's place where it was logged.
    pub async fn link_by_id(&self, caller: &Caller, id: MembershipId) -> Result<MembershipRow> {
        let mut connection = self.store.read().await?;
        let place = memberships::visible_link(&mut connection, caller, id).await?;
        place.ok_or_else(|| Error::NotFound("There is no such link, or you may not see it.".into()))
    }

    /// Removes a link: the version's place and aliases in a registry collection, and nothing else (rule 33). Its index is never
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
        registry: &ProjectRow,
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
            if let Some(seconds) = expiry::disable(tx, collection, version.id).await? {
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
        audit::record(tx, request.origin(), registry.organization_id.map(Into::into), &events).await?;
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

/// Where a project of this name is no registry: linking goes to registries only.
#[must_use]
pub fn not_a_registry(target: &str) -> Error {
    Error::Invalid(format!(
        "\"{target}\" is not in a registry: linking is only allowed within the same team or to a collection in your organization's \
         registry, such as \"ORGANIZATION/wandb-registry-model/COLLECTION\"."
    ))
}
