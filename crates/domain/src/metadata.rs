//! A version's metadata (rule 36).

use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use crate::json::{self, Fault};

/// The longest metadata, in bytes (rule 36).
pub const MAX_BYTES: usize = 1 << 20;
/// The most top-level keys (rule 36).
pub const MAX_KEYS: usize = 100;
/// The deepest nesting; the object itself has depth 1 (rule 36).
pub const MAX_DEPTH: usize = 64;

/// A JSON object, kept as the client wrote it: key order, spaces and integers beyond 2⁵³ survive (rule 36).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Metadata(String);

/// Why metadata was refused (rule 36).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// More than [`MAX_BYTES`].
    #[error("The metadata has {0} bytes. At most 1,048,576 (1 MiB) are kept; put larger data into a file of the artifact.")]
    TooLong(usize),
    /// More than [`MAX_KEYS`] at the top.
    #[error("The metadata has {0} top-level keys. At most 100 are kept; nest the others.")]
    TooManyKeys(usize),
    /// More than [`MAX_DEPTH`].
    #[error("The metadata is nested more than 64 levels deep. Flatten it.")]
    TooDeep,
    /// Valid JSON, but not an object.
    #[error("The metadata is not a JSON object. Send an object such as {{\"accuracy\": 0.9}}.")]
    NotAnObject,
    /// Not JSON.
    #[error("The metadata is not valid JSON: {0}.")]
    NotJson(String),
    /// What no reader could give back: NUL, half a surrogate pair, NaN or Infinity.
    #[error("The metadata {0}. Remove it or write it in another way.")]
    Unreadable(&'static str),
}

impl Metadata {
    /// Takes a text that is a JSON object within the limits.
    pub fn parse(text: &str) -> Result<Self, MetadataError> {
        if text.len() > MAX_BYTES {
            return Err(MetadataError::TooLong(text.len()));
        }
        json::check(text, MAX_DEPTH).map_err(|fault| match fault {
            Fault::TooDeep => MetadataError::TooDeep,
            Fault::Nul => MetadataError::Unreadable("contains a NUL character"),
            Fault::LoneSurrogate => MetadataError::Unreadable("contains half a surrogate pair"),
            Fault::NotFinite => MetadataError::Unreadable("contains NaN or Infinity"),
        })?;
        match keys(text).map_err(|error| MetadataError::NotJson(error.to_string()))? {
            None => Err(MetadataError::NotAnObject),
            Some(keys) if keys > MAX_KEYS => Err(MetadataError::TooManyKeys(keys)),
            Some(_) => Ok(Self(text.to_owned())),
        }
    }

    /// No metadata: `{}`.
    pub fn empty() -> Self {
        Self("{}".to_owned())
    }

    /// The text exactly as it was given.
    pub fn as_text(&self) -> &str {
        &self.0
    }

    /// The same content as PostgreSQL's `jsonb` takes it, for filters. Numbers of more than 1,000 digits before or
    /// after the point, or with an exponent beyond ±400, are strings in it.
    pub fn index_text(&self) -> String {
        json::with_plain_numbers(&self.0)
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of top-level keys of a valid JSON text; `None` if it isn't an object.
fn keys(text: &str) -> Result<Option<usize>, serde_json::Error> {
    struct Keys;

    impl<'de> Visitor<'de> for Keys {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
            let mut keys = 0;
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                keys += 1;
            }
            Ok(keys)
        }
    }

    if !text.trim_start().starts_with('{') {
        return serde_json::from_str::<IgnoredAny>(text).map(|_| None);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let keys = json.deserialize_map(Keys)?;
    json.end()?;
    Ok(Some(keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rule_36_kept_as_given() {
        for text in [
            "{}",
            " { \"b\" : 1 ,\n\t\"a\" : 9007199254740993 } ",
            r#"{"z":1,"a":2,"z":3}"#,
            r#"{"big":123456789012345678901234567890,"e":1e400000,"s":"\ud83d\ude00é\n"}"#,
        ] {
            assert_eq!(Metadata::parse(text).unwrap().as_text(), text);
        }
        assert_eq!(Metadata::parse(Metadata::empty().as_text()), Ok(Metadata::empty()));
    }

    #[test]
    fn rule_36_limits() {
        let object = |keys: usize| {
            let pairs: Vec<String> = (0..keys).map(|n| format!("\"k{n}\":{{\"x\":1,\"y\":2}}")).collect();
            format!("{{{}}}", pairs.join(","))
        };
        assert!(Metadata::parse(&object(100)).is_ok());
        assert_eq!(Metadata::parse(&object(101)), Err(MetadataError::TooManyKeys(101)));

        let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(Metadata::parse(&deep(64)).is_ok());
        assert_eq!(Metadata::parse(&deep(65)), Err(MetadataError::TooDeep));
        assert_eq!(Metadata::parse(&deep(100_000)), Err(MetadataError::TooDeep));

        let long = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert!(Metadata::parse(&long(MAX_BYTES)).is_ok());
        assert_eq!(Metadata::parse(&long(MAX_BYTES + 1)), Err(MetadataError::TooLong(MAX_BYTES + 1)));
    }

    #[test]
    fn rule_36_refused() {
        for text in ["[]", "null", "\"{}\"", "1", "true"] {
            assert_eq!(Metadata::parse(text), Err(MetadataError::NotAnObject), "{text}");
        }
        for text in [
            "",
            "{",
            "{}{}",
            "{} x",
            "{a:1}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{'a':1}",
            "\u{feff}{}",
            "{\"a\":01}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":nan}",
            "\u{a0}{}",
            "{1:2}",
            "{\"a\":\"\\u00g0\"}",
        ] {
            assert!(matches!(Metadata::parse(text), Err(MetadataError::NotJson(_))), "{text}");
        }
        for text in [
            "{\"a\":NaN}",
            "{\"a\":[Infinity]}",
            "{\"a\":-Infinity}",
            "{\"a\":\"\\u0000\"}",
            "{\"\\u0000\":1}",
            "{\"a\":\"\0\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\udc00\\ud800\"}",
        ] {
            assert!(matches!(Metadata::parse(text), Err(MetadataError::Unreadable(_))), "{text}");
        }
        let error = Metadata::parse("{\"a\":NaN}").unwrap_err().to_string();
        assert!(error.contains("NaN"), "{error}");
    }

    #[test]
    fn rule_36_the_indexed_form_has_no_number_that_the_database_refuses() {
        let metadata = Metadata::parse(r#"{"a":1e400000,"b":[-1e-99999],"c":0.1,"1e400000":"1e400000"}"#).unwrap();
        assert_eq!(metadata.index_text(), r#"{"a":"1e400000","b":["-1e-99999"],"c":0.1,"1e400000":"1e400000"}"#);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), inner in "[\\[\\]{}\",:\\\\ua0-9e. -]{0,40}") {
            let _ = Metadata::parse(&text);
            let _ = Metadata::parse(&format!("{{\"a\":{inner}}}"));
        }

        #[test]
        fn rule_36_an_object_of_values_is_accepted(
            object in proptest::collection::btree_map("[^\0]{0,8}", any::<(i64, bool, Option<f64>)>(), 0..20)
        ) {
            let text = serde_json::to_string(&object).unwrap();
            let metadata = Metadata::parse(&text).unwrap();
            prop_assert_eq!(metadata.as_text(), &text);
            let indexed: serde_json::Value = serde_json::from_str(&metadata.index_text()).unwrap();
            prop_assert_eq!(indexed, serde_json::from_str::<serde_json::Value>(&text).unwrap());
        }
    }
}
