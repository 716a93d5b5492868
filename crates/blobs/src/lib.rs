//! Stored bytes, in the words of the domain, over `object_store`: receive while hashing, keep, read a range. What must not
//! live here: who may read what, and any row about it (the store crate has those). Where an object lies is said in
//! [`keys`] alone.

mod keys;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use md5::Digest as _;
use object_store::local::LocalFileSystem;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart};
use regalia_domain::digest::{Md5, Sha256};

pub use keys::Key;

/// Bytes are handed to the file system in pieces of this size, so that many uploads at once stay small in memory.
const PIECE: usize = 256 * 1024;

/// Pieces of one upload that may be under way to the disk.
const PIECES_UNDER_WAY: usize = 2;

/// What storing and reading can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object isn't there: a row points at nothing.
    #[error("object {0} is missing from the storage")]
    Missing(String),
    /// The storage refused or failed.
    #[error("storage: {0}")]
    Storage(#[from] object_store::Error),
}

/// What receiving can fail with.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError<E> {
    /// The sender stopped or failed.
    #[error("the body ended early")]
    Sender(E),
    /// More bytes came than are allowed.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// The storage refused or failed.
    #[error(transparent)]
    Storage(#[from] object_store::Error),
}

/// Received bytes: durable, hashed, not yet under a name that anything points at. [`Blobs::keep`] or [`Blobs::discard`]
/// ends it; what a crash leaves is cleared by [`Blobs::clear_staging`].
#[derive(Debug)]
pub struct Received {
    staged: object_store::path::Path,
    /// MD5 of the bytes.
    pub md5: Md5,
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
    /// Length in bytes.
    pub size: u64,
}

/// A directory of stored bytes.
#[derive(Debug, Clone)]
pub struct Blobs {
    objects: Arc<dyn ObjectStore>,
    /// The directory itself: unfinished files have names that the object store doesn't list.
    staging: std::path::PathBuf,
}

impl Blobs {
    /// Bytes in a directory, which must exist.
    ///
    /// # Errors
    /// The directory can't be used.
    pub fn directory(path: &Path) -> Result<Self, Error> {
        let staging = path.join(keys::staging_root().as_ref());
        Ok(Self { objects: Arc::new(LocalFileSystem::new_with_prefix(path)?.with_fsync(true)), staging })
    }

    /// Receives bytes while hashing them, and returns when they are durable. `name` must be new: it names the staged object.
    ///
    /// # Errors
    /// As [`ReceiveError`]; nothing is left then.
    pub async fn receive<S, E>(&self, name: &str, body: S, limit: u64) -> Result<Received, ReceiveError<E>>
    where
        S: Stream<Item = Result<Bytes, E>>,
    {
        let staged = keys::staging(name);
        let upload = self.objects.put_multipart(&staged).await?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PIECE);
        let mut md5 = md5::Md5::new();
        let mut sha256 = sha2::Sha256::new();
        let mut size = 0_u64;
        let mut body = std::pin::pin!(body);
        let outcome = loop {
            match body.next().await {
                None => break Ok(()),
                Some(Err(error)) => break Err(ReceiveError::Sender(error)),
                Some(Ok(bytes)) => {
                    size += bytes.len() as u64;
                    if size > limit {
                        break Err(ReceiveError::TooLarge(limit));
                    }
                    md5.update(&bytes);
                    sha256.update(&bytes);
                    if let Err(error) = writer.wait_for_capacity(PIECES_UNDER_WAY).await {
                        break Err(error.into());
                    }
                    writer.put(bytes);
                }
            }
        };
        if let Err(error) = outcome {
            if let Err(leftover) = writer.abort().await {
                tracing::warn!(error = %leftover, "an aborted upload left a staged file behind");
            }
            return Err(error);
        }
        writer.finish().await?;
        Ok(Received { staged, md5: Md5(md5.finalize().into()), sha256: Sha256(sha256.finalize().into()), size })
    }

    /// Gives received bytes their name, durably.
    ///
    /// # Errors
    /// The storage failed.
    pub async fn keep(&self, received: Received, key: &Key) -> Result<(), Error> {
        Ok(self.objects.rename(&received.staged, &key.path()).await?)
    }

    /// Drops received bytes, because the same ones are stored already or they were refused.
    pub async fn discard(&self, received: Received) {
        if let Err(error) = self.objects.delete(&received.staged).await {
            tracing::warn!(%error, "a refused upload left a staged file behind");
        }
    }

    /// Deletes an object that no row names. One that isn't there is deleted already.
    ///
    /// # Errors
    /// The storage failed.
    pub async fn delete(&self, key: &Key) -> Result<(), Error> {
        match self.objects.delete(&key.path()).await {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads `range` of an object as a stream.
    ///
    /// # Errors
    /// `Missing` when it isn't there.
    pub async fn read(
        &self,
        key: &Key,
        range: std::ops::Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + 'static + use<>, Error> {
        let options =
            GetOptions { range: (range.start < range.end).then_some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let path = key.path();
        let result = self.objects.get_opts(&path, options).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => Error::Missing(path.to_string()),
            other => Error::Storage(other),
        })?;
        Ok(result.into_stream().map(|piece| piece.map_err(Error::from)))
    }

    /// Clears staged files that a crash left before a time; says how many.
    ///
    /// # Errors
    /// The directory can't be read or written.
    pub async fn clear_staging(&self, older_than: std::time::SystemTime) -> Result<usize, std::io::Error> {
        let mut files = match tokio::fs::read_dir(&self.staging).await {
            Ok(files) => files,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut cleared = 0;
        while let Some(file) = files.next_entry().await? {
            // A file that is gone by now was finished or dropped by its own upload.
            let Ok(about) = file.metadata().await else { continue };
            if about.is_file() && about.modified()? < older_than {
                match tokio::fs::remove_file(file.path()).await {
                    // Another server on this directory was quicker.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    removed => {
                        removed?;
                        cleared += 1;
                    }
                }
            }
        }
        Ok(cleared)
    }

    /// Writes, reads and deletes a small object: whether the storage works.
    ///
    /// # Errors
    /// What it failed with.
    pub async fn probe(&self, name: &str) -> Result<(), Error> {
        let path = keys::staging(name);
        self.objects.put(&path, PutPayload::from_static(b"regalia")).await?;
        let read = self.objects.get(&path).await?.bytes().await?;
        self.objects.delete(&path).await?;
        if read.as_ref() == b"regalia" { Ok(()) } else { Err(Error::Missing(path.to_string())) }
    }
}
