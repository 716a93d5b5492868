//! Row ids and their public form.
//!
//! A public id is opaque to people but not secret: it can be guessed, so whoever takes one authorizes it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::text::quoted;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<i64> for $name {
            fn from(number: i64) -> Self {
                Self(number)
            }
        }
    )*};
}

ids! {
    /// A person or a service account.
    UserId;
    /// A team of an organization.
    TeamId;
    /// An organization.
    OrganizationId;
    /// A project or a registry: both are rows of one table and share one number.
    ProjectId;
    /// A collection, where versions are logged or linked.
    CollectionId;
    /// A version, wherever it is linked.
    VersionId;
    /// A version's place in one collection: its birthplace or a link.
    MembershipId;
    /// An artifact type of one project or registry.
    ArtifactTypeId;
    /// A run.
    RunId;
    /// A browser that is signed in.
    SessionId;
    /// An API key's row; not the key.
    ApiKeyId;
    /// A stored object.
    BlobId;
    /// A distinct list of entries.
    ManifestId;
    /// One alias of one collection.
    AliasId;
    /// A tag of a collection or a version.
    TagId;
}

/// Why a public id was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The id {shown} is not an id of the kind {expected}. Use an id exactly as this server returned it.")]
pub struct IdError {
    shown: String,
    expected: String,
}

/// The public form of an id: the padded standard base64 of `Kind:<decimal>`.
pub fn encode_id(kind: &str, n: i64) -> String {
    STANDARD.encode(format!("{kind}:{n}"))
}

/// The number inside a public id of one of these kinds. Strict, so that each row has exactly one id: padded
/// standard base64, a decimal without sign, space or leading zero, from 1 to `i64::MAX`.
pub fn decode_id(kinds: &[&str], id: &str) -> Result<i64, IdError> {
    decoded(kinds, id).ok_or_else(|| IdError { shown: quoted(id), expected: kinds.join(" or ") })
}

fn decoded(kinds: &[&str], id: &str) -> Option<i64> {
    let bytes = STANDARD.decode(id).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let (kind, digits) = text.split_once(':')?;
    if !kinds.contains(&kind) || digits.starts_with('0') {
        return None;
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(kind in "[A-Za-z]{1,20}", n in 1..=i64::MAX) {
            let id = encode_id(&kind, n);
            prop_assert_eq!(decode_id(&[kind.as_str()], &id), Ok(n));
            prop_assert_eq!(decode_id(&["Other-kind", kind.as_str()], &id), Ok(n));
            prop_assert!(decode_id(&["Other-kind"], &id).is_err());
        }

        #[test]
        fn one_row_has_one_id(text in "(User|Team)?:?[-+ 0-9]{0,21}") {
            let id = STANDARD.encode(&text);
            if let Ok(n) = decode_id(&["User"], &id) {
                prop_assert_eq!(encode_id("User", n), id);
            }
        }

        #[test]
        fn no_text_panics(id in any::<String>()) {
            let _ = decode_id(&["User"], &id);
        }
    }

    #[test]
    fn known_ids() {
        assert_eq!(encode_id("Project", 11), "UHJvamVjdDoxMQ==");
        assert_eq!(decode_id(&["Project"], "UHJvamVjdDoxMQ=="), Ok(11));
        assert_eq!(decode_id(&["Project"], &encode_id("Project", i64::MAX)), Ok(i64::MAX));
    }

    #[test]
    fn other_writings_are_refused() {
        let encoded = |text: &str| STANDARD.encode(text);
        for id in [
            "".to_owned(),
            "11".to_owned(),
            "UHJvamVjdDoxMQ".to_owned(),
            "UHJvamVjdDoxMQ=".to_owned(),
            "UHJvamVjdDoxMR==".to_owned(),
            " UHJvamVjdDoxMQ==".to_owned(),
            "UHJvamVjdDoxMQ==\n".to_owned(),
            encoded("Project"),
            encoded("Project:"),
            encoded("Project:0"),
            encoded("Project:011"),
            encoded("Project:+11"),
            encoded("Project:-11"),
            encoded("Project: 11"),
            encoded("Project:11 "),
            encoded("Project:11:12"),
            encoded("Project:٣"),
            encoded("project:11"),
            encoded("Project:9223372036854775808"),
            STANDARD.encode(b"Project:\xff"),
        ] {
            assert!(decode_id(&["Project"], &id).is_err(), "{id}");
        }
    }

    #[test]
    fn the_error_names_the_kinds() {
        let error = decode_id(&["Project", "Registry"], "x").unwrap_err().to_string();
        assert!(error.contains("\"x\"") && error.contains("Project or Registry"), "{error}");
    }
}
