//! Versions until their commit: begun, their files announced; and reads of versions, places and aliases. What must not live
//! here: their manifests (`drafts`), the commit itself, links.

use regalia_domain::alias::{AliasRef, requested_aliases, split_versioned_name};
use regalia_domain::description;
use regalia_domain::digest::Md5;
use regalia_domain::ids::{BlobId, CollectionId, ProjectId, VersionId};
use regalia_domain::names::{ArtifactTypeName, EntityName, ProjectName, RunName, SourceCollectionName, TagName};
use regalia_domain::paths::EntryPath;
use regalia_domain::roles::Right;
use regalia_domain::ttl::Ttl;
use regalia_store::access::{self, Caller, Contribute, Granted, ProjectKind, ProjectRow};
use regalia_store::aliases::{self, AliasRow};
use regalia_store::collections::{self, CollectionRow, Locked};
use regalia_store::drafts;
use regalia_store::manifests::{self, EntryRow};
use regalia_store::memberships::{self, MembershipRow, Named};
use regalia_store::uploads::{self, NewUpload};
use regalia_store::versions::{self, VersionRow};
use regalia_store::{Tx, audit, projects, runs};
use serde_json::json;

use crate::drafts::{begun, join, means};
use crate::files::UploadTarget;
use crate::projects::{ensure_project, forbidden_project};
use crate::runs::{metadata, missing_run, missing_version};
use crate::{Error, Page, Request, Result, Service, at_most};

/// What a client logs.
#[derive(Debug)]
pub struct NewVersion {
    /// Where to.
    pub entity: EntityName,
    /// Where to; made if it is missing.
    pub project: ProjectName,
    /// Where to; made if it is missing.
    pub collection: SourceCollectionName,
    /// The collection's type.
    pub type_name: ArtifactTypeName,
    /// The run that logs it; none for a version that a person saves.
    pub run: Option<RunName>,
    /// MD5 of the manifest, checked at commit.
    pub digest: Md5,
    /// Free text.
    pub description: Option<String>,
    /// JSON object.
    pub metadata: Option<String>,
    /// Aliases to set at commit.
    pub aliases: Vec<String>,
    /// When it expires (rule 35).
    pub ttl: Ttl,
    /// The run's step.
    pub history_step: Option<i64>,
    /// Tags.
    pub tags: Vec<TagName>,
    /// The client's own name for it.
    pub client_id: Option<String>,
    /// Whether the collection's newest version is returned when it is the same (rule 26).
    pub deduplicate: bool,
    /// What the processes that make it together call it: each finds the version that the first one began.
    pub distributed_id: Option<String>,
}

/// What became of it.
#[derive(Debug)]
pub struct Logged {
    /// The new pending version, or the committed one with the same content.
    pub version: VersionId,
    /// The collection's newest committed version before this request.
    pub latest: Option<VersionId>,
}

/// A file that a client announces.
#[derive(Debug)]
pub struct NewFile {
    /// Path in the manifest.
    pub path: EntryPath,
    /// MD5 of its bytes.
    pub md5: Md5,
}

/// What the client shall do with an announced file.
#[derive(Debug)]
pub enum Announced {
    /// Send it here.
    Upload(UploadTarget),
    /// Nothing: this version of the same collection holds it.
    Stored(VersionId),
}

impl Service {
    /// Begins a version, or finds that it is the collection's newest already (rule 26), or, for a run that declares it without a
    /// client id, any that is committed. A repeated request with the same client id finds what the first one made, until another
    /// version is newer.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`, `Conflict`.
    pub async fn log_version(&self, request: &Request, new: &NewVersion) -> Result<Logged> {
        let caller = request.caller()?;
        let metadata = metadata(new.metadata.as_deref())?;
        description::check(new.description.as_deref())?;
        let aliases = custom_aliases(&new.aliases)?;
        let tags = crate::collections::texts(&new.tags)?;
        if new.client_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 256) {
            return Err(Error::Invalid("A clientID has 1 to 256 bytes.".into()));
        }
        if new.distributed_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 256) {
            return Err(Error::Invalid("A distributedID has 1 to 256 bytes.".into()));
        }
        let mut tx = self.begin().await?;
        let (project, _) = ensure_project(&mut tx, request, caller, &new.entity, &new.project, None).await?;
        let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
        let run = match &new.run {
            None => None,
            Some(name) => {
                Some(runs::by_name(&mut tx, project.id, name.as_str()).await?.ok_or_else(|| missing_run(name.as_str()))?)
            }
        };
        let collection = source_collection(&mut tx, request, &granted, &new.collection, &new.type_name).await?;
        let newest = versions::newest(&mut tx, &collection).await?;
        let latest = newest.as_ref().map(|newest| newest.id);
        let digest = new.digest.to_hex();
        let known = match &new.client_id {
            None => None,
            Some(client_id) => versions::by_client_id(&mut tx, caller, client_id).await?,
        };
        let before = known.as_ref().map(|known| known.version_id);
        let other = known.as_ref().is_some_and(|known| !means(known, &collection, new));
        // The same claim for the same version is a repetition, whatever the version has become.
        let repeated = known.as_ref().filter(|known| known.digest == digest && known.distributed_id == new.distributed_id);
        let repeated = repeated.map(|known| known.version_id);
        // What one process says of its part is no word about the whole.
        let compared = new.deduplicate && new.distributed_id.is_none();
        // What is over is only not deleted yet.
        let equal = |newest: &versions::Newest| compared && newest.digest == digest && !newest.over;
        let mut same = newest.filter(|newest| repeated == Some(newest.id) || equal(newest)).map(|newest| newest.id);
        // The SDK's `Run.log_artifact` declares a version that is there: it gives it no name of its own and sends nothing after this.
        // Who logs bytes names what he begins, so for him A, B, A are three (rule 26).
        if same.is_none() && new.deduplicate && new.client_id.is_none() && new.distributed_id.is_none() && run.is_some() {
            same = versions::by_digest(&mut tx, &collection, &digest).await?;
        }
        let mut committed = false;
        let version = if let Some(begun) = begun(&mut tx, &collection, known, new).await? {
            join(&mut tx, &collection, &begun, new, &aliases, &metadata).await?;
            if let Some(run) = run {
                versions::note_output(&mut tx, &granted, run, begun.id).await?;
            }
            begun.id
        } else if let Some(version) = same {
            committed = true;
            let moved = aliases::set(&mut tx, &collection, version, &aliases, caller.user).await?;
            let events: Vec<_> = moved.iter().map(|moved| alias_event(&collection, version, moved)).collect();
            audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
            if let Some(run) = run {
                versions::note_output(&mut tx, &granted, run, version).await?;
            }
            version
        } else {
            let row = versions::NewVersion {
                digest: &new.digest,
                description: new.description.as_deref(),
                metadata: &metadata,
                ttl: new.ttl,
                history_step: new.history_step,
                aliases: &aliases,
                run,
                distributed_id: new.distributed_id.as_deref(),
            };
            versions::insert(&mut tx, &granted, &collection, &row).await?
        };
        if !tags.is_empty() {
            let changed = regalia_store::tags::change_of_version(&mut tx, &granted, version, &tags, &[]).await?;
            crate::collections::not_too_many(&changed)?;
            // Of what isn't committed its commit tells.
            if committed && changed.before != changed.after {
                let event = crate::changes::tagged(version, &changed);
                audit::record(&mut tx, request.origin(), granted.organization(), &[event]).await?;
            }
        }
        if let Some(client_id) = &new.client_id {
            versions::set_client_id(&mut tx, &granted, version, client_id, &digest, before, other).await?;
        }
        regalia_store::commit(tx).await?;
        Ok(Logged { version, latest })
    }

    /// Announces files of a pending version, in a constant number of statements however many they are. A file that the collection holds
    /// already under the same path and MD5 needn't be sent (rule 39).
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Conflict`.
    pub async fn announce_files(
        &self,
        request: &Request,
        version: VersionId,
        manifest: Option<i64>,
        files: &[NewFile],
    ) -> Result<Vec<Announced>> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, granted) = writable(&mut tx, caller, version).await?;
        let row = versions::version(&mut tx, caller, version).await.map_err(missing_version)?;
        if let Some(manifest) = manifest
            && !drafts::note_files(&mut tx, &granted, version, manifest).await.map_err(missing_version)?
        {
            return Err(Error::Invalid("The artifactManifestID is not the id of this version's manifest.".into()));
        }
        let mut new: Vec<NewUpload> = files
            .iter()
            .map(|file| NewUpload {
                id: self.random_uuid(),
                name: file.path.as_str().to_owned(),
                md5: Some(file.md5),
                stored: None,
            })
            .collect();
        let stored = uploads::stored(&mut tx, &granted, CollectionId(row.collection_id), &new).await?;
        let stored: std::collections::HashMap<_, _> =
            stored.into_iter().map(|row| ((row.path, row.md5), (row.version_id, row.blob_id))).collect();
        let mut births = Vec::with_capacity(new.len());
        for file in &mut new {
            let found = file.md5.and_then(|md5| stored.get(&(file.name.clone(), md5.0.to_vec())));
            file.stored = found.map(|(_, blob)| BlobId(*blob));
            births.push(found.map(|(birth, _)| VersionId(*birth)));
        }
        uploads::announce(&mut tx, &granted, uploads::Owner::File(version), project.scope(), &new).await.map_err(not_pending)?;
        regalia_store::commit(tx).await?;
        let answer = |(file, birth): (&NewUpload, Option<VersionId>)| match birth {
            Some(birth) => Announced::Stored(birth),
            None => Announced::Upload(self.upload_target(request, caller, file.id)),
        };
        Ok(new.iter().zip(births).map(answer).collect())
    }

    /// A version that the caller sees by some path.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn version(&self, caller: &Caller, version: VersionId) -> Result<VersionRow> {
        let mut connection = self.store.read().await?;
        versions::version(&mut connection, caller, version).await.map_err(missing_version)
    }

    /// Versions that the caller sees by some path, if their descriptions have no more than `most` bytes together.
    ///
    /// # Errors
    /// `TooLarge`.
    pub async fn versions_by_id(&self, caller: &Caller, ids: &[i64], most: usize) -> Result<Vec<VersionRow>> {
        let mut connection = self.store.read().await?;
        versions::versions(&mut connection, caller, ids, most).await?.ok_or_else(|| too_long("These versions' descriptions"))
    }

    /// The metadata of versions that the caller was allowed to see, if it has no more than `most` bytes together.
    ///
    /// # Errors
    /// `TooLarge`.
    pub async fn metadata_of(&self, ids: &[i64], most: usize) -> Result<Vec<(i64, String)>> {
        let mut connection = self.store.read().await?;
        let rows = versions::metadata(&mut connection, ids, i64::try_from(most).unwrap_or(i64::MAX)).await?;
        rows.into_iter().map(|(id, metadata)| Some((id, metadata?))).collect::<Option<_>>().ok_or_else(|| {
            Error::TooLarge(format!(
                "The metadata of {} versions is more than one request may bring. Ask for less in one request, with a smaller \
                 `first` or without the metadata.",
                ids.len()
            ))
        })
    }

    /// The version that the caller's client named so.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn version_by_client_id(&self, caller: &Caller, client_id: &str) -> Result<VersionId> {
        let mut connection = self.store.read().await?;
        let found = versions::by_client_id(&mut connection, caller, client_id).await?;
        let found = found.ok_or(regalia_store::Error::NotFound).map_err(missing_version)?;
        if found.shared {
            return Err(Error::Conflict(
                "Several versions have this clientID, so it doesn't say which is meant. Wait until the version is logged, and name it \
                 by its id."
                    .into(),
            ));
        }
        let version = found.version_id;
        Ok(versions::version(&mut connection, caller, version).await.map_err(missing_version)?.id)
    }

    /// Collections by their projects and names, absent ones left out. The caller of this checks the projects.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn collections_named(&self, projects: &[i64], names: &[&str]) -> Result<Vec<CollectionRow>> {
        let mut connection = self.store.read().await?;
        Ok(collections::by_names(&mut connection, projects, names).await?)
    }

    /// A collection by number; none when it is absent or the caller doesn't see it.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn collection(&self, caller: &Caller, id: CollectionId) -> Result<Option<CollectionRow>> {
        let mut connection = self.store.read().await?;
        Ok(collections::visible(&mut connection, caller, id).await?)
    }

    /// Collections by number, if their descriptions have no more than `most` bytes together. The caller of this checks their projects.
    ///
    /// # Errors
    /// `TooLarge`.
    pub async fn collections_by_id(&self, ids: &[i64], most: usize) -> Result<Vec<CollectionRow>> {
        let mut connection = self.store.read().await?;
        collections::collections(&mut connection, ids, most).await?.ok_or_else(|| too_long("These collections' descriptions"))
    }

    /// What `collection:alias` texts mean in projects, in their order; none where nothing is. The caller of this checks the
    /// projects.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn resolve(&self, names: impl Iterator<Item = (ProjectId, &str)>) -> Result<Vec<Option<MembershipRow>>> {
        let names: Vec<Named> = names
            .map(|(project, name)| {
                let (collection, alias) = split_versioned_name(name);
                Named { project, collection, alias: AliasRef::parse(&alias) }
            })
            .collect();
        let mut connection = self.store.read().await?;
        Ok(memberships::resolve(&mut connection, &names).await?)
    }

    /// Places by number. The caller of this checks their projects.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn memberships_by_id(&self, ids: &[i64]) -> Result<Vec<MembershipRow>> {
        let mut connection = self.store.read().await?;
        Ok(memberships::memberships(&mut connection, ids).await?)
    }

    /// Places of versions in all collections. The caller of this checks their projects.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn memberships_of_versions(&self, versions: &[i64]) -> Result<Vec<MembershipRow>> {
        let mut connection = self.store.read().await?;
        Ok(memberships::of_versions(&mut connection, versions).await?)
    }

    /// The newest place of each of several collections. The caller of this checks their projects.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn newest_memberships(&self, collections: &[i64]) -> Result<Vec<MembershipRow>> {
        let mut connection = self.store.read().await?;
        Ok(memberships::newest(&mut connection, collections).await?)
    }

    /// One page of the aliases of today of each of several collections, by name. The caller of this checks their projects.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn aliases_of_collections(&self, collections: &[i64], page: &Page) -> Result<Vec<AliasRow>> {
        let mut connection = self.store.read().await?;
        Ok(aliases::of_collections(&mut connection, collections, &page.after, page.first).await?)
    }

    /// Aliases of versions in all collections. The caller of this checks their projects.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn aliases_of_versions(&self, versions: &[i64]) -> Result<Vec<AliasRow>> {
        let mut connection = self.store.read().await?;
        Ok(aliases::of_versions(&mut connection, versions).await?)
    }

    /// One page of the entries of each of several committed manifests, if their texts have no more than `most` bytes together, for a
    /// caller who has the download right by the paths used (rule 41).
    ///
    /// # Errors
    /// `Invalid` for what is no cursor; `TooLarge`.
    pub async fn entries(&self, manifests: &[i64], page: &Page, most: usize) -> Result<Vec<EntryRow>> {
        let after = numbered(page)?;
        let mut connection = self.store.read().await?;
        let rows = manifests::entries(&mut connection, manifests, after, page.first, most).await?;
        let mut rows = rows.ok_or_else(|| too_long("These entries"))?;
        rows.retain(harmless);
        Ok(rows)
    }

    /// One page of the entries of some names of each of several committed manifests, if their texts have no more than `most` bytes
    /// together, for a caller who has the download right by the paths used (rule 41).
    ///
    /// # Errors
    /// `Invalid` for what is no cursor; `TooLarge`.
    pub async fn entries_named(&self, manifests: &[i64], names: &[String], page: &Page, most: usize) -> Result<Vec<EntryRow>> {
        let after = numbered(page)?;
        let mut connection = self.store.read().await?;
        let rows = manifests::entries_named(&mut connection, manifests, names, after, page.first, most).await?;
        let mut rows = rows.ok_or_else(|| too_long("These entries"))?;
        rows.retain(harmless);
        Ok(rows)
    }

    /// How many of these names each of several manifests has, those that have none left out.
    ///
    /// # Errors
    /// Of the database alone.
    pub async fn count_entries(&self, manifests: &[i64], names: &[String]) -> Result<Vec<(i64, i64)>> {
        let mut connection = self.store.read().await?;
        Ok(manifests::count_named(&mut connection, manifests, names).await?)
    }
}

/// The sentence for more texts than a request may bring.
fn too_long(what: &str) -> Error {
    Error::TooLarge(format!("{what} are longer than one request may bring. Ask for less in one request, with a smaller `first`."))
}

/// Paths were checked when they were committed, and are here again: older SDKs write wherever a path says (rule 37).
fn harmless(row: &EntryRow) -> bool {
    EntryPath::parse(&row.path).is_ok()
}

/// The number that a page begins after, in lists that are ordered by a number.
fn numbered(page: &Page) -> Result<i32> {
    match page.after.as_str() {
        "" => Ok(0),
        cursor => match cursor.parse::<i64>() {
            // Beyond the column's range is behind all rows, or before them.
            Ok(number) => Ok(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })),
            Err(_) => Err(Error::Invalid("`after` is not a cursor of this list. Use the `endCursor` of the page before.".into())),
        },
    }
}

/// A source collection under its lock, made if it is missing.
async fn source_collection(
    tx: &mut Tx,
    request: &Request,
    project: &Granted<Contribute>,
    name: &SourceCollectionName,
    type_name: &ArtifactTypeName,
) -> Result<Locked> {
    let collection = match collections::lock(tx, project, name.as_str()).await? {
        Some(collection) => collection,
        None => create_collection(tx, request, project, ProjectKind::Project, name.as_str(), type_name).await?,
    };
    if collection.kind != "source" {
        return Err(Error::Conflict(format!(
            "\"{name}\" is a collection that versions are linked into, so none can be logged to it. Use another name."
        )));
    }
    if collection.type_name != type_name.as_str() {
        return Err(Error::Conflict(format!(
            "The collection \"{name}\" holds versions of type \"{}\", so a version of type \"{type_name}\" can't be logged to it. \
             Use another name or the same type.",
            collection.type_name
        )));
    }
    Ok(collection)
}

/// Makes a collection, or waits for the request that is making it and takes its lock.
pub(crate) async fn create_collection(
    tx: &mut Tx,
    request: &Request,
    project: &Granted<Contribute>,
    kind: ProjectKind,
    name: &str,
    type_name: &ArtifactTypeName,
) -> Result<Locked> {
    let (type_id, _) = projects::ensure_type(tx, project, type_name).await?;
    if let Some(made) = collections::create(tx, project, kind, name, type_id).await? {
        let event = audit::Event {
            kind: audit::Kind::CollectionCreated,
            subject: format!("Collection:{}", made.id()),
            before: None,
            after: Some(json!({ "project": project.target().0, "name": name, "type": type_name.as_str() })),
        };
        audit::record(tx, request.origin(), project.organization(), &[event]).await?;
        return Ok(made);
    }
    collections::lock(tx, project, name).await?.ok_or_else(|| {
        Error::Conflict(format!("The collection \"{name}\" was changed by somebody else at the same moment. Please try again."))
    })
}

/// A version's project and the right to write there.
pub(crate) async fn writable(tx: &mut Tx, caller: &Caller, version: VersionId) -> Result<(ProjectRow, Granted<Contribute>)> {
    let row = versions::version(tx, caller, version).await.map_err(missing_version)?;
    // By a link alone the source project may be invisible: then it is as if the version weren't there.
    let project = access::project(tx, caller, row.project_id).await.map_err(missing_version)?;
    let granted = project.grant::<Contribute>(caller).map_err(forbidden_project(&project))?;
    Ok((project, granted))
}

/// The aliases that a client asks for, as texts; `latest` moves by itself (rule 29).
pub(crate) fn custom_aliases(given: &[String]) -> Result<Vec<String>> {
    at_most("aliases", given.len(), 1000)?;
    Ok(requested_aliases(given.iter().map(String::as_str))?.into_iter().map(|alias| alias.as_str().to_owned()).collect())
}

pub(crate) fn alias_event(collection: &Locked, version: VersionId, moved: &aliases::Moved) -> audit::Event {
    audit::Event {
        kind: audit::Kind::AliasSet,
        subject: format!("Collection:{}", collection.id()),
        before: moved.from.map(|version| json!({ "alias": moved.alias, "version": version.0 })),
        after: Some(json!({ "alias": moved.alias, "version": version.0 })),
    }
}

pub(crate) fn not_pending(error: regalia_store::Error) -> Error {
    match error {
        regalia_store::Error::NotFound => {
            Error::Conflict("This version is committed: its files can't change any more. Log a new version.".into())
        }
        other => other.into(),
    }
}

/// The right to read content by the path used (rule 41).
///
/// # Errors
/// `Forbidden`, when the caller only sees it.
pub fn may_download(project: &ProjectRow) -> Result<()> {
    if project.allows(Right::Download) {
        Ok(())
    } else {
        Err(Error::Forbidden(
            "Your role shows you this version but doesn't let you use or download it. Ask for the viewer role.".into(),
        ))
    }
}
