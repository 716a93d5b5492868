//! Orders of lists, and the places in them where cursors stand (rule 42). What rows there are is no question here, nor
//! is the opaque form of a cursor.

mod runs;

use std::cmp::Ordering;
use std::fmt;
use std::hash::Hash;

pub use runs::{Mixed, RunOrder};

use crate::filters::timestamp::Timestamp;
use crate::filters::{CollectionRow, RegistryRow, VersionRow};
use crate::text::quoted;

/// Which way a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first: `+` or no sign.
    Ascending,
    /// Largest first: `-`.
    Descending,
}

/// The order of a list: by a key, then by the row's id, both in the same direction. So it is total, and one row
/// comparison `(key, id) > ($1, $2)`, or `<`, continues it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order<K> {
    /// What rows are ordered by.
    pub key: K,
    /// Which way.
    pub direction: Direction,
}

/// What rows of one kind can be ordered by.
pub trait OrderKey: Clone + Eq + Hash + fmt::Debug + 'static {
    /// A row as far as orders know it.
    type Row;

    /// What the list holds, as errors say it.
    const NAME: &'static str;
    /// The keys that a client can name.
    const WORDS: &'static [(&'static str, Self)];
    /// The order of a list for which none was asked.
    const DEFAULT: Order<Self>;

    /// Keys that have no end, as errors say them: all that begin with something.
    const MORE_WORDS: &'static [&'static str] = &[];

    /// The key of this word.
    fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, key)| key.clone())
    }

    /// The key's word, without a colon; `id` for the order that no client names, which is by the id alone.
    fn word(&self) -> String {
        Self::WORDS.iter().find(|(_, key)| key == self).map_or("id", |(word, _)| *word).to_owned()
    }

    /// The row's value under this key.
    fn value(&self, row: &Self::Row) -> SortValue;

    /// The row's id.
    fn id(row: &Self::Row) -> i64;

    /// What kind of value this key has.
    fn kind(&self) -> SortKind;
}

/// A kind of [`SortValue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortKind {
    /// Nothing but the id.
    Id,
    /// Text, by code point: `collate "C"`.
    Text,
    /// A moment.
    Time,
    /// A whole number.
    Number,
    /// Whatever stands somewhere in JSON.
    Mixed,
}

/// What a row is ordered by, before its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SortValue {
    /// Nothing: the id alone decides.
    Id,
    /// Text, by code point.
    Text(String),
    /// A moment.
    Time(Timestamp),
    /// A whole number.
    Number(i64),
    /// Whatever stands somewhere in JSON.
    Mixed(Mixed),
}

/// What registries are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegistryOrder {
    /// `name`, without the prefix.
    Name,
    /// `created_at`
    CreatedAt,
    /// `updated_at`
    UpdatedAt,
}

/// What collections are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CollectionOrder {
    /// The id alone; no client names it.
    Id,
    /// `name`
    Name,
    /// `created_at`
    CreatedAt,
    /// `updated_at`
    UpdatedAt,
}

/// What versions at their places are ordered by. The id is that of the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionOrder {
    /// The id alone; no client names it.
    Id,
    /// `version_index`: the index in the collection of the place.
    Index,
    /// `created_at` of the version.
    CreatedAt,
    /// `updated_at` of the version.
    UpdatedAt,
}

impl OrderKey for RegistryOrder {
    type Row = RegistryRow;

    const NAME: &'static str = "registries";
    const WORDS: &'static [(&'static str, Self)] =
        &[("name", Self::Name), ("created_at", Self::CreatedAt), ("updated_at", Self::UpdatedAt)];
    /// By name (ours).
    const DEFAULT: Order<Self> = Order { key: Self::Name, direction: Direction::Ascending };

    fn value(&self, row: &RegistryRow) -> SortValue {
        match self {
            Self::Name => SortValue::Text(row.name.clone()),
            Self::CreatedAt => SortValue::Time(row.created_at),
            Self::UpdatedAt => SortValue::Time(row.updated_at),
        }
    }

    fn id(row: &RegistryRow) -> i64 {
        row.id
    }

    fn kind(&self) -> SortKind {
        match self {
            Self::Name => SortKind::Text,
            Self::CreatedAt | Self::UpdatedAt => SortKind::Time,
        }
    }
}

impl OrderKey for CollectionOrder {
    type Row = CollectionRow;

    const NAME: &'static str = "collections";
    const WORDS: &'static [(&'static str, Self)] =
        &[("name", Self::Name), ("created_at", Self::CreatedAt), ("updated_at", Self::UpdatedAt)];
    /// Newest first, by the id, as the SDK documents it.
    const DEFAULT: Order<Self> = Order { key: Self::Id, direction: Direction::Descending };

    fn value(&self, row: &CollectionRow) -> SortValue {
        match self {
            Self::Id => SortValue::Id,
            Self::Name => SortValue::Text(row.name.clone()),
            Self::CreatedAt => SortValue::Time(row.created_at),
            Self::UpdatedAt => SortValue::Time(row.updated_at),
        }
    }

    fn id(row: &CollectionRow) -> i64 {
        row.id
    }

    fn kind(&self) -> SortKind {
        match self {
            Self::Id => SortKind::Id,
            Self::Name => SortKind::Text,
            Self::CreatedAt | Self::UpdatedAt => SortKind::Time,
        }
    }
}

impl OrderKey for VersionOrder {
    type Row = VersionRow;

    const NAME: &'static str = "versions";
    const WORDS: &'static [(&'static str, Self)] =
        &[("version_index", Self::Index), ("created_at", Self::CreatedAt), ("updated_at", Self::UpdatedAt)];
    /// Newest first: in one collection that is by descending index too.
    const DEFAULT: Order<Self> = Order { key: Self::Id, direction: Direction::Descending };

    fn value(&self, row: &VersionRow) -> SortValue {
        match self {
            Self::Id => SortValue::Id,
            Self::Index => SortValue::Number(row.index),
            Self::CreatedAt => SortValue::Time(row.created_at),
            Self::UpdatedAt => SortValue::Time(row.updated_at),
        }
    }

    fn id(row: &VersionRow) -> i64 {
        row.membership_id
    }

    fn kind(&self) -> SortKind {
        match self {
            Self::Id => SortKind::Id,
            Self::Index => SortKind::Number,
            Self::CreatedAt | Self::UpdatedAt => SortKind::Time,
        }
    }
}

/// An order that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given} is no order of {list}. Use {words}, with \"+\" (ascending, the default) or \"-\" (descending) in front.")]
pub struct OrderError {
    given: String,
    list: &'static str,
    words: String,
}

/// A cursor that is none, or none of this list in this order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "The cursor {given} is not one of these {list} in this order. Use the endCursor of a page that was asked for in the same order, \
     or ask for the first page again."
)]
pub struct CursorError {
    given: String,
    list: &'static str,
}

impl<K: OrderKey> Order<K> {
    /// Reads an order as clients send it: a word, with `+` or `-` in front or without a sign (rule 42).
    pub fn parse(text: &str) -> Result<Self, OrderError> {
        let (direction, word) = match text.strip_prefix('-') {
            Some(word) => (Direction::Descending, word),
            None => (Direction::Ascending, text.strip_prefix('+').unwrap_or(text)),
        };
        match K::parse(word) {
            Some(key) => Ok(Self { key, direction }),
            None => {
                let words: Vec<&str> = K::WORDS.iter().map(|(word, _)| *word).chain(K::MORE_WORDS.iter().copied()).collect();
                let words = words.join(", ");
                Err(OrderError { given: quoted(text), list: K::NAME, words })
            }
        }
    }

    /// Which of two rows comes first: the meaning of the order.
    pub fn compare(&self, left: &K::Row, right: &K::Row) -> Ordering {
        let ascending = self.key.value(left).cmp(&self.key.value(right)).then_with(|| K::id(left).cmp(&K::id(right)));
        match self.direction {
            Direction::Ascending => ascending,
            Direction::Descending => ascending.reverse(),
        }
    }

    /// The place of a row, for the cursor behind it.
    pub fn position(&self, row: &K::Row) -> Position {
        Position { value: self.key.value(row), id: K::id(row) }
    }

    /// The cursor of a place in this order, for [`Order::read_cursor`]; the door makes it opaque. It names the list and the order,
    /// and says nothing of the filter, so that it goes on under any filter that means the same (rule 42).
    pub fn cursor(&self, position: &Position) -> String {
        let id = position.id;
        match &position.value {
            SortValue::Id => format!("{self}:{id}:"),
            SortValue::Text(text) => format!("{self}:{id}:{text}"),
            SortValue::Time(time) => format!("{self}:{id}:{}", time.micros()),
            SortValue::Number(number) => format!("{self}:{id}:{number}"),
            SortValue::Mixed(mixed) => format!("{self}:{id}:{mixed}"),
        }
    }

    /// Reads a cursor of this list in this order. Untrusted: it says where to go on and nothing about what may be seen there.
    pub fn read_cursor(&self, text: &str) -> Result<Position, CursorError> {
        self.read(text).ok_or_else(|| CursorError { given: quoted(text), list: K::NAME })
    }

    fn read(&self, text: &str) -> Option<Position> {
        let (order, rest) = text.split_once(':')?;
        let (id, value) = rest.split_once(':')?;
        if order != self.to_string() {
            return None;
        }
        let value = match self.key.kind() {
            SortKind::Id => SortValue::Id,
            SortKind::Text if !value.contains('\0') && value.len() <= MAX_CURSOR_BYTES => SortValue::Text(value.to_owned()),
            SortKind::Text => return None,
            SortKind::Time => SortValue::Time(Timestamp::from_micros(value.parse().ok()?)?),
            SortKind::Number => SortValue::Number(value.parse().ok()?),
            SortKind::Mixed if !value.contains('\0') => SortValue::Mixed(Mixed::read(value)?),
            SortKind::Mixed => return None,
        };
        let position = Position { value, id: id.parse().ok()? };
        // One place has one cursor.
        (self.cursor(&position) == text).then_some(position)
    }
}

/// The list and the order in one word without a colon, such as `registries-name`.
impl<K: OrderKey> fmt::Display for Order<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.direction {
            Direction::Ascending => '+',
            Direction::Descending => '-',
        };
        write!(f, "{}{sign}{}", K::NAME, self.key.word())
    }
}

/// The longest text in a cursor, in bytes: more than any name has.
const MAX_CURSOR_BYTES: usize = 1024;

/// A place in an ordered list: behind the row with this value and this id. It stays good when its row is gone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    /// The row's value under the order's key.
    pub value: SortValue,
    /// The row's id.
    pub id: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rule_42_orders() {
        use Direction::{Ascending, Descending};
        for (text, key, direction) in [
            ("name", RegistryOrder::Name, Ascending),
            ("+name", RegistryOrder::Name, Ascending),
            ("-name", RegistryOrder::Name, Descending),
            ("-created_at", RegistryOrder::CreatedAt, Descending),
            ("+updated_at", RegistryOrder::UpdatedAt, Ascending),
        ] {
            assert_eq!(Order::parse(text), Ok(Order { key, direction }), "{text}");
        }
        assert_eq!(Order::parse("-version_index"), Ok(Order { key: VersionOrder::Index, direction: Descending }));
        assert_eq!(Order::parse("name"), Ok(Order { key: CollectionOrder::Name, direction: Ascending }));
        for text in [
            "",
            "+",
            "-",
            "id",
            "Name",
            "name ",
            " name",
            "+-name",
            "--name",
            "name,created_at",
            "name desc",
            "version_index",
            "\0",
        ] {
            assert!(Order::<RegistryOrder>::parse(text).is_err(), "{text}");
            assert!(Order::<CollectionOrder>::parse(text).is_err(), "{text}");
        }
        assert!(Order::<VersionOrder>::parse("name").is_err());
        assert_eq!(
            Order::<VersionOrder>::parse("-size\n").unwrap_err().to_string(),
            "\"-size\\n\" is no order of versions. Use version_index, created_at, updated_at, with \"+\" (ascending, the \
             default) or \"-\" (descending) in front."
        );
    }

    fn row(name: &str, created: i64, id: i64) -> RegistryRow {
        let time = |micros| Timestamp::from_micros(micros).unwrap();
        RegistryRow {
            id,
            name: name.to_owned(),
            entity_id: 1,
            description: None,
            created_at: time(created),
            updated_at: time(-created),
        }
    }

    #[test]
    fn rule_42_text_goes_by_code_point() {
        let mut names = ["é", "a", "Z", "_", "aa", "😀", "\u{ffff}", "z", "A", "a b", "a-b"];
        names.sort_by(|a, b| {
            Order { key: RegistryOrder::Name, direction: Direction::Ascending }.compare(&row(a, 0, 1), &row(b, 0, 1))
        });
        assert_eq!(names, ["A", "Z", "_", "a", "a b", "a-b", "aa", "z", "é", "\u{ffff}", "😀"]);
    }

    #[test]
    fn rule_42_other_cursors_are_refused() {
        let order = |text| Order::<RegistryOrder>::parse(text).unwrap();
        let row = row("a:b", 5, 7);
        let orders = ["name", "-name", "created_at", "-created_at", "updated_at", "-updated_at"].map(order);
        for one in orders {
            let cursor = one.cursor(&one.position(&row));
            for other in orders {
                assert_eq!(other.read_cursor(&cursor).is_ok(), one == other, "{cursor} under {other}");
            }
        }
        let cursors = orders.map(|order| order.cursor(&order.position(&row)));
        assert_eq!((cursors[0].as_str(), cursors[3].as_str()), ("registries+name:7:a:b", "registries-created_at:7:5"));
        assert!(Order::<CollectionOrder>::parse("name").unwrap().read_cursor(&cursors[0]).is_err());
        let ids = CollectionOrder::DEFAULT;
        assert_eq!(ids.read_cursor("collections-id:9:"), Ok(Position { value: SortValue::Id, id: 9 }));
        for text in ["", "-", "-:", "-:9", "-:9:x", "-:09:", "-:+9:", "-: 9:", "-:9223372036854775808:", "-::", ":9:"] {
            let text = text.replacen('-', "collections-id", 1);
            assert!(ids.read_cursor(&text).is_err(), "{text}");
        }
        assert!(ids.read_cursor("collections+id:9:").is_err());
        for text in ["1:", "1:x", "1:05", "1:9223372036854775807", "1:1.5"] {
            assert!(order("created_at").read_cursor(&format!("registries+created_at:{text}")).is_err(), "{text}");
        }
        assert!(order("name").read_cursor("registries+name:1:a\0").is_err());
        assert!(order("name").read_cursor(&format!("registries+name:1:{}", "x".repeat(1025))).is_err());
        // What was handed out before cursors named their order.
        for (old, order) in [("s:7:a:b", order("name")), ("t:7:5", order("created_at")), ("t:7:5", order("-updated_at"))] {
            let error = order.read_cursor(old).unwrap_err().to_string();
            assert!(error.contains(old) && error.contains("registries") && error.contains("first page again"), "{error}");
        }
        assert!(ids.read_cursor("i:9:").is_err());
        let error = ids.read_cursor("x\n").unwrap_err().to_string();
        assert!(error.contains("\"x\\n\"") && error.contains("collections"), "{error}");
    }

    proptest! {
        #[test]
        fn rule_42_orders_are_total_and_cursors_return(
            names in proptest::collection::vec(("[ab:é]{0,2}", -2..2i64), 0..8),
            word in proptest::sample::select(vec!["+name", "-name", "created_at", "-updated_at"]),
        ) {
            let order = Order::<RegistryOrder>::parse(word).unwrap();
            let mut rows: Vec<RegistryRow> = names.iter().zip(0..).map(|((name, time), id)| row(name, *time, id)).collect();
            rows.sort_by(|a, b| order.compare(a, b));
            for pair in rows.windows(2) {
                prop_assert_eq!(order.compare(&pair[0], &pair[1]), Ordering::Less);
                // What SQL's row comparison sees.
                let (left, right) = (order.position(&pair[0]), order.position(&pair[1]));
                let ascending = (&left.value, left.id) < (&right.value, right.id);
                prop_assert_eq!(ascending, order.direction == Direction::Ascending);
            }
            for row in &rows {
                let position = order.position(row);
                prop_assert_eq!(order.read_cursor(&order.cursor(&position)), Ok(position));
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>(), near in "(versions|registries)[-+](id|name):[-+0-9]{0,3}:.{0,5}") {
            for text in [text, near] {
                let _ = Order::<VersionOrder>::parse(&text);
                let _ = VersionOrder::DEFAULT.read_cursor(&text);
                let _ = RegistryOrder::DEFAULT.read_cursor(&text);
            }
        }
    }
}
