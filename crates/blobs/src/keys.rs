//! Where objects lie: every key is made here.

use object_store::path::Path;
use regalia_domain::digest::Sha256;
use regalia_domain::ids::BlobId;

/// The name of stored bytes: `blobs/<scope>/<first two digits>/<sha256>.<blob id>`. The blob id makes it a name that is
/// never used again, so that a deletion can't meet a new upload of the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The organization or user whose bytes these are.
    pub scope: i64,
    /// What they are.
    pub sha256: Sha256,
    /// The blob's number.
    pub blob: BlobId,
}

impl Key {
    pub(crate) fn path(&self) -> Path {
        let hash = self.sha256.to_hex();
        Path::from(format!("blobs/{}/{}/{hash}.{}", self.scope, &hash[..2], self.blob))
    }
}

pub(crate) fn staging_root() -> Path {
    Path::from("staging")
}

pub(crate) fn staging(name: &str) -> Path {
    staging_root().join(name)
}
