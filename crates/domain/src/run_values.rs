//! What a run keeps of its configuration and its summary (rule 47): JSON objects as Python writes them, with `NaN`, `Infinity`
//! and `-Infinity` for numbers that JSON doesn't have, because a diverged training must not fail for them. The text is kept as
//! it came; beside it stands a form for filters and orders. Works on the text, without recursion.

use std::collections::HashSet;

use serde::de::IgnoredAny;

use crate::filters::number::Number;
use crate::json::{Tokens, check_string};
use crate::metadata::MAX_DEPTH;

/// The longest configuration or summary, in bytes (ours).
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A run's configuration or summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunValues(String);

/// Why it was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunValuesError {
    /// More than [`MAX_BYTES`].
    #[error("The run's {0} has {1} bytes. At most 4,194,304 (4 MiB) are kept; put larger data into a file or an artifact.")]
    TooLong(&'static str, usize),
    /// No JSON, not even Python's.
    #[error("The run's {0} is not JSON: {1}.")]
    NotJson(&'static str, String),
    /// Another value.
    #[error("The run's {0} is not a JSON object.")]
    NotAnObject(&'static str),
}

impl RunValues {
    /// Takes a JSON object, `what` it is being said by errors.
    ///
    /// # Errors
    /// As [`RunValuesError`].
    pub fn parse(what: &'static str, text: &str) -> Result<Self, RunValuesError> {
        if text.len() > MAX_BYTES {
            return Err(RunValuesError::TooLong(what, text.len()));
        }
        let plain: String = Tokens(text).map(|token| if is_python_number(token) { "0" } else { token }).collect();
        serde_json::from_str::<IgnoredAny>(&plain).map_err(|error| RunValuesError::NotJson(what, error.to_string()))?;
        if text.trim_start().starts_with('{') { Ok(Self(text.to_owned())) } else { Err(RunValuesError::NotAnObject(what)) }
    }

    /// The text exactly as it was given.
    #[must_use]
    pub fn as_text(&self) -> &str {
        &self.0
    }

    /// The same content as PostgreSQL's `jsonb` takes it, for filters and orders. What it can't hold is left out, in a list it is
    /// null: Python's three numbers, texts with NUL or half a surrogate pair, what is nested deeper than metadata may be.
    /// Numbers beyond those that filters know are texts in it.
    #[must_use]
    pub fn index_text(&self) -> String {
        cleaned(&self.0)
    }

    /// The same of a configuration, in which the SDK wraps each value: `{"lr": {"value": 0.1, "desc": null}}` is `{"lr": 0.1}`.
    #[must_use]
    pub fn config_index_text(&self) -> String {
        let cleaned = cleaned(&self.0);
        let values = entries(&cleaned).into_iter().map(|(key, value)| (key, member(value, "\"value\"").unwrap_or(value)));
        object(values)
    }

    /// Of a configuration, what the SDK tells of itself under these keys, as an object; none when it tells nothing.
    #[must_use]
    pub fn telemetry(&self, keys: &[String]) -> Option<String> {
        let keys: HashSet<String> = keys.iter().map(|key| serde_json::Value::from(key.as_str()).to_string()).collect();
        let cleaned = cleaned(&self.0);
        let told = member(member(&cleaned, "\"_wandb\"")?, "\"value\"")?;
        Some(object(entries(told).into_iter().filter(|(key, _)| keys.contains(*key))))
    }
}

fn is_python_number(token: &str) -> bool {
    matches!(token, "NaN" | "Infinity" | "-Infinity")
}

/// Whether a number keeps within what orders read back, also as PostgreSQL writes it, digit by digit. Every float does.
fn is_ordered(number: &str) -> bool {
    number.len() <= 500 && Number::parse(number).is_some_and(|value| Number::parse(&value.to_string()).is_some())
}

fn opens(token: &str) -> bool {
    matches!(token, "{" | "[")
}

fn closes(token: &str) -> bool {
    matches!(token, "}" | "]")
}

/// The same JSON without white space and without what `jsonb` can't hold. But for Python's numbers the text is valid.
fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    // Of each object and list around: whether it is an object, and whether anything is in it yet.
    let mut around: Vec<(bool, bool)> = Vec::new();
    let mut key = None;
    let mut tokens = Tokens(text).filter(|token| !matches!(token.trim(), "" | "," | ":"));
    while let Some(token) = tokens.next() {
        if closes(token) {
            clean.push_str(token);
            around.pop();
            continue;
        }
        if key.is_none() && around.last().is_some_and(|(object, _)| *object) {
            key = Some(token);
            continue;
        }
        let key = key.take();
        let kept = key.is_none_or(|key| check_string(key).is_ok())
            && match token {
                "{" | "[" => around.len() < MAX_DEPTH,
                text if text.starts_with('"') => check_string(text).is_ok(),
                other => !is_python_number(other),
            };
        if !kept && opens(token) {
            let mut depth = 1_usize;
            while depth > 0 {
                // A valid text closes what it opens.
                let Some(token) = tokens.next() else { break };
                depth = depth + usize::from(opens(token)) - usize::from(closes(token));
            }
        }
        if !kept && key.is_some() {
            continue;
        }
        if let Some((_, any)) = around.last_mut()
            && std::mem::replace(any, true)
        {
            clean.push(',');
        }
        if let Some(key) = key {
            clean.push_str(key);
            clean.push(':');
        }
        let number = token.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        match token {
            _ if !kept => clean.push_str("null"),
            number_text if number && !is_ordered(number_text) => clean.extend(["\"", number_text, "\""]),
            other => clean.push_str(other),
        }
        if kept && opens(token) {
            around.push((token == "{", false));
        }
    }
    clean
}

/// The keys, as they are written, and values of a cleaned object.
fn entries(object: &str) -> Vec<(&str, &str)> {
    let mut entries = Vec::new();
    let (mut at, mut depth, mut start, mut key) = (0, 0_usize, 0, None);
    for token in Tokens(object) {
        if closes(token) {
            depth = depth.saturating_sub(1);
        }
        match token {
            "," if depth == 1 => entries.extend(key.take().map(|key| (key, &object[start..at]))),
            "}" if depth == 0 => entries.extend(key.take().map(|key| (key, &object[start..at]))),
            ":" if depth == 1 => start = at + 1,
            name if depth == 1 && key.is_none() => key = Some(name),
            _ => {}
        }
        if opens(token) {
            depth += 1;
        }
        at += token.len();
    }
    entries
}

/// What stands under a key, which is given as it is written, if it is an object; of equal keys the last one counts.
fn member<'v>(value: &'v str, key: &str) -> Option<&'v str> {
    if !value.starts_with('{') {
        return None;
    }
    entries(value).into_iter().rev().find(|(name, _)| *name == key).map(|(_, value)| value)
}

fn object<'e>(entries: impl Iterator<Item = (&'e str, &'e str)>) -> String {
    let entries: Vec<String> = entries.map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", entries.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::value::Json;
    use proptest::prelude::*;

    fn values(text: &str) -> RunValues {
        RunValues::parse("config", text).unwrap()
    }

    #[test]
    fn rule_47_python_numbers_are_json_here() {
        for text in [r#"{"a":1}"#, r#"{"a":NaN}"#, r#" {"a":[Infinity,-Infinity],"NaN":"\"Infinity"}"#, r#"{"ä":"NaN"}"#] {
            assert_eq!(values(text).as_text(), text);
        }
        for text in ["", "{", r#"{"a":nan}"#, r#"{"a":"#, r#"{"a":NaN"#, "NaNNaN", r#"{"a":"\"#, "{\"a\":\"\0\"}", "{\"a\" 1}"] {
            assert!(matches!(RunValues::parse("config", text), Err(RunValuesError::NotJson(..))), "{text}");
        }
        for text in ["[]", "1", "null", "\"{}\"", "NaN"] {
            assert_eq!(RunValues::parse("summary", text), Err(RunValuesError::NotAnObject("summary")), "{text}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BYTES));
        assert!(RunValues::parse("config", &long).unwrap_err().to_string().contains("4 MiB"));
        assert!(RunValues::parse("config", &format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000))).is_ok());
    }

    #[test]
    fn rule_43_what_jsonb_cannot_hold_is_left_out() {
        for (text, index) in [
            ("{}", "{}"),
            (" { \"a\" : 1 , \"b\" : [ 1 , { } , [ ] ] } ", r#"{"a":1,"b":[1,{},[]]}"#),
            (r#"{"a":NaN,"b":[NaN,-Infinity,1],"c":{"d":Infinity}}"#, r#"{"b":[null,null,1],"c":{}}"#),
            (r#"{"a":"\u0000","b":"\ud800","\u0000":{"x":[1,2]},"c":"\ud83d\ude00"}"#, r#"{"c":"\ud83d\ude00"}"#),
            (r#"{"a":1e500,"b":"}],{","c":true}"#, r#"{"a":"1e500","b":"}],{","c":true}"#),
            (r#"{"a":-0.5,"a":null}"#, r#"{"a":-0.5,"a":null}"#),
        ] {
            assert_eq!(values(text).index_text(), index, "{text}");
        }
        let deep = format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(100), "]".repeat(100));
        let index = values(&deep).index_text();
        assert!(index.ends_with("]],\"b\":1}") && index.contains("[null]") && index.matches('[').count() == 63, "{index}");
    }

    #[test]
    fn values_of_a_configuration_stand_without_what_describes_them() {
        for (text, index) in [
            (r#"{"lr":{"desc":null,"value":0.1},"wd":{"value":null}}"#, r#"{"lr":0.1,"wd":null}"#),
            (r#"{"a":{"value":{"value":1,"x":[1,2]}},"b":{"c":1},"d":5}"#, r#"{"a":{"value":1,"x":[1,2]},"b":{"c":1},"d":5}"#),
            (r#"{"a":{"value":NaN,"desc":null},"b":{"value":"x,}"}}"#, r#"{"a":{"desc":null},"b":"x,}"}"#),
            ("{}", "{}"),
        ] {
            assert_eq!(values(text).config_index_text(), index, "{text}");
        }
    }

    #[test]
    fn what_the_sdk_tells_of_itself() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let config = values(r#"{"a":{"value":1},"_wandb":{"desc":null,"value":{"t":{"1":[1,2]},"cli_version":"0.31.0"}}}"#);
        assert_eq!(config.telemetry(&keys(&["t"])).as_deref(), Some(r#"{"t":{"1":[1,2]}}"#));
        assert_eq!(config.telemetry(&keys(&["t", "cli_version"])).unwrap().len(), 40);
        assert_eq!(config.telemetry(&keys(&["x\""])).as_deref(), Some("{}"));
        for none in ["{}", r#"{"_wandb":1}"#, r#"{"_wandb":{"t":1}}"#] {
            assert_eq!(values(none).telemetry(&keys(&["t"])), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn every_index_is_json(text in "[\\[\\]{}\",:\\\\ua0-9eN.+ é-]{0,40}", list in proptest::collection::vec(any::<String>(), 0..4)) {
            let quoted = serde_json::to_string(&list).unwrap();
            for text in [format!("{{\"a\":{text}}}"), format!("{{\"a\":{quoted},\"b\":[NaN,{quoted}]}}")] {
                if let Ok(values) = RunValues::parse("config", &text) {
                    prop_assert!(Json::parse(&values.index_text()).is_ok(), "{}", values.index_text());
                    prop_assert!(Json::parse(&values.config_index_text()).is_ok(), "{}", values.config_index_text());
                    let _ = values.telemetry(&list);
                }
            }
        }
    }
}
