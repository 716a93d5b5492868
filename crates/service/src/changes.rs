//! Changes of committed versions: their fields and tags, their aliases in one collection, their end (rules 29, 30, 32 to 36).
//! What must not live here: content, which never changes; links (`links`).

use regalia_domain::alias::is_version_alias;
use regalia_domain::description;
use regalia_domain::ids::{CollectionId, VersionId};
use regalia_domain::metadata::Metadata;
use regalia_domain::names::TagName;
use regalia_domain::ttl::Ttl;
use regalia_store::access::{self, Administer, Caller, Contribute};
use regalia_store::aliases::{self, Left, Lost};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::ending::{self, Which};
use regalia_store::memberships::{self, MembershipRow};
use regalia_store::versions::{self, VersionRow};
use regalia_store::{Tx, collections, tags};
use serde_json::{Value, json};

use crate::collections::{ATTEMPTS, contribute, found, not_too_many, own, tell_tags, texts};
use crate::projects::forbidden_project;
use crate::runs::missing_version;
use crate::versions::{alias_event, custom_aliases};
use crate::{Error, Request, Result, Service, differing};

/// What to change of a version; what isn't given stays.
#[derive(Debug, Default)]
pub struct VersionChange {
    /// Free text.
    pub description: Option<String>,
    /// JSON object.
    pub metadata: Option<String>,
    /// When it expires (rule 35).
    pub ttl: Option<Ttl>,
    /// Tags that it shall have.
    pub add_tags: Vec<TagName>,
    /// Tags that it shall not have.
    pub remove_tags: Vec<TagName>,
}

impl Service {
    /// Changes the fields and tags of a version, which show wherever it is linked (rule 34). What is so already needs no right
    /// (rule 17); the rest needs that to write where the version was logged.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid`; `Conflict` for a version that isn't committed.
    pub async fn update_version(&self, request: &Request, version: VersionId, change: &VersionChange) -> Result<()> {
        let caller = request.caller()?;
        let metadata = change.metadata.as_deref().map(Metadata::parse).transpose()?;
        let (add, remove) = (texts(&change.add_tags)?, texts(&change.remove_tags)?);
        let next = |fields: &versions::Fields| versions::Fields {
            description: change.description.clone().or_else(|| fields.description.clone()),
            metadata: metadata.as_ref().map_or_else(|| fields.metadata.clone(), |metadata| metadata.as_text().to_owned()),
            ttl_seconds: change.ttl.map_or(fields.ttl_seconds, Ttl::as_seconds),
        };
        let mut tx = self.begin().await?;
        let row = versions::version(&mut tx, caller, version).await.map_err(missing_version)?;
        let seen = versions::Fields {
            description: row.description.clone(),
            // Only compared with what is given.
            metadata: if metadata.is_some() { own_metadata(&mut tx, version).await? } else { String::new() },
            ttl_seconds: row.ttl_seconds,
        };
        if next(&seen) == seen && add.is_empty() && remove.is_empty() {
            return Ok(());
        }
        let project = access::project(&mut tx, caller, row.project_id).await.map_err(source_only)?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let before = match versions::lock_fields(&mut tx, &granted, version).await {
            Err(regalia_store::Error::NotFound) => return Err(not_committed(&mut tx, caller, version).await),
            other => other?,
        };
        // Whoever waited for the lock may have lost the right that he came with.
        let project = access::project(&mut tx, caller, row.project_id).await.map_err(source_only)?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let after = next(&before);
        description::check_change(before.description.as_deref(), after.description.as_deref())?;
        // A link that is being made waits for this, or this waited for it.
        if after.ttl_seconds > 0 && after.ttl_seconds != before.ttl_seconds && versions::in_registry(&mut tx, version).await? {
            return Err(Error::Conflict(
                "This version is linked into a registry, and what a registry holds doesn't expire. Unlink it everywhere first, or leave \
                 the expiry (`ttl`) off."
                    .into(),
            ));
        }
        if after != before {
            let metadata = metadata.filter(|metadata| metadata.as_text() != before.metadata);
            versions::update(&mut tx, &granted, version, &after, metadata.as_ref()).await?;
        }
        let changed = tags::change_of_version(&mut tx, &granted, version, &add, &remove).await?;
        not_too_many(&changed)?;
        // Metadata may be a megabyte, so the event only tells that it changed.
        let (mut old, mut new) = differing([
            ("description", json!(before.description), json!(after.description)),
            ("ttl_seconds", json!(before.ttl_seconds), json!(after.ttl_seconds)),
            ("metadata_md5", md5(&before.metadata), md5(&after.metadata)),
        ]);
        tell_tags(&changed, &mut old, &mut new);
        if !old.is_empty() || !new.is_empty() {
            let event = Event {
                kind: Kind::VersionUpdated,
                subject: subject(version),
                before: Some(Value::Object(old)),
                after: Some(Value::Object(new)),
            };
            audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
        }
        regalia_store::commit(tx).await?;
        Ok(())
    }

    /// Gives a version aliases in one collection where it stands, and takes others away (rules 29, 30 and 32). `latest` may be
    /// named and means nothing; among those to take away so may `vN`, which the SDK itself puts into a link's list.
    ///
    /// # Errors
    /// `NotFound`, also when the version isn't in the collection; `Forbidden`; `Invalid`.
    pub async fn change_aliases(
        &self,
        request: &Request,
        collection: CollectionId,
        version: VersionId,
        add: &[String],
        remove: &[String],
    ) -> Result<MembershipRow> {
        let caller = request.caller()?;
        let remove: Vec<String> = remove.iter().filter(|alias| is_version_alias(alias).is_none()).cloned().collect();
        let (add, remove) = (custom_aliases(add)?, custom_aliases(&remove)?);
        if let Some(both) = add.iter().find(|alias| remove.contains(alias)) {
            return Err(Error::Invalid(format!(
                "The alias \"{both}\" is to be given and taken away at once. Send it in one list."
            )));
        }
        let mut tx = self.begin().await?;
        let (row, project) = found(&mut tx, caller, collection).await?;
        let (granted, locked) = contribute(&mut tx, caller, &row, &project).await?;
        let place = memberships::of_version_in(&mut tx, &locked, version)
            .await?
            .ok_or_else(|| Error::NotFound(format!("There is no such version in the collection \"{}\".", row.name)))?;
        let removed = aliases::remove(&mut tx, &locked, version, &remove).await?;
        let moved = aliases::set(&mut tx, &locked, version, &add, caller.user).await?;
        let mut events: Vec<Event> =
            removed.into_iter().map(|alias| lost_event(&Lost { collection, version, alias, to: None })).collect();
        events.extend(moved.iter().map(|moved| alias_event(&locked, version, moved)));
        audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
        regalia_store::commit(tx).await?;
        Ok(place)
    }

    /// Deletes a version with all links to it (rule 33): it is in no list from the commit on, and its index is never given again.
    /// The row as it was.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` without the right to delete where it was logged, and for everybody while a protected alias points at
    /// it (rule 32); `Conflict` for aliases of somebody's choosing unless `with_aliases`, and for a version that isn't committed.
    pub async fn delete_version(&self, request: &Request, version: VersionId, with_aliases: bool) -> Result<VersionRow> {
        for _ in 0..ATTEMPTS {
            if let Some(row) = self.try_delete_version(request, version, with_aliases).await? {
                return Ok(row);
            }
        }
        Err(Error::Conflict("This version is being linked at the same time. Try again when that is over.".into()))
    }

    /// None when it was linked after the collections were locked.
    async fn try_delete_version(&self, request: &Request, version: VersionId, with_aliases: bool) -> Result<Option<VersionRow>> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let row = versions::version(&mut tx, caller, version).await.map_err(missing_version)?;
        let project = access::project(&mut tx, caller, row.project_id).await.map_err(source_only)?;
        let granted = project.grant::<Administer>(caller).map_err(forbidden_project(&project))?;
        let source = CollectionId(row.collection_id);
        let locked = collections::lock_holding(&mut tx, &granted, source, Some(version)).await.map_err(missing_version)?;
        let Some(locked) = locked else { return Ok(None) };
        let own = own(&locked, source)?;
        let only = [version.0];
        let which = Which::These(&only);
        let last = ending::lock(&mut tx, own, which, &locked).await?;
        if last.versions == 0 {
            return Err(not_committed(&mut tx, caller, version).await);
        }
        if last.elsewhere {
            return Ok(None);
        }
        // Whether it may go at all comes first: then nothing is to be said about aliases.
        let held = aliases::of_versions(&mut tx, &only).await?;
        let organization = granted.organization();
        ending::end(&mut tx, request.origin(), organization, own, which, &locked, None).await.map_err(protected)?;
        if !with_aliases && held.iter().any(|row| row.alias != regalia_domain::alias::LATEST) {
            return Err(Error::Conflict(
                "This version has aliases that somebody chose. Take them away first, or delete it together with them \
                 (`delete_aliases=True`, `deleteAliases: true`)."
                    .into(),
            ));
        }
        regalia_store::commit(tx).await?;
        Ok(Some(VersionRow { state: "deleted".into(), ..row }))
    }
}

/// Rule 32 for who would take the version itself away. It doesn't say where: the registry may be invisible.
pub(crate) fn protected(error: regalia_store::Error) -> Error {
    match error {
        regalia_store::Error::Protected(_) => Error::Forbidden(
            "A protected alias of a registry points at a version of this, so nobody can delete it. An admin of that registry has to \
             move the alias or unlink the version first."
                .into(),
        ),
        other => other.into(),
    }
}

/// The caller sees a link alone (rules 22 and 34).
fn source_only(error: regalia_store::Error) -> Error {
    match error {
        regalia_store::Error::NotFound => Error::Forbidden(
            "This needs rights where the version was logged, and you see only a link to it. Ask those who logged it.".into(),
        ),
        other => other.into(),
    }
}

/// A version that can't be changed: it isn't committed, or it was deleted a moment ago.
async fn not_committed(tx: &mut Tx, caller: &Caller, version: VersionId) -> Error {
    match versions::version(tx, caller, version).await {
        Ok(_) => Error::Conflict("This version is not committed yet. Finish logging it first.".into()),
        Err(error) => missing_version(error),
    }
}

fn subject(version: VersionId) -> String {
    format!("Version:{version}")
}

/// The metadata of a version that the caller sees.
async fn own_metadata(tx: &mut Tx, version: VersionId) -> Result<String> {
    let found = versions::metadata(tx, &[version.0], i64::MAX).await?.pop();
    found.and_then(|(_, metadata)| metadata).ok_or_else(|| missing_version(regalia_store::Error::NotFound))
}

fn md5(text: &str) -> Value {
    json!(regalia_domain::digest::Md5::of(text.as_bytes()).to_hex())
}

/// The event of tags that came.
pub(crate) fn tagged(version: VersionId, changed: &tags::Changed) -> Event {
    let tags = |tags: &[String]| Some(json!({ "tags": tags }));
    Event { kind: Kind::VersionUpdated, subject: subject(version), before: tags(&changed.before), after: tags(&changed.after) }
}

/// The event of a link that went.
pub(crate) fn unlinked_event(place: &Left) -> Event {
    Event {
        kind: Kind::VersionUnlinked,
        subject: subject(place.version),
        before: Some(json!({ "collection": place.collection.0, "index": place.index, "membership": place.id })),
        after: None,
    }
}

/// The event of an alias that its version lost.
pub(crate) fn lost_event(lost: &Lost) -> Event {
    let pointing = |version: VersionId| json!({ "alias": lost.alias, "version": version.0 });
    Event {
        kind: if lost.to.is_some() { Kind::AliasSet } else { Kind::AliasRemoved },
        subject: format!("Collection:{}", lost.collection),
        before: Some(pointing(lost.version)),
        after: lost.to.map(pointing),
    }
}
