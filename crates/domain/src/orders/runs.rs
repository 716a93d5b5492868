//! Orders of runs: by what every run has, and by any value of its configuration or summary.

use std::fmt;

use super::{Direction, Order, OrderKey, SortKind, SortValue};
use crate::filters::number::Number;
use crate::filters::value::{Json, Scalar};
use crate::filters::{MetadataPath, RunRow, config_path};

/// What runs are ordered by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RunOrder {
    /// `created_at`
    CreatedAt,
    /// `heartbeat_at`
    HeartbeatAt,
    /// `name`: the client's id.
    Name,
    /// `display_name`
    DisplayName,
    /// `config.` and a path.
    Config(MetadataPath),
    /// `summary_metrics.` and a path.
    Summary(MetadataPath),
}

/// A value of any type, as far as it has an order: what is neither number nor text comes first, then numbers, then texts by
/// code point, as in Mongo. Of a text its first [`Mixed::CHARS`] characters count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mixed {
    /// Nothing, null, a boolean, a list or an object.
    Nothing,
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
}

impl Mixed {
    /// How many characters of a text count.
    pub const CHARS: usize = 200;

    /// The order's view of what stands somewhere.
    pub fn of(value: Option<&Json>) -> Self {
        match value.and_then(Json::as_scalar) {
            Some(Scalar::Number(number)) => Self::Number(number.clone()),
            Some(Scalar::Text(text)) => Self::Text(text.chars().take(Self::CHARS).collect()),
            _ => Self::Nothing,
        }
    }

    /// Reads what [`Display`](fmt::Display) wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text.split_at_checked(1)? {
            ("-", "") => Some(Self::Nothing),
            ("n", number) => Number::parse(number).map(Self::Number),
            ("t", text) if text.chars().take(Self::CHARS + 1).count() <= Self::CHARS => Some(Self::Text(text.to_owned())),
            _ => None,
        }
    }
}

/// As a cursor holds it.
impl fmt::Display for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("-"),
            Self::Number(number) => write!(f, "n{number}"),
            Self::Text(text) => write!(f, "t{text}"),
        }
    }
}

impl OrderKey for RunOrder {
    type Row = RunRow;

    const NAME: &'static str = "runs";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("created_at", Self::CreatedAt),
        ("heartbeat_at", Self::HeartbeatAt),
        ("name", Self::Name),
        ("display_name", Self::DisplayName),
    ];
    const MORE_WORDS: &'static [&'static str] = &["config.<key>", "summary_metrics.<key>"];
    /// Oldest first, as the SDK asks.
    const DEFAULT: Order<Self> = Order { key: Self::CreatedAt, direction: Direction::Ascending };

    fn parse(word: &str) -> Option<Self> {
        if let Some(dotted) = word.strip_prefix("config.") {
            return config_path(dotted).map(Self::Config);
        }
        if let Some(dotted) = word.strip_prefix("summary_metrics.") {
            return MetadataPath::parse(dotted).map(Self::Summary);
        }
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, key)| key.clone())
    }

    fn word(&self) -> String {
        // Keys may have colons, a cursor's word may not.
        let path = |path: &MetadataPath| path.keys().join(".").replace('%', "%25").replace(':', "%3A");
        match self {
            Self::CreatedAt => "created_at".to_owned(),
            Self::HeartbeatAt => "heartbeat_at".to_owned(),
            Self::Name => "name".to_owned(),
            Self::DisplayName => "display_name".to_owned(),
            Self::Config(keys) => format!("config.{}", path(keys)),
            Self::Summary(keys) => format!("summary_metrics.{}", path(keys)),
        }
    }

    fn value(&self, row: &RunRow) -> SortValue {
        match self {
            Self::CreatedAt => SortValue::Time(row.created_at),
            Self::HeartbeatAt => SortValue::Time(row.heartbeat_at),
            Self::Name => SortValue::Text(row.name.clone()),
            Self::DisplayName => SortValue::Text(row.display_name.clone()),
            Self::Config(path) => SortValue::Mixed(Mixed::of(row.config.at(path.keys()))),
            Self::Summary(path) => SortValue::Mixed(Mixed::of(row.summary.at(path.keys()))),
        }
    }

    fn id(row: &RunRow) -> i64 {
        row.id
    }

    fn kind(&self) -> SortKind {
        match self {
            Self::CreatedAt | Self::HeartbeatAt => SortKind::Time,
            Self::Name | Self::DisplayName => SortKind::Text,
            Self::Config(_) | Self::Summary(_) => SortKind::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::Position;

    fn order(text: &str) -> Order<RunOrder> {
        Order::parse(text).unwrap()
    }

    #[test]
    fn rule_42_orders_of_runs() {
        for (text, word) in [
            ("+created_at", "runs+created_at"),
            ("-heartbeat_at", "runs-heartbeat_at"),
            ("name", "runs+name"),
            ("-summary_metrics.loss", "runs-summary_metrics.loss"),
            ("summary_metrics.val.loss", "runs+summary_metrics.val.loss"),
            ("config.lr", "runs+config.lr"),
            ("+config.lr.value", "runs+config.lr"),
            ("config.optimizer.value.lr", "runs+config.optimizer.lr"),
            ("summary_metrics.a:b%", "runs+summary_metrics.a%3Ab%25"),
        ] {
            assert_eq!(order(text).to_string(), word, "{text}");
        }
        for text in ["", "loss", "config", "config.", "summary_metrics.", "summary_metrics.a..b", "updated_at"] {
            let error = Order::<RunOrder>::parse(text).unwrap_err().to_string();
            assert!(error.contains("runs") && error.contains("created_at") && error.contains("summary_metrics.<key>"), "{error}");
        }
    }

    #[test]
    fn values_of_any_type_have_one_order() {
        let value = |text: &str| Mixed::of(Some(&Json::parse(text).unwrap()));
        let sorted = ["null", "-2", "-1.5", "0", "1", "1e3", "\"\"", "\"1\"", "\"A\"", "\"a\"", "\"é\""].map(value);
        assert!(sorted.is_sorted());
        for nothing in ["true", "[1]", "{\"a\":1}"] {
            assert_eq!(value(nothing), Mixed::Nothing);
        }
        assert_eq!(Mixed::of(None), Mixed::Nothing);
        assert_eq!(value(&format!("\"{}\"", "é".repeat(300))), Mixed::Text("é".repeat(200)));
    }

    #[test]
    fn rule_42_cursors_of_values_return() {
        let order = order("-summary_metrics.loss");
        for value in [Mixed::Nothing, Mixed::Number(Number::parse("-1.5e-3").unwrap()), Mixed::Text("a:b\n".to_owned())] {
            let position = Position { value: SortValue::Mixed(value), id: 7 };
            assert_eq!(order.read_cursor(&order.cursor(&position)), Ok(position));
        }
        for text in ["", "-x", "n", "nNaN", "n1.0", "x1", "1", "t\0", &format!("t{}", "x".repeat(201)), "é"] {
            assert!(order.read_cursor(&format!("runs-summary_metrics.loss:7:{text}")).is_err(), "{text}");
        }
        assert!(order.read_cursor("runs-summary_metrics.acc:7:-").is_err());
    }
}
