//! What can be asked of one field, by the field's kind: the leaves of a filter. Each kind offers only the questions
//! that make sense for it, so that whoever compiles a filter has nothing left to refuse. Which fields there are is
//! said by the targets; negation is said by [`Filter`](super::Filter) alone.

use std::collections::BTreeSet;

use super::number::Number;
use super::pattern::{Pattern, Substring};
use super::value::{Json, Scalar};

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// `$lt`
    Less,
    /// `$lte`
    LessOrEqual,
    /// `$gt`
    Greater,
    /// `$gte`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether `left` compares in this way to `right`.
    pub fn holds<V: Ord + ?Sized>(self, left: &V, right: &V) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    /// The comparison that holds exactly when this one doesn't.
    pub fn complement(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }

    /// The sign for it, which is SQL's too.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// Asked of one value that is always there: a number or a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueIs<V> {
    /// It is one of these.
    OneOf(BTreeSet<V>),
    /// It compares to this one.
    Compared(Comparison, V),
}

impl<V: Ord> ValueIs<V> {
    /// Whether it is so for this value.
    pub fn holds(&self, value: &V) -> bool {
        match self {
            Self::OneOf(values) => values.contains(value),
            Self::Compared(comparison, other) => comparison.holds(value, other),
        }
    }
}

/// Asked of one of a few words, which have no order: it is one of these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChoiceIs<V>(pub BTreeSet<V>);

impl<V: Ord> ChoiceIs<V> {
    /// Whether it is so for this word.
    pub fn holds(&self, value: &V) -> bool {
        self.0.contains(value)
    }
}

/// Asked of one text that is always there. Texts compare by code point (rule 42).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextIs {
    /// It is one of these, to the letter.
    OneOf(BTreeSet<String>),
    /// It compares to this one.
    Compared(Comparison, String),
    /// It contains this, ignoring case.
    Containing(Substring),
    /// The pattern is found in it.
    Matching(Pattern),
}

impl TextIs {
    /// Whether it is so for this text.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::OneOf(texts) => texts.contains(text),
            Self::Compared(comparison, other) => comparison.holds(text, other.as_str()),
            Self::Containing(substring) => substring.pattern().is_in(text),
            Self::Matching(pattern) => pattern.is_in(text),
        }
    }
}

/// Asked of one text that may be null.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NullableTextIs {
    /// It is null. The empty text is not (rule 7).
    Null,
    /// It is not null, and so.
    Text(TextIs),
}

impl NullableTextIs {
    /// Whether it is so for this text.
    pub fn holds(&self, text: Option<&str>) -> bool {
        match self {
            Self::Null => text.is_none(),
            Self::Text(question) => text.is_some_and(|text| question.holds(text)),
        }
    }
}

/// Asked of a set of texts: tags, aliases.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LabelsAre {
    /// At least one of them is so.
    Some(TextIs),
    /// They are these and no others.
    Exactly(BTreeSet<String>),
    /// There are so many.
    Count(i64),
}

impl LabelsAre {
    /// Whether it is so for these labels.
    pub fn holds(&self, labels: &BTreeSet<String>) -> bool {
        match self {
            Self::Some(question) => labels.iter().any(|label| question.holds(label)),
            Self::Exactly(others) => labels == others,
            Self::Count(count) => i64::try_from(labels.len()).is_ok_and(|length| length == *count),
        }
    }
}

/// Asked of what stands at one path of the metadata. Nothing but [`JsonIs::Present`] can be so where nothing stands,
/// and a value is compared with values of its own type only (rule 43). If a list stands there, each question but
/// `Present`, `List` and `Length` is asked of its elements, and one yes is enough, as in Mongo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JsonIs {
    /// Something stands there, if only null.
    Present,
    /// It is one of these. Null is a value like others, and not the absence of one (rule 43).
    OneOf(BTreeSet<Scalar>),
    /// It is a number and compares to this one.
    ComparedNumber(Comparison, Number),
    /// It is a text and compares to this one, by code point.
    ComparedText(Comparison, String),
    /// It is a text and contains this, ignoring case.
    Containing(Substring),
    /// It is a text and the pattern is found in it.
    Matching(Pattern),
    /// It is a list of exactly these, in this order.
    List(Vec<Scalar>),
    /// It is a list of so many.
    Length(i64),
}

impl JsonIs {
    /// Whether it is so for what stands there.
    pub fn holds(&self, value: Option<&Json>) -> bool {
        let Some(value) = value else {
            return false;
        };
        match (self, value) {
            (Self::Present, _) => true,
            (Self::List(list), Json::Array(items)) => {
                list.len() == items.len() && list.iter().zip(items).all(|(scalar, item)| item.as_scalar() == Some(scalar))
            }
            (Self::Length(length), Json::Array(items)) => i64::try_from(items.len()).is_ok_and(|items| items == *length),
            (Self::List(_) | Self::Length(_), _) => false,
            (_, Json::Array(items)) => items.iter().filter_map(Json::as_scalar).any(|scalar| self.holds_for(scalar)),
            (_, value) => value.as_scalar().is_some_and(|scalar| self.holds_for(scalar)),
        }
    }

    /// Whether it is so for a value that is no list.
    fn holds_for(&self, value: &Scalar) -> bool {
        match (self, value) {
            (Self::OneOf(values), value) => values.contains(value),
            (Self::ComparedNumber(comparison, other), Scalar::Number(number)) => comparison.holds(number, other),
            (Self::ComparedText(comparison, other), Scalar::Text(text)) => comparison.holds(text, other),
            (Self::Containing(substring), Scalar::Text(text)) => substring.pattern().is_in(text),
            (Self::Matching(pattern), Scalar::Text(text)) => pattern.is_in(text),
            _ => false,
        }
    }
}

/// What the limits and the normal form need to know of a question, whatever its kind.
pub trait Question: Sized {
    /// The answer, if it is the same for every value.
    fn constant(&self) -> Option<bool> {
        None
    }

    /// The question whose answer is always the other one, if there is one without a "not".
    fn complement(&self) -> Option<Self> {
        None
    }

    /// How many values it compares with.
    fn values(&self) -> usize {
        1
    }

    /// The texts that it compares with; those in patterns have limits of their own.
    fn texts(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl<V: Ord + Clone> Question for ValueIs<V> {
    fn constant(&self) -> Option<bool> {
        matches!(self, Self::OneOf(values) if values.is_empty()).then_some(false)
    }

    fn complement(&self) -> Option<Self> {
        match self {
            Self::OneOf(_) => None,
            Self::Compared(comparison, value) => Some(Self::Compared(comparison.complement(), value.clone())),
        }
    }

    fn values(&self) -> usize {
        if let Self::OneOf(values) = self { values.len() } else { 1 }
    }
}

impl<V> Question for ChoiceIs<V> {
    fn constant(&self) -> Option<bool> {
        self.0.is_empty().then_some(false)
    }

    fn values(&self) -> usize {
        self.0.len()
    }
}

impl Question for TextIs {
    fn constant(&self) -> Option<bool> {
        matches!(self, Self::OneOf(texts) if texts.is_empty()).then_some(false)
    }

    fn complement(&self) -> Option<Self> {
        match self {
            Self::Compared(comparison, text) => Some(Self::Compared(comparison.complement(), text.clone())),
            _ => None,
        }
    }

    fn values(&self) -> usize {
        if let Self::OneOf(texts) = self { texts.len() } else { 1 }
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::OneOf(texts) => texts.iter().map(String::as_str).collect(),
            Self::Compared(_, text) => vec![text],
            Self::Containing(_) | Self::Matching(_) => Vec::new(),
        }
    }
}

impl Question for NullableTextIs {
    fn constant(&self) -> Option<bool> {
        match self {
            Self::Null => None,
            Self::Text(question) => question.constant(),
        }
    }

    fn values(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Text(question) => question.values(),
        }
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Null => Vec::new(),
            Self::Text(question) => question.texts(),
        }
    }
}

impl Question for LabelsAre {
    fn constant(&self) -> Option<bool> {
        match self {
            Self::Some(question) => question.constant(),
            Self::Exactly(_) => None,
            Self::Count(count) => (*count < 0).then_some(false),
        }
    }

    fn values(&self) -> usize {
        match self {
            Self::Some(question) => question.values(),
            Self::Exactly(labels) => labels.len(),
            Self::Count(_) => 1,
        }
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Some(question) => question.texts(),
            Self::Exactly(labels) => labels.iter().map(String::as_str).collect(),
            Self::Count(_) => Vec::new(),
        }
    }
}

impl Question for JsonIs {
    fn constant(&self) -> Option<bool> {
        match self {
            Self::OneOf(values) => values.is_empty().then_some(false),
            Self::Length(length) => (*length < 0).then_some(false),
            _ => None,
        }
    }

    fn values(&self) -> usize {
        match self {
            Self::OneOf(values) => values.len(),
            Self::List(values) => values.len(),
            _ => 1,
        }
    }

    fn texts(&self) -> Vec<&str> {
        fn text(scalar: &Scalar) -> Option<&str> {
            if let Scalar::Text(text) = scalar { Some(text) } else { None }
        }
        match self {
            Self::OneOf(values) => values.iter().filter_map(text).collect(),
            Self::List(values) => values.iter().filter_map(text).collect(),
            Self::ComparedText(_, text) => vec![text],
            _ => Vec::new(),
        }
    }
}
