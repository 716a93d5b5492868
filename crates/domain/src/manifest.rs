//! The manifest that a client uploads: its entries, one at a time, and what is refused at sight (rules 37 and 38).
//!
//! Nothing here holds more than one entry. What needs all entries at once (their digest, duplicates, files that are
//! directories) is fed in sorted order to [`ManifestDigest`](crate::digest::ManifestDigest) and
//! [`SortedPathChecker`]; what needs the blobs is the store's.

use std::fmt;
use std::io::{ErrorKind, Read};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::digest::{DigestError, Md5};
use crate::json;
use crate::paths::{EntryPath, PathError};
use crate::text::quoted;
use limited::{Limited, Meter, Stopped};

pub use sorted::SortedPathChecker;

mod limited;
mod sorted;

/// The longest address of a reference, in bytes.
pub const MAX_URI_BYTES: usize = 16 * 1024;
/// The longest digest of a reference, in bytes; a digest that is the address itself may be as long as that.
pub const MAX_DIGEST_BYTES: usize = 1024;
/// The longest `extra` of an entry, in bytes.
pub const MAX_EXTRA_BYTES: usize = 64 * 1024;
/// The deepest nesting of an `extra`.
pub const MAX_EXTRA_DEPTH: usize = 64;
/// The longest id of a birth artifact, in bytes.
pub const MAX_BIRTH_ID_BYTES: usize = 256;

const VERSION: u64 = 1;
const STORAGE_POLICY: &str = "wandb-storage-policy-v1";
const STORAGE_LAYOUT: &str = "V2";

/// What clients call the one place where bytes are kept. `minio-local` is what development set-ups of the W&B clients ask for.
const STORAGE_REGIONS: [&str; 2] = ["default", "minio-local"];

/// Refuses a storage region that no client may ask for.
///
/// # Errors
/// `UnknownRegion`.
pub fn known_region(region: &str) -> Result<(), ManifestError> {
    if STORAGE_REGIONS.contains(&region) { Ok(()) } else { Err(ManifestError::UnknownRegion(quoted(region))) }
}

/// How much one manifest may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestLimits {
    /// The most entries.
    pub max_entries: u64,
    /// The longest manifest, in bytes of JSON.
    pub max_bytes: u64,
}

impl Default for ManifestLimits {
    /// A million entries in a GiB.
    fn default() -> Self {
        Self { max_entries: 1_000_000, max_bytes: 1 << 30 }
    }
}

/// What a manifest says besides its entries. The version, storage policy and layout are always the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestHeader {
    /// How many entries it has.
    pub entries: u64,
    /// The sum of the entries' sizes, references included, in bytes.
    pub size: i64,
    /// The storage region as it was given: absent or a [`known_region`].
    pub storage_region: Option<String>,
}

/// One entry. Everything in it is the client's claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Its path in the version (rule 37).
    pub path: EntryPath,
    /// What it stands for.
    pub content: EntryContent,
    /// Its size in bytes, not negative. Absent counts as 0, which a file's blob must then have too.
    pub size: i64,
    /// The id of the version whose upload the bytes came with.
    pub birth_artifact: Option<String>,
    /// The JSON text of an object of the client's own, as it was written. It holds no NUL and no half surrogate pair,
    /// but maybe numbers beyond `jsonb`.
    pub extra: Option<String>,
    /// Whether clients are asked not to cache the file.
    pub skip_cache: bool,
}

/// What an entry stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryContent {
    /// A stored file.
    File {
        /// The MD5 of its bytes.
        md5: Md5,
    },
    /// An address elsewhere: inert text that the server never follows (rule 38).
    Reference {
        /// The address.
        uri: String,
        /// What the client compares with: an ETag, an MD5, or the address again.
        digest: String,
    },
}

impl EntryContent {
    /// The text that stands for the entry in the manifest's digest: as the client wrote it.
    pub fn digest_text(&self) -> String {
        match self {
            // Each MD5 is written in one way only, so this is what was read.
            Self::File { md5 } => md5.to_base64(),
            Self::Reference { digest, .. } => digest.clone(),
        }
    }
}

/// Why reading a manifest ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseFailure<E> {
    /// The manifest is at fault, or couldn't be read ([`ManifestError::Read`]).
    Manifest(ManifestError),
    /// The receiver of the entries refused one.
    Sink(E),
}

/// What is wrong with a manifest. Paths in it are quoted, escaped and shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The reader failed: the only variant that isn't the client's fault.
    #[error("The manifest could not be read: {message}.")]
    Read {
        /// What kind of failure it was.
        kind: ErrorKind,
        /// The reader's own words; not for clients.
        message: String,
    },
    /// Not JSON, or not of the shape of a manifest.
    #[error("The manifest is not valid: {0}.")]
    Json(String),
    /// A key that a manifest must have.
    #[error("The manifest has no \"{0}\".")]
    Missing(&'static str),
    /// A key that stands there again.
    #[error("The manifest has the key {0} twice.")]
    Twice(String),
    /// A version, storage policy or layout that this server doesn't know.
    #[error("The manifest has the {key} {given}; this server takes {expected}.")]
    Unsupported {
        /// Which of them.
        key: &'static str,
        /// What the manifest says.
        given: String,
        /// What it should say.
        expected: String,
    },
    /// A storage region that this server doesn't have.
    #[error("There is no storage region {0} here. Leave the storage region out, or use \"default\".")]
    UnknownRegion(String),
    /// An entry with something wrong in it.
    #[error("The manifest entry {path} {problem}.")]
    Entry {
        /// Its path.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// An entry path that could lead out of its directory (rule 37).
    #[error("The manifest can't be taken. {0}")]
    Path(#[from] PathError),
    /// More entries than [`ManifestLimits::max_entries`].
    #[error("The manifest has more than {0} entries. Split the artifact.")]
    TooManyEntries(u64),
    /// Longer than [`ManifestLimits::max_bytes`].
    #[error("The manifest is longer than {0} bytes. Split the artifact.")]
    TooLong(u64),
    /// One entry, or one value beside the entries, beyond all measure.
    #[error("The manifest holds a single item of more than {0} bytes.")]
    ItemTooLong(u64),
    /// The sizes add up to more than 2⁶³ − 1.
    #[error("The sizes of the manifest's entries add up to more than any storage holds.")]
    SizeOverflow,
    /// A path that is there twice (rule 37).
    #[error("The manifest names {0} twice.")]
    Duplicate(String),
    /// A path below a file (rule 37).
    #[error("The manifest names {file} as a file and {below} below it. A path is either a file or a directory.")]
    FileAndDirectory {
        /// The path that is a file.
        file: String,
        /// The path below it.
        below: String,
    },
    /// A [`SortedPathChecker`] was fed in another order than that of the bytes: a mistake of its caller.
    #[error("The manifest's entry {0} was checked out of order.")]
    Unsorted(String),
}

impl ManifestError {
    /// A path that is there twice, where all paths are known at once.
    pub fn duplicate(path: &str) -> Self {
        Self::Duplicate(quoted(path))
    }
}

/// Reads a manifest from JSON and hands over each entry as soon as it is read, also before the rest has proved good.
///
/// Memory doesn't grow with the number of entries. Unknown keys are passed over. Duplicate paths are not noticed here.
pub fn parse_manifest<R: Read, E>(
    reader: R,
    limits: &ManifestLimits,
    on_entry: &mut dyn FnMut(ManifestEntry) -> Result<(), E>,
) -> Result<ManifestHeader, ParseFailure<E>> {
    let meter = Meter::new(limits.max_bytes);
    let mut parser = Parser {
        meter: &meter,
        limits,
        on_entry,
        failure: None,
        entry: None,
        header: ManifestHeader { entries: 0, size: 0, storage_region: None },
    };
    let mut json = serde_json::Deserializer::from_reader(Limited::new(reader, &meter));
    let parsed = Whole(&mut parser).deserialize(&mut json).and_then(|()| {
        meter.refill();
        json.end()
    });
    let Parser { failure, entry, header, .. } = parser;
    let Err(error) = parsed else {
        return Ok(header);
    };
    if let Some(failure) = failure {
        return Err(failure);
    }
    Err(ParseFailure::Manifest(match (meter.stopped(), error.io_error_kind(), entry) {
        (Some(Stopped::Item), ..) => ManifestError::ItemTooLong(limited::MAX_ITEM_BYTES),
        (Some(Stopped::Whole), ..) => ManifestError::TooLong(limits.max_bytes),
        (None, Some(kind), _) => ManifestError::Read { kind, message: error.to_string() },
        (None, None, Some(path)) => ManifestError::Entry { path: quoted(&path), problem: format!("is not valid: {error}") },
        (None, None, None) => ManifestError::Json(error.to_string()),
    }))
}

struct Parser<'a, E> {
    meter: &'a Meter,
    limits: &'a ManifestLimits,
    on_entry: &'a mut dyn FnMut(ManifestEntry) -> Result<(), E>,
    /// Why the parser was told to stop; says more than the error that it then returns.
    failure: Option<ParseFailure<E>>,
    /// The path of the entry being read.
    entry: Option<String>,
    header: ManifestHeader,
}

impl<E> Parser<'_, E> {
    fn stop<J: serde::de::Error>(&mut self, failure: ParseFailure<E>) -> J {
        self.failure = Some(failure);
        J::custom("stopped")
    }

    fn refuse<J: serde::de::Error>(&mut self, error: ManifestError) -> J {
        self.stop(ParseFailure::Manifest(error))
    }

    fn policy_config(&mut self, config: &Value) -> Result<(), ManifestError> {
        const KEY: &str = "storagePolicyConfig";
        if !(config.is_object() || config.is_null()) {
            return Err(unsupported(KEY, config, "an object"));
        }
        match config.get("storageLayout") {
            None | Some(Value::Null) => {}
            Some(Value::String(layout)) if layout == STORAGE_LAYOUT => {}
            Some(other) => return Err(unsupported("storageLayout", other, STORAGE_LAYOUT)),
        }
        match config.get("storageRegion") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(region)) => {
                known_region(region)?;
                self.header.storage_region = Some(region.clone());
                Ok(())
            }
            Some(other) => Err(unsupported("storageRegion", other, STORAGE_REGIONS[0])),
        }
    }
}

fn unsupported(key: &'static str, given: &Value, expected: impl fmt::Display) -> ManifestError {
    let given = match given {
        Value::String(text) => quoted(text),
        Value::Object(_) => "{…}".to_owned(),
        Value::Array(_) => "[…]".to_owned(),
        other => other.to_string(),
    };
    ManifestError::Unsupported { key, given, expected: expected.to_string() }
}

/// The manifest as a whole.
struct Whole<'p, 'a, E>(&'p mut Parser<'a, E>);

impl<'de, E> DeserializeSeed<'de> for Whole<'_, '_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, E> Visitor<'de> for Whole<'_, '_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        const KEYS: [&str; 4] = ["version", "storagePolicy", "storagePolicyConfig", "contents"];
        let parser = self.0;
        let mut seen = [false; KEYS.len()];
        while let Some(key) = map.next_key::<String>()? {
            parser.meter.refill();
            let Some(at) = KEYS.iter().position(|known| *known == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(&mut seen[at], true) {
                return Err(parser.refuse(ManifestError::Twice(quoted(&key))));
            }
            if key == "contents" {
                map.next_value_seed(Contents(&mut *parser))?;
                continue;
            }
            let value = map.next_value::<Value>()?;
            let checked = match key.as_str() {
                "version" if value.as_u64() == Some(VERSION) => Ok(()),
                "version" => Err(unsupported("version", &value, VERSION)),
                "storagePolicy" if value.as_str() == Some(STORAGE_POLICY) => Ok(()),
                "storagePolicy" => Err(unsupported("storagePolicy", &value, STORAGE_POLICY)),
                _ => parser.policy_config(&value),
            };
            checked.map_err(|error| parser.refuse(error))?;
        }
        for (key, seen) in KEYS.into_iter().zip(seen) {
            if !seen && key != "storagePolicyConfig" {
                return Err(parser.refuse(ManifestError::Missing(key)));
            }
        }
        Ok(())
    }
}

/// The entries.
struct Contents<'p, 'a, E>(&'p mut Parser<'a, E>);

impl<'de, E> DeserializeSeed<'de> for Contents<'_, '_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, E> Visitor<'de> for Contents<'_, '_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"contents\" to be an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let parser = self.0;
        parser.meter.refill();
        while let Some(key) = map.next_key::<String>()? {
            let path = EntryPath::parse(&key).map_err(|error| parser.refuse(error.into()))?;
            if parser.header.entries == parser.limits.max_entries {
                return Err(parser.refuse(ManifestError::TooManyEntries(parser.limits.max_entries)));
            }
            parser.entry = Some(key);
            let raw: RawEntry = map.next_value()?;
            parser.entry = None;
            let entry = checked(path, raw).map_err(|error| parser.refuse(error))?;
            let size = parser.header.size.checked_add(entry.size);
            parser.header.size = size.ok_or_else(|| parser.refuse(ManifestError::SizeOverflow))?;
            parser.header.entries += 1;
            (parser.on_entry)(entry).map_err(|error| parser.stop(ParseFailure::Sink(error)))?;
            parser.meter.refill();
        }
        Ok(())
    }
}

/// An entry as it stands in the JSON; `local_path` and unknown keys are dropped.
struct RawEntry(Fields);

#[derive(Deserialize)]
struct Fields {
    digest: Option<String>,
    size: Option<i64>,
    #[serde(rename = "birthArtifactID")]
    birth_artifact: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    extra: Option<Box<RawValue>>,
    skip_cache: Option<bool>,
}

impl<'de> Deserialize<'de> for RawEntry {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = RawEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawEntry, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map)).map(RawEntry)
            }
        }

        // A derived struct would also take an array of its fields.
        json.deserialize_map(Object)
    }
}

fn checked(path: EntryPath, RawEntry(raw): RawEntry) -> Result<ManifestEntry, ManifestError> {
    let refuse = |problem: String| ManifestError::Entry { path: quoted(path.as_str()), problem };
    let size = raw.size.unwrap_or(0);
    if size < 0 {
        return Err(refuse(format!("has the size {size}")));
    }
    let digest = raw.digest.filter(|digest| !digest.is_empty());
    let digest = digest.ok_or_else(|| refuse("has no digest".to_owned()))?;
    // Clients write an empty address where there is none.
    let content = match raw.reference.filter(|uri| !uri.is_empty()) {
        None => {
            let md5 = Md5::from_base64(&digest)
                .map_err(|_: DigestError| refuse(format!("has the digest {}, which is no MD5 in base64", quoted(&digest))))?;
            EntryContent::File { md5 }
        }
        Some(uri) => {
            reference_problem(&uri, &digest).map_or(Ok(()), |problem| Err(refuse(problem.to_owned())))?;
            EntryContent::Reference { uri, digest }
        }
    };
    let extra = raw.extra.map(|extra| Box::<str>::from(extra).into_string());
    if let Some(problem) = extra.as_deref().and_then(extra_problem) {
        return Err(refuse(problem));
    }
    let birth_artifact = raw.birth_artifact.filter(|id| !id.is_empty());
    if birth_artifact.as_ref().is_some_and(|id| id.len() > MAX_BIRTH_ID_BYTES || id.contains('\0')) {
        return Err(refuse("has a birth artifact that is no id".to_owned()));
    }
    Ok(ManifestEntry { path, content, size, birth_artifact, extra, skip_cache: raw.skip_cache.unwrap_or(false) })
}

fn reference_problem(uri: &str, digest: &str) -> Option<&'static str> {
    if uri.len() > MAX_URI_BYTES {
        Some("has an address of more than 16 KiB")
    } else if uri.contains('\0') {
        Some("has an address with a NUL character")
    } else if digest.len() > MAX_DIGEST_BYTES && digest != uri {
        Some("has a digest of more than 1 KiB")
    } else if digest.chars().any(char::is_control) {
        // A line break would be read as another entry in the manifest's digest.
        Some("has a digest with a control character")
    } else {
        None
    }
}

fn extra_problem(extra: &str) -> Option<String> {
    if extra.len() > MAX_EXTRA_BYTES {
        return Some("has an \"extra\" of more than 64 KiB".to_owned());
    }
    if !extra.starts_with('{') {
        return Some("has an \"extra\" that is not an object".to_owned());
    }
    let fault = json::check(extra, MAX_EXTRA_DEPTH).err()?;
    Some(format!("has an \"extra\" that {fault}"))
}

#[cfg(test)]
mod tests;
