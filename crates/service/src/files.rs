//! Bytes in and out: signed URLs, arrival of announced files, downloads. What must not live here: HTTP headers and ranges
//! (the server's), and what a manifest may name (`commit`).

use bytes::Bytes;
use futures_util::Stream;
use regalia_blobs::{Key, ReceiveError, Received};
use regalia_domain::digest::{Md5, Sha256};
use regalia_domain::ids::{BlobId, CollectionId, MembershipId, UserId, VersionId};
use regalia_store::access::{self, Caller, ProjectKind};
use regalia_store::manifests::{self, ContentRow, EntryRow, NamedContent};
use regalia_store::uploads::UploadRow;
use regalia_store::{Tx, accounts, blobs, collections, garbage, run_files, uploads};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::signing::{DOWNLOAD_LIFETIME, Purpose, Refused, Signature, UPLOAD_LIFETIME};
use crate::{Error, Request, Result, Service};

/// Where a client sends an announced file.
#[derive(Debug, Clone)]
pub struct UploadTarget {
    /// The upload's number.
    pub id: Uuid,
    /// Absolute URL that authorizes itself.
    pub url: String,
}

/// A file that may be sent.
#[derive(Debug, Clone)]
pub struct Content {
    /// Where the bytes are.
    pub key: Key,
    /// Length in bytes.
    pub size: u64,
    /// Path of the entry.
    pub path: String,
}

impl TryFrom<ContentRow> for Content {
    type Error = Error;

    fn try_from(row: ContentRow) -> Result<Self> {
        Ok(Self { key: key(row.blob_id, row.scope_id, &row.sha256)?, size: size(row.size)?, path: row.path })
    }
}

/// A blob's key from its row.
pub(crate) fn key(blob: BlobId, scope: i64, sha256: &[u8]) -> Result<Key> {
    let sha256: [u8; 32] = sha256.try_into().map_err(|error| Error::Internal(Box::new(error)))?;
    Ok(Key { scope, sha256: Sha256(sha256), blob })
}

pub(crate) fn size(size: i64) -> Result<u64> {
    u64::try_from(size).map_err(|error| Error::Internal(Box::new(error)))
}

/// Received bytes under a name that lasts.
pub(crate) enum Object {
    /// The scope has these bytes already.
    Known(BlobId),
    /// Durable under a key of their own, which no row names yet.
    New {
        /// Where they are; their SHA-256 is part of it.
        key: Key,
        /// MD5 of the bytes.
        md5: Md5,
        /// Length in bytes.
        size: i64,
    },
}

impl Object {
    /// The blob of these bytes; its row is part of the transaction that points at it. If somebody stored the same bytes
    /// meanwhile, it is theirs.
    ///
    /// # Errors
    /// Of the database alone.
    pub(crate) async fn row(&self, tx: &mut Tx) -> Result<BlobId> {
        let (key, md5, size) = match self {
            Self::Known(blob) => return Ok(*blob),
            Self::New { key, md5, size } => (key, *md5, *size),
        };
        if let Some(made) = blobs::insert(tx, key.blob, key.scope, key.sha256, md5, size).await? {
            return Ok(made);
        }
        blobs::find(tx, key.scope, key.sha256).await?.ok_or_else(|| regalia_store::Error::NotFound.into())
    }
}

impl Service {
    pub(crate) fn upload_target(&self, request: &Request, caller: &Caller, id: Uuid) -> UploadTarget {
        let signature = self.signer.sign(Purpose::Upload, &id.to_string(), caller.user, self.clock.now() + UPLOAD_LIFETIME);
        UploadTarget { id, url: format!("{}/storage/uploads/{id}?{}", request.base_url, signature.query()) }
    }

    /// A URL for one file of a version by way of a membership.
    #[must_use]
    pub fn file_url(
        &self,
        request: &Request,
        caller: &Caller,
        membership: MembershipId,
        ordinal: i32,
        encoded_name: &str,
    ) -> String {
        let signature = self.signer.sign(
            Purpose::Download,
            &file_target(membership, ordinal),
            caller.user,
            self.clock.now() + DOWNLOAD_LIFETIME,
        );
        format!("{}/storage/wandb_artifacts/{membership}/{ordinal}/{encoded_name}?{}", request.base_url, signature.query())
    }

    /// A URL for a version's manifest.
    #[must_use]
    pub fn manifest_url(&self, request: &Request, caller: &Caller, version: VersionId) -> String {
        let signature =
            self.signer.sign(Purpose::Manifest, &version.to_string(), caller.user, self.clock.now() + DOWNLOAD_LIFETIME);
        format!("{}/storage/manifests/{version}/wandb_manifest.json?{}", request.base_url, signature.query())
    }

    /// What an entry's URL is: of a file ours, of a reference the reference itself.
    #[must_use]
    pub fn entry_url(
        &self,
        request: &Request,
        caller: &Caller,
        membership: MembershipId,
        entry: &EntryRow,
        encoded_name: &str,
    ) -> Option<String> {
        match (&entry.reference, entry.blob_id) {
            (Some(reference), _) => Some(reference.clone()),
            (None, Some(_)) => Some(self.file_url(request, caller, membership, entry.ordinal, encoded_name)),
            (None, None) => None,
        }
    }

    pub(crate) async fn signed(&self, purpose: Purpose, target: &str, signature: &Signature) -> Result<Caller> {
        self.signer.verify(purpose, target, signature, self.clock.now()).map_err(|refused| {
            Error::Forbidden(match refused {
                Refused::Altered => "This URL's signature is not valid for it. Ask for a new URL.".into(),
                Refused::Expired => "This URL has expired. Ask for a new one.".into(),
            })
        })?;
        self.actor(signature.actor).await
    }

    async fn actor(&self, user: UserId) -> Result<Caller> {
        let mut connection = self.store.read().await?;
        accounts::actor(&mut connection, user)
            .await?
            .ok_or_else(|| Error::Forbidden("The account that this URL was made for is gone.".into()))
    }

    /// Receives an announced file: streamed to the storage while it is hashed, checked against what was announced, and
    /// durable when this returns (rule 40). The same bytes again are fine until the commit.
    ///
    /// # Errors
    /// `Forbidden` for a bad or expired signature or a right that has gone; `Conflict` after the commit or for other bytes
    /// than before; `Invalid` for bytes that aren't what was announced.
    pub async fn upload<S, E>(&self, id: Uuid, signature: &Signature, body: S) -> Result<()>
    where
        S: Stream<Item = std::result::Result<Bytes, E>>,
        E: std::fmt::Display,
    {
        let caller = self.signed(Purpose::Upload, &id.to_string(), signature).await?;
        let gone =
            || Error::Forbidden("You may no longer upload this file, or it was never announced. Ask for a new URL.".into());
        let upload = {
            let mut connection = self.store.read().await?;
            uploads::find(&mut connection, &caller, id).await.map_err(|error| match error {
                regalia_store::Error::NotFound => gone(),
                other => other.into(),
            })?
        };
        if upload.closed {
            return Err(committed());
        }
        let staged = format!("{id}.{}", self.random_uuid());
        let received = self.blobs.receive(&staged, body, self.settings.largest_file).await.map_err(receive_error)?;
        // A task of its own goes on when the client is gone: bytes that have arrived don't end halfway to their row.
        let (service, actor) = (self.clone(), caller.user);
        let task = async move { service.arrived(actor, &upload, received).await };
        tokio::spawn(task.in_current_span()).await?
    }

    /// Checks an upload's bytes against what was announced, and points the upload at them.
    async fn arrived(&self, actor: UserId, upload: &UploadRow, received: Received) -> Result<()> {
        if upload.md5.as_deref().is_some_and(|md5| md5 != received.md5.0) {
            let announced = upload.md5.as_deref().map(hex::encode).unwrap_or_default();
            let message = format!(
                "The bytes of \"{}\" have the MD5 {}, but {announced} was announced. Nothing was stored; send the bytes that were announced.",
                upload.name,
                received.md5.to_hex()
            );
            self.blobs.discard(received).await;
            return Err(Error::Invalid(message));
        }
        if let Some(before) = upload.blob_id {
            let row = {
                let mut connection = self.store.read().await?;
                blobs::blob(&mut connection, BlobId(before)).await?
            };
            if row.is_none_or(|row| row.sha256 != received.sha256.0) {
                self.blobs.discard(received).await;
                return Err(other_bytes(&upload.name));
            }
        }
        self.fulfil(actor, upload, received).await
    }

    /// Keeps an upload's bytes and points it at them: both, or nothing is left.
    ///
    /// # Errors
    /// `Conflict` after the commit or for other bytes than before.
    pub(crate) async fn fulfil(&self, actor: UserId, upload: &UploadRow, received: Received) -> Result<()> {
        let object = self.object(upload.scope_id, received).await?;
        let written = async {
            let mut tx = self.begin().await?;
            let blob = object.row(&mut tx).await?;
            uploads::complete(&mut tx, actor, upload.id, blob).await.map_err(|error| match error {
                regalia_store::Error::Exists => other_bytes(&upload.name),
                error => error.into(),
            })?;
            // Bytes that are sent again are those of then: a later upload of this file may have come.
            if let Some(run) = upload.run_id.filter(|_| upload.blob_id.is_none()) {
                run_files::set_file(&mut tx, run.into(), &upload.name, blob).await?;
            }
            Ok(Some((tx, blob)))
        }
        .await;
        self.settle(&object, written).await
    }

    /// Gives received bytes a name that lasts, unless the scope has the same bytes. Bytes before pointers: the object has
    /// its key, durably, before a row says so. [`Service::settle`] must follow.
    pub(crate) async fn object(&self, scope: i64, received: Received) -> Result<Object> {
        let (found, id) = {
            let mut connection = self.store.read().await?;
            match blobs::find(&mut connection, scope, received.sha256).await? {
                Some(found) => (Some(found), found),
                None => (None, blobs::reserve(&mut connection, scope, received.sha256).await?),
            }
        };
        if let Some(found) = found {
            self.blobs.discard(received).await;
            return Ok(Object::Known(found));
        }
        let (md5, size) = (received.md5, received.size);
        let size = i64::try_from(size).map_err(|error| Error::Internal(Box::new(error)))?;
        let key = Key { scope, sha256: received.sha256, blob: id };
        self.blobs.keep(received, &key).await?;
        Ok(Object::New { key, md5, size })
    }

    /// Ends what [`Service::object`] began: commits the transaction that points at the object, and drops an object that
    /// none points at, because it was refused, nothing had to be written, or somebody stored the same bytes meanwhile.
    ///
    /// # Errors
    /// The one of `written`; of the database.
    pub(crate) async fn settle(&self, object: &Object, written: Result<Option<(Tx, BlobId)>>) -> Result<()> {
        let kept = match written {
            Ok(Some((tx, blob))) => {
                // If this fails, nobody knows whether the row is there, so the object stays.
                regalia_store::commit(tx).await?;
                Ok(Some(blob))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if let Object::New { key, .. } = object
            && !matches!(kept, Ok(Some(blob)) if blob == key.blob)
        {
            self.drop_object(key).await;
        }
        kept.map(drop)
    }

    /// Drops an object that no row names: of a refusal, or the loser of a race to store the same bytes. What doesn't succeed here
    /// is cleared later.
    async fn drop_object(&self, key: &Key) {
        let dropped: Result<()> = async {
            self.blobs.delete(key).await?;
            Ok(garbage::gone(&mut *self.store.read().await?, &[key.blob]).await?)
        }
        .await;
        if let Err(error) = dropped {
            tracing::warn!(?error, "an object without a row is left behind for a day");
        }
    }

    /// A file by a signed URL, authorized again by the membership that it was listed under.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn signed_file(&self, membership: MembershipId, ordinal: i32, signature: &Signature) -> Result<Content> {
        let caller = self.signed(Purpose::Download, &file_target(membership, ordinal), signature).await?;
        let mut connection = self.store.read().await?;
        manifests::content_by_membership(&mut connection, &caller, membership, ordinal).await.map_err(gone)?.try_into()
    }

    /// A manifest by a signed URL, authorized again.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn signed_manifest(&self, version: VersionId, signature: &Signature) -> Result<Content> {
        let caller = self.signed(Purpose::Manifest, &version.to_string(), signature).await?;
        let mut connection = self.store.read().await?;
        manifests::manifest_file(&mut connection, &caller, version).await.map_err(gone)?.try_into()
    }

    /// A file by its MD5: by way of the collection that the path names, or by any when it names none (rule 41).
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound`.
    pub async fn file_by_md5(
        &self,
        request: &Request,
        path: Option<(&str, ProjectKind, &str, &str)>,
        named: NamedContent<'_>,
    ) -> Result<Content> {
        let caller = request.caller()?;
        let mut connection = self.store.read().await?;
        let collection: Option<CollectionId> = match path {
            None => None,
            Some((entity, kind, project, collection)) => {
                let project = access::project_by_name(&mut connection, caller, entity, kind, project).await.map_err(gone)?;
                let found = collections::by_names(&mut connection, &[project.id.0], &[collection]).await?;
                let collection = found.into_iter().next();
                Some(collection.ok_or(regalia_store::Error::NotFound).map_err(gone)?.id)
            }
        };
        manifests::content_by_md5(&mut connection, caller, NamedContent { collection, ..named }).await.map_err(gone)?.try_into()
    }

    /// Reads a range of a file.
    ///
    /// # Errors
    /// The bytes are missing: the storage is broken.
    pub async fn read(
        &self,
        content: &Content,
        range: std::ops::Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, regalia_blobs::Error>> + Send + 'static + use<>> {
        Ok(self.blobs.read(&content.key, range).await?)
    }
}

/// A manifest never changes, so a place and an ordinal name one blob for ever; a blob's own number would tell whether somebody
/// else had the bytes before.
fn file_target(membership: MembershipId, ordinal: i32) -> String {
    format!("{membership}/{ordinal}")
}

fn other_bytes(name: &str) -> Error {
    Error::Conflict(format!(
        "Other bytes were uploaded for \"{name}\" before, its version is committed, or you may not write there any more."
    ))
}

fn committed() -> Error {
    Error::Conflict("The version of this file is committed, so its files can't change any more. Log a new version.".into())
}

pub(crate) fn gone(error: regalia_store::Error) -> Error {
    Error::named("There is no such file, or you may not download it.", "You may not download this file.")(error)
}

/// What a broken-off, over-long or unstorable body means.
pub(crate) fn receive_error<E: std::fmt::Display>(error: ReceiveError<E>) -> Error {
    match error {
        ReceiveError::Sender(cause) => {
            Error::Invalid(format!("The body ended before it was complete ({cause}). Nothing was stored; send it again."))
        }
        ReceiveError::TooLarge(limit) => {
            Error::TooLarge(format!("The body is larger than the {limit} bytes that this server takes for one file."))
        }
        ReceiveError::Storage(cause) => Error::Internal(Box::new(cause)),
    }
}
