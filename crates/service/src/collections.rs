//! Collections: described, renamed, tagged, given another type, deleted (rules 25, 32 to 34). What must not live here: how they
//! come to be (`versions`, `links`), and single versions that leave them (`changes`, `links`).

use regalia_domain::description;
use regalia_domain::ids::CollectionId;
use regalia_domain::names::{ArtifactTypeName, RegistryCollectionName, SourceCollectionName, TagName};
use regalia_store::access::{self, Administer, Caller, Contribute, Granted, ProjectKind, ProjectRow};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::collections::{self, CollectionRow, Locked};
use regalia_store::ending::{self, Which};
use regalia_store::{Tx, aliases, projects, registries, tags, versions};
use serde_json::{Map, Value, json};

use crate::changes::protected;
use crate::projects::forbidden_project;
use crate::{Error, Request, Result, Service, at_most, differing, to_the_end};

/// Most tags of one request (rule 34), and of one collection or version.
const MOST_TAGS_AT_ONCE: usize = 20;
const MOST_TAGS: usize = 100;

/// How often a deletion begins anew because something was linked meanwhile.
pub(crate) const ATTEMPTS: usize = 5;

/// What to change of a collection; what isn't given stays.
#[derive(Debug, Default)]
pub struct CollectionChange {
    /// A new name.
    pub name: Option<String>,
    /// The card.
    pub description: Option<String>,
    /// Tags that it shall have.
    pub add_tags: Vec<TagName>,
    /// Tags that it shall not have.
    pub remove_tags: Vec<TagName>,
}

impl Service {
    /// Changes a collection's own fields and tags. What is so already needs no right (rule 17).
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid` for a name that is none; `Conflict` for one that is taken.
    pub async fn update_collection(
        &self,
        request: &Request,
        kind: ProjectKind,
        id: CollectionId,
        change: &CollectionChange,
    ) -> Result<CollectionRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (row, project) = found_of(&mut tx, caller, kind, id).await?;
        let name = change.name.as_deref().map(|name| fitting(&row, name)).transpose()?;
        let next = |fields: &collections::Fields| collections::Fields {
            name: name.clone().unwrap_or_else(|| fields.name.clone()),
            description: change.description.clone().or_else(|| fields.description.clone()),
        };
        let seen = collections::Fields { name: row.name.clone(), description: row.description.clone() };
        let (add, remove) = (texts(&change.add_tags)?, texts(&change.remove_tags)?);
        if next(&seen) == seen && add.is_empty() && remove.is_empty() {
            return Ok(row);
        }
        let (granted, locked) = contribute(&mut tx, caller, &row, &project).await?;
        let before = collections::fields(&mut tx, &locked).await?;
        let after = next(&before);
        description::check_change(before.description.as_deref(), after.description.as_deref())?;
        if after != before {
            collections::update(&mut tx, &locked, &after).await.map_err(|error| match error {
                regalia_store::Error::Exists => {
                    Error::Conflict(format!("There is a collection \"{}\" here already. Choose another name.", after.name))
                }
                other => other.into(),
            })?;
        }
        let changed = tags::change_of_collection(&mut tx, &granted, &locked, &add, &remove).await?;
        not_too_many(&changed)?;
        let (mut old, mut new) = differing([
            ("name", json!(before.name), json!(after.name)),
            ("description", json!(before.description), json!(after.description)),
        ]);
        tell_tags(&changed, &mut old, &mut new);
        if !old.is_empty() || !new.is_empty() {
            let event = Event {
                kind: Kind::CollectionUpdated,
                subject: subject(id),
                before: Some(Value::Object(old)),
                after: Some(Value::Object(new)),
            };
            audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
        }
        let (row, _) = found(&mut tx, caller, id).await?;
        regalia_store::commit(tx).await?;
        Ok(row)
    }

    /// Changes the type of a source collection none of whose versions is linked (rule 25).
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid` for a registry collection; `Conflict` when a version is linked.
    pub async fn set_collection_type(
        &self,
        request: &Request,
        id: CollectionId,
        type_name: &ArtifactTypeName,
    ) -> Result<CollectionRow> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (row, project) = found(&mut tx, caller, id).await?;
        if !row.is_source() {
            return Err(Error::Invalid(
                "A collection that versions are linked into keeps its type for ever. Link them into another collection.".into(),
            ));
        }
        if row.type_name == type_name.as_str() {
            return Ok(row);
        }
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let (type_id, _) = projects::ensure_type(&mut tx, &granted, type_name).await?;
        let locked = collections::lock_by_id(&mut tx, &granted, id).await.map_err(missing)?;
        if locked.type_name == type_name.as_str() {
            // Another request came first.
            return Ok(found(&mut tx, caller, id).await?.0);
        }
        if !collections::set_type(&mut tx, &locked, type_id).await? {
            return Err(Error::Conflict(format!(
                "A version of the collection \"{}\" is linked, and a link's type never changes. Unlink it, or log to a new collection.",
                row.name
            )));
        }
        let event = Event {
            kind: Kind::CollectionUpdated,
            subject: subject(id),
            before: Some(json!({ "type": locked.type_name })),
            after: Some(json!({ "type": type_name.as_str() })),
        };
        audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
        let (row, _) = found(&mut tx, caller, id).await?;
        regalia_store::commit(tx).await?;
        Ok(row)
    }

    /// Deletes a collection: one of links with them, whose versions stay where they were born; a source collection with its
    /// versions and all links to them. Its name is free again.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`, also while a protected alias is held (rule 32), for a registry's collection but by its admins.
    pub async fn delete_collection(&self, request: &Request, kind: ProjectKind, id: CollectionId) -> Result<CollectionRow> {
        let (service, request) = (self.clone(), request.clone());
        to_the_end(async move { service.delete_all(&request, kind, id).await }).await
    }

    async fn delete_all(&self, request: &Request, kind: ProjectKind, id: CollectionId) -> Result<CollectionRow> {
        for _ in 0..ATTEMPTS {
            let mut tx = self.begin_long().await?;
            let (row, project) = found_of(&mut tx, request.caller()?, kind, id).await?;
            let done = if row.is_source() {
                delete_source(&mut tx, request, &row, &project).await?
            } else {
                delete_links(&mut tx, request, &row, &project).await?;
                true
            };
            if done {
                regalia_store::commit(tx).await?;
                return Ok(CollectionRow { deleted: true, ..row });
            }
        }
        Err(Error::Conflict("Versions of this collection are being linked at the same time. Try again when that is over.".into()))
    }
}

async fn delete_links(tx: &mut Tx, request: &Request, row: &CollectionRow, project: &ProjectRow) -> Result<()> {
    let (granted, locked) = contribute(tx, request.caller()?, row, project).await?;
    aliases::may_remove_all(tx, &locked).await?;
    audit::collection_deleted(tx, request.origin(), granted.organization(), row.id).await?;
    Ok(collections::delete(tx, &locked).await?)
}

/// Whether it was done: a version may have been linked after the collections were locked.
async fn delete_source(tx: &mut Tx, request: &Request, row: &CollectionRow, project: &ProjectRow) -> Result<bool> {
    let granted = project.grant::<Administer>(request.caller()?).map_err(forbidden_project(project))?;
    let Some(locked) = collections::lock_holding(tx, &granted, row.id, None).await.map_err(missing)? else { return Ok(false) };
    let source = own(&locked, row.id)?;
    if ending::lock(tx, source, Which::All, &locked).await?.elsewhere {
        return Ok(false);
    }
    let (origin, organization) = (request.origin(), granted.organization());
    audit::collection_deleted(tx, origin, organization, row.id).await?;
    ending::end(tx, origin, organization, source, Which::All, &locked, None).await.map_err(protected)?;
    versions::forget_pending(tx, source).await?;
    collections::delete(tx, source).await?;
    Ok(true)
}

/// The source collection among those that were locked with it.
pub(crate) fn own(locked: &[Locked], id: CollectionId) -> Result<&Locked> {
    Ok(locked.iter().find(|collection| collection.id() == id).ok_or(regalia_store::Error::NotFound)?)
}

/// Locks a collection for who may write there, after the rules of the registry that it is in.
pub(crate) async fn contribute(
    tx: &mut Tx,
    caller: &Caller,
    row: &CollectionRow,
    project: &ProjectRow,
) -> Result<(Granted<Contribute>, Locked)> {
    let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(project))?;
    if project.kind == ProjectKind::Registry {
        registries::lock_shared(tx, &granted).await.map_err(missing)?;
    }
    let locked = collections::lock_by_id(tx, &granted, row.id).await.map_err(missing)?;
    Ok((granted, locked))
}

/// A collection that the caller sees, with its project.
pub(crate) async fn found(tx: &mut Tx, caller: &Caller, id: CollectionId) -> Result<(CollectionRow, ProjectRow)> {
    let row = collections::visible(tx, caller, id).await?.ok_or(regalia_store::Error::NotFound).map_err(missing)?;
    let project = access::project(tx, caller, row.project_id).await.map_err(missing)?;
    Ok((row, project))
}

/// The same of one kind: a request that is meant for links must not end versions.
async fn found_of(tx: &mut Tx, caller: &Caller, kind: ProjectKind, id: CollectionId) -> Result<(CollectionRow, ProjectRow)> {
    let (row, project) = found(tx, caller, id).await?;
    if row.is_source() != (kind == ProjectKind::Project) {
        return Err(Error::Invalid(format!(
            "\"{}\" is {}. Use the request for that kind.",
            row.name,
            if row.is_source() { "a collection where versions are logged" } else { "a collection that versions are linked into" }
        )));
    }
    Ok((row, project))
}

pub(crate) fn missing(error: regalia_store::Error) -> Error {
    Error::named("There is no such collection, or you may not see it.", "")(error)
}

fn subject(id: CollectionId) -> String {
    format!("Collection:{id}")
}

/// A name that fits the kind of the collection (rule 25).
fn fitting(row: &CollectionRow, name: &str) -> Result<String> {
    Ok(if row.is_source() {
        SourceCollectionName::parse(name)?.as_str().to_owned()
    } else {
        RegistryCollectionName::parse(name)?.as_str().to_owned()
    })
}

/// Tags as texts, each once.
pub(crate) fn texts(tags: &[TagName]) -> Result<Vec<String>> {
    at_most("tags", tags.len(), MOST_TAGS_AT_ONCE)?;
    let mut texts: Vec<String> = tags.iter().map(|tag| tag.as_str().to_owned()).collect();
    texts.sort();
    texts.dedup();
    Ok(texts)
}

pub(crate) fn not_too_many(changed: &tags::Changed) -> Result<()> {
    let count = changed.after.len();
    if count <= MOST_TAGS || changed.after.iter().all(|tag| changed.before.contains(tag)) {
        return Ok(());
    }
    Err(Error::Invalid(format!("It would have {count} tags; at most {MOST_TAGS} are kept. Remove some first.")))
}

/// The tags of an event, if they changed.
pub(crate) fn tell_tags(changed: &tags::Changed, old: &mut Map<String, Value>, new: &mut Map<String, Value>) {
    if changed.before != changed.after {
        old.insert("tags".into(), json!(changed.before));
        new.insert("tags".into(), json!(changed.after));
    }
}
