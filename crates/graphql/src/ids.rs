//! Public ids of both sides: the base64 of `Kind:<number>`. They can be guessed, so whoever takes one authorizes it. And
//! paths as they stand in URLs.

use async_graphql::ID;
use regalia_domain::ids::{decode_id, encode_id};

use crate::error::Parsed as _;

/// A public id.
pub(crate) fn id(kind: &str, number: i64) -> ID {
    ID(encode_id(kind, number))
}

/// The number in a public id of one of these kinds.
pub(crate) fn number(kinds: &[&str], id: &str) -> async_graphql::Result<i64> {
    decode_id(kinds, id).parsed()
}

/// A path as a URL's segments, its slashes kept.
pub(crate) fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => encoded.push(char::from(byte)),
            other => {
                use std::fmt::Write as _;
                // Writing to a String can't fail.
                let _ = write!(encoded, "%{other:02X}");
            }
        }
    }
    encoded
}
