//! MD5 as the wire's word for content, SHA-256 as ours, and the digest of a manifest.
//!
//! MD5 identifies nothing by itself: the same MD5 with different bytes is two blobs (rule 27).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Digest;

use crate::text::quoted;

/// An MD5 digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Md5(pub [u8; 16]);

/// A SHA-256 digest. Displayed as lowercase hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

/// A text that isn't a digest in the form it should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown} is not {form}.")]
pub struct DigestError {
    shown: String,
    form: &'static str,
}

fn refused(text: &str, form: &'static str) -> DigestError {
    DigestError { shown: quoted(text), form }
}

impl Md5 {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(md5::Md5::digest(bytes).into())
    }

    /// Reads padded standard base64: 24 characters, each digest in exactly one way.
    pub fn from_base64(text: &str) -> Result<Self, DigestError> {
        STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| refused(text, "an MD5 digest in base64 (24 characters)"))
    }

    /// Reads 32 lowercase hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        lowercase_hex(text).map(Self).ok_or_else(|| refused(text, "an MD5 digest in lowercase hexadecimal (32 digits)"))
    }

    /// Padded standard base64, as in a manifest's entries.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// Lowercase hexadecimal, as in an artifact's digest.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl Sha256 {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Reads 64 lowercase hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        lowercase_hex(text).map(Self).ok_or_else(|| refused(text, "a SHA-256 digest in lowercase hexadecimal (64 digits)"))
    }

    /// Lowercase hexadecimal.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

fn lowercase_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// The digest of a version: the MD5 of a fixed first line and one line `path:digest` for each entry, ordered by
/// the bytes of the path (rule 27).
///
/// The caller feeds the entries in that order. A `:` may stand on either side of the one between path and digest,
/// so different manifests with references can have one digest: it compares what a client says with what it sent,
/// and is no key.
#[derive(Debug, Clone)]
pub struct ManifestDigest(md5::Md5);

impl ManifestDigest {
    /// The digest of no entries yet.
    pub fn new() -> Self {
        let mut state = md5::Md5::new();
        state.update(b"wandb-artifact-manifest-v1\n");
        Self(state)
    }

    /// Adds the next entry in order: its path and the text of its digest.
    pub fn entry(&mut self, path: &str, digest: &str) {
        self.0.update(path.as_bytes());
        self.0.update(b":");
        self.0.update(digest.as_bytes());
        self.0.update(b"\n");
    }

    /// The digest of everything fed.
    pub fn finish(self) -> Md5 {
        Md5(self.0.finalize().into())
    }
}

impl Default for ManifestDigest {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_digests() {
        let empty = Md5::of(b"");
        assert_eq!(empty.to_hex(), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(empty.to_base64(), "1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(Sha256::of(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn rule_27_the_manifest_digest_is_the_md5_of_its_lines() {
        let mut digest = ManifestDigest::new();
        digest.entry("a.txt", "1B2M2Y8AsgTpgAmY7PhCfg==");
        digest.entry("dir/b", "etag:1");
        let lines = b"wandb-artifact-manifest-v1\na.txt:1B2M2Y8AsgTpgAmY7PhCfg==\ndir/b:etag:1\n";
        assert_eq!(digest.finish(), Md5::of(lines));
        assert_eq!(ManifestDigest::new().finish(), Md5::of(b"wandb-artifact-manifest-v1\n"));
    }

    #[test]
    fn other_writings_are_refused() {
        for text in [
            "",
            "1B2M2Y8AsgTpgAmY7PhCfg",
            "1B2M2Y8AsgTpgAmY7PhCfg=",
            "1B2M2Y8AsgTpgAmY7PhCfh==",
            "1B2M2Y8AsgTpgAmY7PhC_g==",
            " 1B2M2Y8AsgTpgAmY7PhCfg==",
            "1B2M2Y8AsgTpgAmY7PhCfg==\n",
            "AAAA",
            "d41d8cd98f00b204e9800998ecf8427e",
        ] {
            assert!(Md5::from_base64(text).is_err(), "{text}");
        }
        for text in [
            "",
            "D41D8CD98F00B204E9800998ECF8427E",
            "d41d8cd98f00b204e9800998ecf8427",
            "d41d8cd98f00b204e9800998ecf8427e0",
            "0xd41d8cd98f00b204e9800998ecf842",
            " d41d8cd98f00b204e9800998ecf8427",
        ] {
            assert!(Md5::from_hex(text).is_err(), "{text}");
            assert!(Sha256::from_hex(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn written_digests_are_read_back(md5 in any::<[u8; 16]>(), sha in any::<[u8; 32]>()) {
            let md5 = Md5(md5);
            prop_assert_eq!(Md5::from_base64(&md5.to_base64()), Ok(md5));
            prop_assert_eq!(Md5::from_hex(&md5.to_hex()), Ok(md5));
            let sha = Sha256(sha);
            prop_assert_eq!(Sha256::from_hex(&sha.to_hex()), Ok(sha));
        }
    }
}
