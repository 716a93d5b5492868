//! Filters as JSON, in the words that the SDK sends: the grammar, and the operators that each kind of field has. Which
//! fields there are is said by the targets.
//!
//! The grammar: an object's keys are joined by "and". A key is `$and`, `$or` or `$nor` with a list of such objects,
//! `$not` with one, or a field. A field has a value, which means `$eq`, or an object of operators joined by "and",
//! where `$not` has such an object again.

use std::collections::BTreeSet;

use super::leaf::{ChoiceIs, Comparison, JsonIs, LabelsAre, NullableTextIs, Question, TextIs, ValueIs};
use super::number::Number;
use super::pattern::{Pattern, PatternError, Substring};
use super::timestamp::Timestamp;
use super::value::{Json, JsonError, Scalar};
use super::{Filter, FilterError, MAX_BYTES, MAX_DEPTH, Target};
use crate::ids::decode_id;
use crate::json::{self, Fault};
use crate::text::quoted;

/// What is asked of a field in JSON. `$not` is not among them: it takes operators, not a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `$eq`, or a value without an operator.
    Equal,
    /// `$ne`
    NotEqual,
    /// `$gt`, `$gte`, `$lt`, `$lte`
    Compared(Comparison),
    /// `$in`
    In,
    /// `$nin`
    NotIn,
    /// `$contains`
    Contains,
    /// `$regex`
    Regex,
    /// `$exists`
    Exists,
    /// `$all`
    All,
    /// `$size`
    Size,
}

impl Operator {
    /// Every operator, in the order in which errors list them.
    const ALL: &[Self] = &[
        Self::Equal,
        Self::NotEqual,
        Self::In,
        Self::NotIn,
        Self::Exists,
        Self::Compared(Comparison::Greater),
        Self::Compared(Comparison::GreaterOrEqual),
        Self::Compared(Comparison::Less),
        Self::Compared(Comparison::LessOrEqual),
        Self::Contains,
        Self::Regex,
        Self::All,
        Self::Size,
    ];
    /// How many of them one of a few words has, a single value, a single text: from the start of the list.
    const OF_CHOICES: usize = 5;
    const OF_VALUES: usize = 9;
    const OF_TEXTS: usize = 11;

    /// Its name in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Equal => "$eq",
            Self::NotEqual => "$ne",
            Self::Compared(Comparison::Greater) => "$gt",
            Self::Compared(Comparison::GreaterOrEqual) => "$gte",
            Self::Compared(Comparison::Less) => "$lt",
            Self::Compared(Comparison::LessOrEqual) => "$lte",
            Self::In => "$in",
            Self::NotIn => "$nin",
            Self::Contains => "$contains",
            Self::Regex => "$regex",
            Self::Exists => "$exists",
            Self::All => "$all",
            Self::Size => "$size",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operator| operator.word() == word)
    }
}

/// `a, b or c`
fn or(words: impl IntoIterator<Item = &'static str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}

impl<T: Target> Filter<T> {
    /// Reads a filter as the SDK sends it. `{}` and `null` are every row. What is accepted is within the limits of
    /// [`Filter::checked`] and in normal form.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_BYTES {
            return Err(FilterError::TooLong { target: T::NAME, bytes: text.len() });
        }
        let not_json = |problem| FilterError::NotJson { target: T::NAME, problem };
        json::check(text, MAX_DEPTH).map_err(|fault| match fault {
            Fault::TooDeep => FilterError::TooDeep { target: T::NAME },
            other => not_json(other.to_string()),
        })?;
        let filter = match Json::parse(text) {
            Ok(Json::Object(entries)) => object::<T>(&entries)?,
            Ok(Json::Scalar(Scalar::Null)) => Self::everything(),
            Ok(other) => return Err(not_json(format!("is {}", other.kind()))),
            Err(JsonError::Grammar(problem)) => return Err(not_json(format!("is not valid JSON: {problem}"))),
            Err(JsonError::Number(number)) => {
                return Err(not_json(format!("holds the number {}, which is too large or too long", quoted(&number))));
            }
        };
        filter.checked()
    }
}

/// An object of conditions. The depth of the text has been limited.
fn object<T: Target>(entries: &[(String, Json)]) -> Result<Filter<T>, FilterError> {
    let mut parts = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        parts.push(match key.as_str() {
            "$and" => Filter::all(list::<T>(key, value)?),
            "$or" => Filter::any(list::<T>(key, value)?),
            "$nor" => Filter::not(Filter::any(list::<T>(key, value)?)),
            "$not" => Filter::not(conditions::<T>(key, value)?),
            operator if operator.starts_with('$') => {
                return Err(FilterError::UnknownOperator {
                    target: T::NAME,
                    given: quoted(operator),
                    place: "beside its fields".to_owned(),
                    operators:
                        "$and, $or, $nor or $not there, and the others inside a field, as in {\"name\": {\"$regex\": \"a\"}}"
                            .to_owned(),
                });
            }
            field => of_field::<T>(field, value)?,
        });
    }
    Ok(Filter::all(parts))
}

fn list<T: Target>(operator: &str, value: &Json) -> Result<Vec<Filter<T>>, FilterError> {
    match value {
        Json::Array(items) => items.iter().map(|item| conditions(&format!("an element of {operator}"), item)).collect(),
        other => Err(FilterError::Shape {
            target: T::NAME,
            place: operator.to_owned(),
            given: other.kind(),
            advice: "It takes a list of objects, as in [{\"name\": \"a\"}, {\"name\": \"b\"}]",
        }),
    }
}

fn conditions<T: Target>(place: &str, value: &Json) -> Result<Filter<T>, FilterError> {
    match value {
        Json::Object(entries) => object(entries),
        other => Err(FilterError::Shape {
            target: T::NAME,
            place: place.to_owned(),
            given: other.kind(),
            advice: "It takes an object, as in {\"name\": \"a\"}",
        }),
    }
}

/// The value of a field: a value to be equal to, or an object of operators.
fn of_field<T: Target>(field: &str, value: &Json) -> Result<Filter<T>, FilterError> {
    let asked = |operator, operand| Asked { target: T::NAME, field, operator, operand };
    let Json::Object(entries) = value else {
        return T::read(&asked(Operator::Equal, value));
    };
    if entries.is_empty() {
        return Err(FilterError::Shape {
            target: T::NAME,
            place: quoted(field),
            given: "an empty object",
            advice: "It takes a value, or operators as in {\"$ne\": \"a\"}",
        });
    }
    let mut parts = Vec::with_capacity(entries.len());
    for (key, operand) in entries {
        parts.push(match (key.as_str(), Operator::parse(key)) {
            ("$not", _) if matches!(operand, Json::Object(_)) => Filter::not(of_field::<T>(field, operand)?),
            ("$not", _) => {
                return Err(FilterError::Shape {
                    target: T::NAME,
                    place: format!("$not of {}", quoted(field)),
                    given: operand.kind(),
                    advice: "It takes operators, as in {\"$not\": {\"$regex\": \"a\"}}; for a value use $ne",
                });
            }
            (_, Some(operator)) => T::read(&asked(operator, operand))?,
            (other, None) => {
                return Err(FilterError::UnknownOperator {
                    target: T::NAME,
                    given: quoted(other),
                    place: format!("for the field {}", quoted(field)),
                    operators: or(Operator::ALL.iter().copied().map(Operator::word).chain(["$not"])),
                });
            }
        });
    }
    Ok(Filter::all(parts))
}

/// One operator of one field, on its way from JSON to a question. Targets choose the reader for their field's kind.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    target: &'static str,
    field: &'a str,
    operator: Operator,
    operand: &'a Json,
}

impl<'a> Asked<'a> {
    /// The field as the filter names it.
    pub fn field(&self) -> &'a str {
        self.field
    }

    /// The operator.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// No field of this name.
    pub(crate) fn unknown_field(&self, fields: &[&'static str]) -> FilterError {
        FilterError::UnknownField { target: self.target, given: quoted(self.field), fields: or(fields.iter().copied()) }
    }

    /// A whole number, or where `kinds` are given a public id of one of them.
    pub(crate) fn number(&self, kinds: &'static [&'static str]) -> Result<Filter<ValueIs<i64>>, FilterError> {
        let takes = if kinds.is_empty() { "a whole number" } else { "the number of a row, or its id" };
        self.value("a number", takes, |operand| match operand {
            Json::Scalar(Scalar::Number(number)) => number.as_i64(),
            Json::Scalar(Scalar::Text(id)) if !kinds.is_empty() => decode_id(kinds, id).ok(),
            _ => None,
        })
    }

    /// A moment.
    pub(crate) fn time(&self) -> Result<Filter<ValueIs<Timestamp>>, FilterError> {
        let takes = "a date in UTC as a text, as in \"2026-01-31\" or \"2026-01-31 12:00:00\"";
        self.value("a date", takes, |operand| match operand {
            Json::Scalar(Scalar::Text(text)) => Timestamp::parse(text),
            _ => None,
        })
    }

    /// A single value that is always there and is written in a way of its own.
    pub(crate) fn value<V: Ord + Clone>(
        &self,
        kind: &'static str,
        takes: &'static str,
        read: impl Fn(&Json) -> Option<V>,
    ) -> Result<Filter<ValueIs<V>>, FilterError> {
        let one = |operand: &Json| read(operand).ok_or_else(|| self.operand(operand, takes));
        let some = || self.items()?.iter().map(one).collect::<Result<BTreeSet<V>, _>>();
        Ok(match self.operator {
            Operator::Equal => Filter::test(ValueIs::OneOf([one(self.single()?)?].into())),
            Operator::NotEqual => Filter::not(Filter::test(ValueIs::OneOf([one(self.single()?)?].into()))),
            Operator::In => Filter::test(ValueIs::OneOf(some()?)),
            Operator::NotIn => Filter::not(Filter::test(ValueIs::OneOf(some()?))),
            Operator::Compared(comparison) => Filter::test(ValueIs::Compared(comparison, one(self.operand)?)),
            Operator::Exists => self.always_there()?,
            Operator::Contains | Operator::Regex | Operator::All | Operator::Size => {
                return Err(self.not_for(kind, Operator::OF_VALUES));
            }
        })
    }

    /// One of a few words, which have no order.
    pub(crate) fn choice<V: Ord + Clone>(
        &self,
        kind: &'static str,
        takes: &'static str,
        read: impl Fn(&str) -> Option<V>,
    ) -> Result<Filter<ChoiceIs<V>>, FilterError> {
        let one = |operand: &Json| match operand {
            Json::Scalar(Scalar::Text(word)) => read(word).ok_or_else(|| self.operand(operand, takes)),
            other => Err(self.operand(other, takes)),
        };
        let some = || self.items()?.iter().map(one).collect::<Result<BTreeSet<V>, _>>();
        let is = |words| Filter::test(ChoiceIs(words));
        Ok(match self.operator {
            Operator::Equal => is([one(self.single()?)?].into()),
            Operator::NotEqual => Filter::not(is([one(self.single()?)?].into())),
            Operator::In => is(some()?),
            Operator::NotIn => Filter::not(is(some()?)),
            Operator::Exists => self.always_there()?,
            _ => return Err(self.not_for(kind, Operator::OF_CHOICES)),
        })
    }

    /// A text that is always there. `read` turns an operand's text into the text to compare with.
    pub(crate) fn text(&self, read: impl Fn(&str) -> String) -> Result<Filter<TextIs>, FilterError> {
        Ok(match self.operator {
            Operator::Exists => self.always_there()?,
            Operator::All | Operator::Size => return Err(self.not_for("a text", Operator::OF_TEXTS)),
            _ => self.text_questions(read)?,
        })
    }

    /// A text that may be null; `$exists` asks whether it isn't.
    pub(crate) fn nullable_text(&self) -> Result<Filter<NullableTextIs>, FilterError> {
        let null = |operand: &&Json| matches!(operand, Json::Scalar(Scalar::Null));
        let rest: Json;
        let mut asked = *self;
        let mut with_null = false;
        match self.operator {
            Operator::Equal | Operator::NotEqual if null(&self.operand) => {
                let is_null = Filter::test(NullableTextIs::Null);
                return Ok(if self.operator == Operator::Equal { is_null } else { Filter::not(is_null) });
            }
            Operator::In | Operator::NotIn => {
                let items = self.items()?;
                with_null = items.iter().any(|item| null(&item));
                rest = Json::Array(items.iter().filter(|item| !null(item)).cloned().collect());
                asked.operand = &rest;
            }
            Operator::Exists => {
                let is_null = Filter::test(NullableTextIs::Null);
                return Ok(if self.truth()? { Filter::not(is_null) } else { is_null });
            }
            Operator::All | Operator::Size => return Err(self.not_for("a text", Operator::OF_TEXTS)),
            _ => {}
        }
        // "Not" belongs around the null too, so it is asked for without.
        let negated = matches!(self.operator, Operator::NotEqual | Operator::NotIn);
        asked.operator = match self.operator {
            Operator::NotEqual => Operator::Equal,
            Operator::NotIn => Operator::In,
            other => other,
        };
        let is = asked.text_questions(str::to_owned)?.map(&NullableTextIs::Text);
        let is = if with_null { Filter::any([is, Filter::test(NullableTextIs::Null)]) } else { is };
        Ok(if negated { Filter::not(is) } else { is })
    }

    /// A set of texts. An operator of one text asks whether one of them is so; `$ne` and `$nin` whether none is; a list
    /// after `$eq` is the whole set, in any order.
    pub(crate) fn labels(&self) -> Result<Filter<LabelsAre>, FilterError> {
        let exactly = |items: &[Json]| -> Result<_, FilterError> {
            let labels = items.iter().map(|item| self.one_text(item)).collect::<Result<_, _>>()?;
            Ok(Filter::test(LabelsAre::Exactly(labels)))
        };
        Ok(match (self.operator, self.operand) {
            (Operator::Equal, Json::Array(items)) => exactly(items)?,
            (Operator::NotEqual, Json::Array(items)) => Filter::not(exactly(items)?),
            (Operator::All, _) => {
                let labels = self.items()?.iter().map(|item| self.one_text(item)).collect::<Result<Vec<_>, _>>()?;
                every(labels.into_iter().map(|label| LabelsAre::Some(TextIs::OneOf([label].into()))))
            }
            (Operator::Size, _) => Filter::test(LabelsAre::Count(self.count()?)),
            (Operator::Exists, _) => {
                let none = Filter::test(LabelsAre::Count(0));
                if self.truth()? { Filter::not(none) } else { none }
            }
            // "None is so" is not "one is otherwise": "not" goes around the "some".
            (Operator::NotEqual, _) => Filter::not(Asked { operator: Operator::Equal, ..*self }.labels()?),
            (Operator::NotIn, _) => Filter::not(Asked { operator: Operator::In, ..*self }.labels()?),
            _ => self.text_questions(str::to_owned)?.map(&LabelsAre::Some),
        })
    }

    /// Whatever stands at a path in JSON.
    pub(crate) fn json(&self) -> Result<Filter<JsonIs>, FilterError> {
        const SCALAR: &str = "a text, number, boolean or null";
        let scalar = |operand: &Json| operand.as_scalar().cloned().ok_or_else(|| self.operand(operand, SCALAR));
        let scalars = |items: &[Json]| items.iter().map(scalar).collect::<Result<Vec<_>, _>>();
        let equal = || -> Result<_, FilterError> {
            Ok(Filter::test(match self.operand {
                Json::Array(items) => JsonIs::List(scalars(items)?),
                operand => JsonIs::OneOf([scalar(operand)?].into()),
            }))
        };
        let one_of =
            || -> Result<_, FilterError> { Ok(Filter::test(JsonIs::OneOf(scalars(self.items()?)?.into_iter().collect()))) };
        Ok(match self.operator {
            Operator::Equal => equal()?,
            Operator::NotEqual => Filter::not(equal()?),
            Operator::In => one_of()?,
            Operator::NotIn => Filter::not(one_of()?),
            Operator::Compared(comparison) => Filter::test(match self.operand {
                Json::Scalar(Scalar::Number(number)) => JsonIs::ComparedNumber(comparison, number.clone()),
                Json::Scalar(Scalar::Text(text)) => JsonIs::ComparedText(comparison, text.clone()),
                other => return Err(self.operand(other, "a number or a text")),
            }),
            Operator::Contains => Filter::test(JsonIs::Containing(self.substring(str::to_owned)?)),
            Operator::Regex => Filter::test(JsonIs::Matching(self.pattern()?)),
            Operator::Exists => {
                let present = Filter::test(JsonIs::Present);
                if self.truth()? { present } else { Filter::not(present) }
            }
            Operator::All => every(scalars(self.items()?)?.into_iter().map(|value| JsonIs::OneOf([value].into()))),
            Operator::Size => Filter::test(JsonIs::Length(self.count()?)),
        })
    }

    /// The operators of one text, but for `$exists`.
    fn text_questions(&self, read: impl Fn(&str) -> String) -> Result<Filter<TextIs>, FilterError> {
        let one = |operand: &Json| self.one_text(operand).map(|text| read(&text));
        let some = || self.items()?.iter().map(one).collect::<Result<BTreeSet<_>, _>>();
        Ok(match self.operator {
            Operator::Equal => Filter::test(TextIs::OneOf([one(self.single()?)?].into())),
            Operator::NotEqual => Filter::not(Filter::test(TextIs::OneOf([one(self.single()?)?].into()))),
            Operator::In => Filter::test(TextIs::OneOf(some()?)),
            Operator::NotIn => Filter::not(Filter::test(TextIs::OneOf(some()?))),
            Operator::Compared(comparison) => Filter::test(TextIs::Compared(comparison, one(self.operand)?)),
            Operator::Contains => Filter::test(TextIs::Containing(self.substring(&read)?)),
            Operator::Regex => Filter::test(TextIs::Matching(self.pattern()?)),
            Operator::Exists | Operator::All | Operator::Size => return Err(self.not_for("a text", Operator::OF_TEXTS)),
        })
    }

    fn one_text(&self, operand: &Json) -> Result<String, FilterError> {
        match operand {
            Json::Scalar(Scalar::Text(text)) => Ok(text.clone()),
            other => Err(self.operand(other, "a text")),
        }
    }

    fn substring(&self, read: impl Fn(&str) -> String) -> Result<Substring, FilterError> {
        Substring::parse(&read(&self.one_text(self.operand)?)).map_err(|problem| self.no_pattern(problem))
    }

    fn pattern(&self) -> Result<Pattern, FilterError> {
        Pattern::parse(&self.one_text(self.operand)?).map_err(|problem| self.no_pattern(problem))
    }

    fn no_pattern(&self, problem: PatternError) -> FilterError {
        FilterError::Pattern { target: self.target, field: self.shown(), operator: self.operator.word(), problem }
    }

    /// The operand, which is no list.
    fn single(&self) -> Result<&'a Json, FilterError> {
        match self.operand {
            list @ Json::Array(_) => Err(self.operand(list, "one value; for one of several use $in or $nin")),
            other => Ok(other),
        }
    }

    /// The elements of the operand, which is a list.
    fn items(&self) -> Result<&'a [Json], FilterError> {
        match self.operand {
            Json::Array(items) => Ok(items),
            other => Err(self.operand(other, "a list of values")),
        }
    }

    fn truth(&self) -> Result<bool, FilterError> {
        match self.operand {
            Json::Scalar(Scalar::Bool(truth)) => Ok(*truth),
            other => Err(self.operand(other, "true or false")),
        }
    }

    fn count(&self) -> Result<i64, FilterError> {
        let count = match self.operand {
            Json::Scalar(Scalar::Number(number)) => number.as_i64().filter(|count| *count >= 0),
            _ => None,
        };
        count.ok_or_else(|| self.operand(self.operand, "a whole number from 0 on"))
    }

    /// `$exists` of what every row has.
    fn always_there<Q: Question + Clone + Ord>(&self) -> Result<Filter<Q>, FilterError> {
        Ok(if self.truth()? { Filter::everything() } else { Filter::nothing() })
    }

    fn operand(&self, given: &Json, takes: &'static str) -> FilterError {
        let given = match given {
            Json::Scalar(Scalar::Text(text)) => format!("the text {}", quoted(text)),
            Json::Scalar(Scalar::Number(number)) => format!("the number {}", shortened(number)),
            other => other.kind().to_owned(),
        };
        FilterError::Operand { target: self.target, field: self.shown(), operator: self.operator.word(), given, takes }
    }

    fn not_for(&self, kind: &'static str, operators: usize) -> FilterError {
        let operators = Operator::ALL.iter().copied().take(operators).map(Operator::word).chain(["$not"]);
        FilterError::Operator {
            target: self.target,
            field: self.shown(),
            kind,
            operator: self.operator.word(),
            operators: or(operators),
        }
    }

    /// The field as an error shows it, without its quotes.
    fn shown(&self) -> String {
        quoted(self.field).trim_matches('"').to_owned()
    }
}

/// `$all`: each of these is so. Mongo's `$all` of an empty list finds nothing.
fn every<Q: Question + Clone + Ord>(questions: impl ExactSizeIterator<Item = Q>) -> Filter<Q> {
    if questions.len() == 0 { Filter::nothing() } else { Filter::all(questions.map(Filter::test)) }
}

fn shortened(number: &Number) -> String {
    let shown = number.to_string();
    match shown.get(..40) {
        Some(start) => format!("{start}…"),
        None => shown,
    }
}

#[cfg(test)]
mod tests;
