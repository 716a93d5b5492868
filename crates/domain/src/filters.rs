//! Filters: which registries, collections, versions or runs a list holds (rule 43).
//!
//! Here is the tree that every door builds and the store compiles: [`Filter`] over the questions of one target
//! ([`RegistryTest`], [`CollectionTest`], [`VersionTest`], [`RunTest`]). Doors with filters as JSON read them by [`Filter::parse`];
//! doors with typed inputs build the tree by [`Filter::all`], [`Filter::any`], [`Filter::not`] and [`Filter::test`] and
//! pass it through [`Filter::checked`]. What must not live here: SQL, and what the caller may see. A filter only ever
//! chooses among rows that the caller sees anyway.
//!
//! The meaning of the language is [`Filter::matches`]; whatever compiles a filter is tested against it. There are two
//! answers only, yes and no: a question about something absent is answered no, and "not" turns that into yes, as in
//! Mongo. So `$ne`, `$nin` and `$not` find the versions whose metadata lacks the key.
//!
//! A cursor never carries the filter (rule 42), so nothing depends on two equivalent filters being equal. The
//! constructors still keep a normal form, in which many are: it makes fewer different SQL statements.

mod collections;
mod error;
mod leaf;
pub mod number;
pub mod pattern;
mod read;
mod registries;
mod runs;
pub mod timestamp;
pub mod value;
mod versions;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;

pub use collections::{CollectionRow, CollectionTest};
pub use error::FilterError;
pub use leaf::{ChoiceIs, Comparison, JsonIs, LabelsAre, NullableTextIs, Question, TextIs, ValueIs};
pub use read::{Asked, Operator};
pub use registries::{RegistryRow, RegistryTest};
pub use runs::{RunRow, RunState, RunTest, config_path};
pub use versions::{MetadataPath, VersionRow, VersionState, VersionTest};

/// The longest filter text, in bytes.
pub const MAX_BYTES: usize = 1 << 16;
/// The deepest nesting of a filter, in its JSON and in its tree.
pub const MAX_DEPTH: usize = 32;
/// The most conditions in one filter.
pub const MAX_CONDITIONS: usize = 200;
/// The most values that one condition compares with.
pub const MAX_VALUES: usize = 1000;
/// The longest text that a condition compares with, in characters.
pub const MAX_TEXT_CHARS: usize = 4096;

/// What is asked of one field of one kind of row.
pub trait Target: Question + Clone + Debug + Ord + Hash {
    /// A row as far as questions know it.
    type Row;

    /// What the filter chooses from, as errors say it.
    const NAME: &'static str;

    /// The field's name in JSON.
    fn field(&self) -> String;

    /// Whether it is so for this row.
    fn holds(&self, row: &Self::Row) -> bool;

    /// Reads one operator of one field in JSON.
    fn read(asked: &Asked<'_>) -> Result<Filter<Self>, FilterError>;
}

/// Which rows are wanted.
///
/// The constructors keep the normal form that [`Filter::normal`] makes: no "not" but at a question, and none where the
/// opposite question exists; no "all" directly in an "all", no "any" in an "any", none with one part; the parts in
/// ascending order, each once; no constants within.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filter<T> {
    /// Those that every part wants; without parts: every row.
    All(Vec<Filter<T>>),
    /// Those that some part wants; without parts: none.
    Any(Vec<Filter<T>>),
    /// Those for which it is so.
    Is(T),
    /// Those for which it is not so, the field's absence included.
    IsNot(T),
}

impl<T> Filter<T> {
    /// Every row.
    pub fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// No row.
    pub fn nothing() -> Self {
        Self::Any(Vec::new())
    }

    /// Whether nothing is filtered out.
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }

    /// Whether nothing is left, so that the database needn't be asked.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Any(parts) if parts.is_empty())
    }
}

impl<T: Question + Clone + Ord> Filter<T> {
    /// The rows for which it is so.
    pub fn test(question: T) -> Self {
        match question.constant() {
            Some(true) => Self::everything(),
            Some(false) => Self::nothing(),
            None => Self::Is(question),
        }
    }

    /// The rows that every part wants: `$and`.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut set = BTreeSet::new();
        for part in parts {
            match part {
                Self::All(inner) => set.extend(inner),
                other => {
                    set.insert(other);
                }
            }
        }
        if set.iter().any(|part| part.is_nothing() || is_opposed(part, &set)) {
            return Self::nothing();
        }
        one_or(set, Self::All)
    }

    /// The rows that some part wants: `$or`.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut set = BTreeSet::new();
        for part in parts {
            match part {
                Self::Any(inner) => set.extend(inner),
                other => {
                    set.insert(other);
                }
            }
        }
        if set.iter().any(|part| part.is_everything() || is_opposed(part, &set)) {
            return Self::everything();
        }
        one_or(set, Self::Any)
    }

    /// The rows that the filter doesn't want: `$not`. `$nor` is this of [`Filter::any`].
    #[expect(clippy::should_implement_trait, reason = "a constructor beside `all` and `any`")]
    pub fn not(filter: Self) -> Self {
        match filter {
            Self::All(parts) => Self::any(parts.into_iter().map(Self::not)),
            Self::Any(parts) => Self::all(parts.into_iter().map(Self::not)),
            Self::Is(question) => match (question.constant(), question.complement()) {
                (Some(true), _) => Self::nothing(),
                (Some(false), _) => Self::everything(),
                (None, Some(complement)) => Self::test(complement),
                (None, None) => Self::IsNot(question),
            },
            Self::IsNot(question) => Self::test(question),
        }
    }

    /// The same filter in normal form. What the constructors made is in it already.
    pub fn normal(self) -> Self {
        match self {
            Self::All(parts) => Self::all(parts.into_iter().map(Self::normal)),
            Self::Any(parts) => Self::any(parts.into_iter().map(Self::normal)),
            Self::Is(question) => Self::test(question),
            Self::IsNot(question) => Self::not(Self::Is(question)),
        }
    }

    /// The same filter over other questions.
    pub(crate) fn map<U: Question + Clone + Ord>(self, to: &impl Fn(T) -> U) -> Filter<U> {
        match self {
            Self::All(parts) => Filter::all(parts.into_iter().map(|part| part.map(to))),
            Self::Any(parts) => Filter::any(parts.into_iter().map(|part| part.map(to))),
            Self::Is(question) => Filter::test(to(question)),
            Self::IsNot(question) => Filter::not(Filter::test(to(question))),
        }
    }
}

/// Whether a part of a set is a question whose opposite is in the set too.
fn is_opposed<T: Question + Clone + Ord>(part: &Filter<T>, set: &BTreeSet<Filter<T>>) -> bool {
    matches!(part, Filter::Is(_) | Filter::IsNot(_)) && set.contains(&Filter::not(part.clone()))
}

fn one_or<T>(set: BTreeSet<Filter<T>>, many: fn(Vec<Filter<T>>) -> Filter<T>) -> Filter<T> {
    let mut parts: Vec<_> = set.into_iter().collect();
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            many(parts)
        }
    }
}

impl<T: Target> Filter<T> {
    /// Whether the row is wanted: the meaning of the language. Not for large texts; see
    /// [`Pattern::is_in`](pattern::Pattern::is_in).
    pub fn matches(&self, row: &T::Row) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(row)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(row)),
            Self::Is(question) => question.holds(row),
            Self::IsNot(question) => !question.holds(row),
        }
    }

    /// The filter, if it keeps the limits of this module; [`Filter::parse`] has checked them.
    pub fn checked(self) -> Result<Self, FilterError> {
        let conditions = self.check(MAX_DEPTH)?;
        if conditions > MAX_CONDITIONS {
            return Err(FilterError::TooManyConditions { target: T::NAME, conditions });
        }
        match self.bytes() {
            bytes if bytes > MAX_BYTES => Err(FilterError::TooLong { target: T::NAME, bytes }),
            _ => Ok(self),
        }
    }

    /// Length of all the texts that are compared with.
    fn bytes(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::bytes).sum(),
            Self::Is(question) | Self::IsNot(question) => question.texts().iter().map(|text| text.len()).sum(),
        }
    }

    /// Checks all but the number of conditions and counts them.
    fn check(&self, depth: usize) -> Result<usize, FilterError> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                let Some(depth) = depth.checked_sub(1) else {
                    return Err(FilterError::TooDeep { target: T::NAME });
                };
                parts.iter().map(|part| part.check(depth)).sum()
            }
            Self::Is(question) | Self::IsNot(question) => {
                let values = question.values();
                if values > MAX_VALUES {
                    return Err(FilterError::TooManyValues { target: T::NAME, field: question.field(), values });
                }
                let problem = |text: &&str| {
                    if text.contains('\0') {
                        Some("contains a NUL character; remove it")
                    } else if text.chars().take(MAX_TEXT_CHARS + 1).count() > MAX_TEXT_CHARS {
                        Some("is longer than 4,096 characters; use $contains or $regex with a part of it")
                    } else {
                        None
                    }
                };
                match question.texts().iter().find_map(problem) {
                    Some(problem) => Err(FilterError::Text { target: T::NAME, field: question.field(), problem }),
                    None => Ok(1),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
