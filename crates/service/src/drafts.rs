//! Manifests of pending versions: announced, once or in parts; and versions that several processes make together. What must
//! not live here: files (`versions`), and what becomes of it all at the commit.

use regalia_domain::digest::Md5;
use regalia_domain::ids::VersionId;
use regalia_domain::metadata::Metadata;
use regalia_domain::roles::Right;
use regalia_store::access::{Caller, Contribute, Granted};
use regalia_store::collections::Locked;
pub use regalia_store::drafts::Kind;
use regalia_store::drafts::{self, MOST_PATCHES, SharedRow};
use regalia_store::uploads::{self, NewUpload};
use regalia_store::{Tx, versions};

use crate::files::UploadTarget;
use crate::runs::missing_version;
use crate::versions::{NewVersion, not_pending, writable};
use crate::{Error, Request, Result, Service, at_most};

/// A manifest that a client announces.
#[derive(Debug)]
pub struct NewManifest {
    /// What it is relative to.
    pub kind: Kind,
    /// The version that it is based on. Of an incremental one its entries stay; of any its files needn't be sent again.
    pub base: Option<VersionId>,
    /// The run that makes a patch, by name; empty or unknown: none.
    pub run: String,
    /// MD5 of the manifest file, once it is known.
    pub md5: Option<Md5>,
}

impl NewManifest {
    /// A whole manifest that is based on nothing.
    #[must_use]
    pub fn whole(md5: Option<Md5>) -> Self {
        Self { kind: Kind::Full, base: None, run: String::new(), md5 }
    }
}

impl Service {
    /// Announces a manifest of a pending version; with its MD5 it also gets an upload URL. Announcing again replaces, but each
    /// patch is a further one. Returns its number.
    ///
    /// # Errors
    /// `NotFound`, also for the base of an incremental version; `Forbidden`; `Conflict` once the version is committed; `Invalid`
    /// when the version has manifests of the other sort, or very many.
    pub async fn announce_manifest(
        &self,
        request: &Request,
        version: VersionId,
        new: &NewManifest,
    ) -> Result<(i64, Option<UploadTarget>)> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        let (project, granted) = writable(&mut tx, caller, version).await?;
        let base = base(&mut tx, caller, new.kind == Kind::Incremental, new.base).await?;
        let upload = new.md5.map(|md5| self.manifest_upload(md5));
        let draft = drafts::NewDraft { kind: new.kind, base, run: &new.run, upload: upload.as_ref().map(|upload| upload.id) };
        let draft = match drafts::announce(&mut tx, &granted, version, draft).await {
            Err(regalia_store::Error::NotFound) => return Err(refused(&mut tx, caller, &granted, version, new.kind).await?),
            other => other?,
        };
        if let Some(upload) = &upload {
            announce_upload(&mut tx, &granted, version, project.scope(), upload).await?;
        }
        regalia_store::commit(tx).await?;
        Ok((draft, upload.map(|upload| self.upload_target(request, caller, upload.id))))
    }

    /// Announces a manifest again by its own number, now with its MD5, for an upload URL. Returns its version.
    ///
    /// # Errors
    /// As [`Service::announce_manifest`].
    pub async fn update_manifest(
        &self,
        request: &Request,
        draft: i64,
        base_version: Option<VersionId>,
        md5: Md5,
    ) -> Result<(VersionId, UploadTarget)> {
        let caller = request.caller()?;
        let mut tx = self.begin().await?;
        // An absent one is looked for as an invisible one is: by a version that nobody sees.
        let (version, incremental) = drafts::version_of(&mut tx, draft).await?.unwrap_or((VersionId(0), false));
        let (project, granted) = writable(&mut tx, caller, version).await?;
        let base = base(&mut tx, caller, incremental, base_version).await?;
        let upload = self.manifest_upload(md5);
        drafts::announce_again(&mut tx, &granted, version, draft, base, upload.id).await.map_err(not_pending)?;
        announce_upload(&mut tx, &granted, version, project.scope(), &upload).await?;
        regalia_store::commit(tx).await?;
        Ok((version, self.upload_target(request, caller, upload.id)))
    }

    fn manifest_upload(&self, md5: Md5) -> NewUpload {
        NewUpload { id: self.random_uuid(), name: "wandb_manifest.json".into(), md5: Some(md5), stored: None }
    }
}

async fn announce_upload(
    tx: &mut Tx,
    granted: &Granted<Contribute>,
    version: VersionId,
    scope: i64,
    upload: &NewUpload,
) -> Result<()> {
    let owner = uploads::Owner::Manifest(version);
    uploads::announce(tx, granted, owner, scope, std::slice::from_ref(upload)).await.map_err(not_pending)
}

/// The base that a client names, if it may download it (rules 39 and 41). An incremental version can't be without; for others
/// it is a hint, and the version that the client means may be deleted meanwhile.
async fn base(tx: &mut Tx, caller: &Caller, incremental: bool, named: Option<VersionId>) -> Result<Option<VersionId>> {
    let Some(named) = named else { return Ok(None) };
    let row = match versions::version(tx, caller, named).await {
        Err(regalia_store::Error::NotFound) => None,
        other => Some(other?),
    };
    let good = row.is_some_and(|row| row.state == "committed" && row.allows(Right::Download));
    if incremental && !good {
        return Err(missing_base());
    }
    Ok(good.then_some(named))
}

pub(crate) fn missing_base() -> Error {
    Error::NotFound(
        "The version that this one is based on doesn't exist, isn't committed, or you may not download it. Log a whole version."
            .into(),
    )
}

/// Why a manifest of this kind can't be announced.
async fn refused(tx: &mut Tx, caller: &Caller, granted: &Granted<Contribute>, version: VersionId, kind: Kind) -> Result<Error> {
    let row = versions::version(tx, caller, version).await.map_err(missing_version)?;
    Ok(match (row.state.as_str(), kind) {
        ("pending", Kind::Patch) if drafts::of_version(tx, granted, version).await?.iter().any(|draft| draft.patch) => {
            Error::Invalid(format!(
                "This version has {MOST_PATCHES} manifests already, and takes no more. Send larger parts (PATCH), or several \
                 versions."
            ))
        }
        ("pending", Kind::Patch) => {
            Error::Invalid("This version has a whole manifest already, so it can't be made of parts (PATCH).".into())
        }
        ("pending", Kind::Full | Kind::Incremental) => {
            Error::Invalid("This version is made of parts by several processes, so each sends its manifest as a PATCH.".into())
        }
        _ => not_pending(regalia_store::Error::NotFound),
    })
}

/// Whether a client's name means what it logs now. The name of other content, or in another collection, is a new version's: forked
/// processes of some SDKs draw the same names. Of a version that several make, a client says more each time.
pub(crate) fn means(known: &versions::ClientIdRow, collection: &Locked, new: &NewVersion) -> bool {
    known.collection_id == collection.id().0 && (known.digest == new.digest.to_hex() || known.distributed_id.is_some())
}

/// The pending version that is meant: the one that the client calls so, or that other processes have begun under the same name.
///
/// # Errors
/// `Conflict` when the client calls a whole version so and this is one of parts, or the other way round.
pub(crate) async fn begun(
    tx: &mut Tx,
    collection: &Locked,
    known: Option<versions::ClientIdRow>,
    new: &NewVersion,
) -> Result<Option<SharedRow>> {
    if let Some(known) = known.filter(|known| means(known, collection, new) && !known.committed) {
        if known.distributed_id != new.distributed_id {
            return Err(Error::Conflict("This clientID is in use for another version. Choose a new random one.".into()));
        }
        return Ok(Some(SharedRow { id: known.version_id, requested_aliases: known.requested_aliases }));
    }
    match &new.distributed_id {
        None => Ok(None),
        Some(id) => Ok(drafts::shared(tx, collection, id).await?),
    }
}

/// A version is begun once more, by its client or by another process: the aliases are added, and description and metadata, where
/// any are given, are the ones that count.
pub(crate) async fn join(
    tx: &mut Tx,
    collection: &Locked,
    shared: &SharedRow,
    new: &NewVersion,
    aliases: &[String],
    metadata: &Metadata,
) -> Result<()> {
    let mut all = shared.requested_aliases.clone();
    all.extend(aliases.iter().filter(|alias| !shared.requested_aliases.contains(alias)).cloned());
    at_most("aliases", all.len(), 1000)?;
    let metadata = new.metadata.is_some().then_some(metadata).filter(|metadata| metadata.as_text() != "{}");
    drafts::join(tx, collection, shared.id, &all, new.description.as_deref(), metadata).await.map_err(missing_version)
}
