//! JSON as filters see it: what their text says, and what a version's metadata holds. Numbers are exact.

use serde::de::IgnoredAny;

use super::number::Number;
use crate::json::{self, Tokens};

/// The deepest nesting that is read; metadata and filters have lower limits of their own.
const MAX_DEPTH: usize = 128;

/// A JSON value that holds no others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// A value that holds no others.
    Scalar(Scalar),
    /// A list.
    Array(Vec<Json>),
    /// Keys and values in the order given; of equal keys the last one counts.
    Object(Vec<(String, Json)>),
}

/// Why a text is no [`Json`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonError {
    /// It breaks JSON's grammar, as the sentence says.
    Grammar(String),
    /// A number that is longer or larger than [`Number`] takes.
    Number(String),
}

impl Json {
    /// Reads a text without NUL characters and without nesting beyond 128 levels.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        json::check(text, MAX_DEPTH).map_err(|fault| JsonError::Grammar(format!("it {fault}")))?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| JsonError::Grammar(error.to_string()))?;
        // From here on the grammar is right.
        let mut tokens = Tokens(text);
        let first = next(&mut tokens)?;
        value(first, &mut tokens)
    }

    /// The value under these keys. In a list a key that reads as a whole number is a place, from 0 on, or from the end
    /// if it is negative: exactly what PostgreSQL's `#>` does.
    pub fn at(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |value, key| match value {
            Self::Scalar(_) => None,
            Self::Object(entries) => entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Array(items) => {
                let place: i32 = key.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']).parse().ok()?;
                let place = i64::from(place);
                let length = i64::try_from(items.len()).ok()?;
                items.get(usize::try_from(if place < 0 { place + length } else { place }).ok()?)
            }
        })
    }

    /// The value if it holds no others.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// What kind of value it is, as an error says it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(Scalar::Null) => "null",
            Self::Scalar(Scalar::Bool(_)) => "a boolean",
            Self::Scalar(Scalar::Number(_)) => "a number",
            Self::Scalar(Scalar::Text(_)) => "a text",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// The next token that is no white space.
fn next<'a>(tokens: &mut Tokens<'a>) -> Result<&'a str, JsonError> {
    tokens.find(|token| !token.trim().is_empty()).ok_or_else(|| JsonError::Grammar("it ends too early".to_owned()))
}

fn value(first: &str, tokens: &mut Tokens<'_>) -> Result<Json, JsonError> {
    Ok(match first {
        "{" => {
            let mut entries = Vec::new();
            let mut token = next(tokens)?;
            while token != "}" {
                if token == "," {
                    token = next(tokens)?;
                }
                let key = string(token)?;
                // The colon.
                next(tokens)?;
                let first = next(tokens)?;
                entries.push((key, value(first, tokens)?));
                token = next(tokens)?;
            }
            Json::Object(entries)
        }
        "[" => {
            let mut items = Vec::new();
            let mut token = next(tokens)?;
            while token != "]" {
                if token == "," {
                    token = next(tokens)?;
                }
                items.push(value(token, tokens)?);
                token = next(tokens)?;
            }
            Json::Array(items)
        }
        "null" => Json::Scalar(Scalar::Null),
        "true" => Json::Scalar(Scalar::Bool(true)),
        "false" => Json::Scalar(Scalar::Bool(false)),
        text if text.starts_with('"') => Json::Scalar(Scalar::Text(string(text)?)),
        number => Json::Scalar(Scalar::Number(Number::parse(number).ok_or_else(|| JsonError::Number(number.to_owned()))?)),
    })
}

fn string(token: &str) -> Result<String, JsonError> {
    serde_json::from_str(token).map_err(|error| JsonError::Grammar(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Metadata;
    use proptest::prelude::*;

    fn path(keys: &str) -> Vec<String> {
        keys.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn paths() {
        let json =
            Json::parse(r#" { "a" : { "b" : [ 1 , [ 2 ] , { "c" : null } ] , "0" : "zero" } , "a.b" : 5, "d": 1, "d": 2 } "#)
                .unwrap();
        for (keys, expected) in [
            ("a.b.0", Some("1")),
            ("a.b.1.0", Some("2")),
            ("a.b.-1.c", Some("null")),
            ("a.b.+1.0", Some("2")),
            ("a.b.01.0", Some("2")),
            ("a.b. 1.0", Some("2")),
            ("a.b.1 .0", None),
            ("a.b.3", None),
            ("a.b.-4", None),
            ("a.b.99999999999", None),
            ("a.b.c", None),
            ("a.0", Some("\"zero\"")),
            ("a.b.0.x", None),
            ("x", None),
            ("d", Some("2")),
        ] {
            let expected = expected.map(|text| Json::parse(text).unwrap());
            assert_eq!(json.at(&path(keys)), expected.as_ref(), "{keys}");
        }
    }

    #[test]
    fn refused() {
        for text in ["", "{", "[1,]", "{\"a\"}", "nul", "1 2", "'a'", "[1 2]", "{,}"] {
            assert!(matches!(Json::parse(text), Err(JsonError::Grammar(_))), "{text}");
        }
        assert_eq!(Json::parse("[1e401]"), Err(JsonError::Number("1e401".to_owned())));
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&deep(128)).is_ok());
        assert!(Json::parse(&deep(129)).is_err());
        assert!(Json::parse(&deep(1_000_000)).is_err());
    }

    proptest! {
        #[test]
        fn rule_36_every_metadata_can_be_read(text in "[\\[\\]{}\",:\\\\ua0-9eENn.+ é-]{0,40}") {
            if let Ok(metadata) = Metadata::parse(&format!("{{\"a\":{text}}}")) {
                prop_assert!(Json::parse(&metadata.index_text()).is_ok());
            }
        }

        #[test]
        fn the_same_as_serde_json(object in proptest::collection::btree_map(any::<String>(), any::<(Option<i64>, bool, String)>(), 0..5)) {
            let text = serde_json::to_string(&object).unwrap();
            let json = Json::parse(&text).unwrap();
            for (key, (number, truth, string)) in &object {
                let number = number.map_or(Scalar::Null, |number| Scalar::Number(number.into()));
                let expected = [number, Scalar::Bool(*truth), Scalar::Text(string.clone())].map(Json::Scalar);
                prop_assert_eq!(json.at(std::slice::from_ref(key)), Some(&Json::Array(expected.to_vec())));
            }
        }
    }
}
