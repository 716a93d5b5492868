//! Why a filter or an order is refused: sentences that say where, what is wrong, and what would be right (rule 43).

use super::pattern::PatternError;

/// A filter that is refused. No door needs to tell the variants apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The text is longer than [`MAX_BYTES`](super::MAX_BYTES).
    #[error("The {target} filter has {bytes} bytes. At most 65,536 are read; ask in several queries.")]
    TooLong {
        /// What the filter chooses from: `registry`, `collection`, `version`.
        target: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// It nests deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error("The {target} filter is nested more than 32 levels deep. Flatten it.")]
    TooDeep {
        /// What the filter chooses from.
        target: &'static str,
    },
    /// More conditions than [`MAX_CONDITIONS`](super::MAX_CONDITIONS).
    #[error("The {target} filter has {conditions} conditions. At most 200 are taken; use $in for lists of values.")]
    TooManyConditions {
        /// What the filter chooses from.
        target: &'static str,
        /// How many there are.
        conditions: usize,
    },
    /// A list longer than [`MAX_VALUES`](super::MAX_VALUES).
    #[error("In the {target} filter \"{field}\" is compared with {values} values. At most 1,000 are taken at once.")]
    TooManyValues {
        /// What the filter chooses from.
        target: &'static str,
        /// The field.
        field: String,
        /// How many there are.
        values: usize,
    },
    /// A text that no field holds.
    #[error("In the {target} filter \"{field}\" is compared with a text that {problem}.")]
    Text {
        /// What the filter chooses from.
        target: &'static str,
        /// The field.
        field: String,
        /// What is wrong with it, and what would be right.
        problem: &'static str,
    },
    /// The text is no JSON.
    #[error("The {target} filter {problem}. Send an object such as {{\"name\": \"my-name\"}}.")]
    NotJson {
        /// What the filter chooses from.
        target: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A part of it isn't what stands in this place.
    #[error("In the {target} filter {place} is {given}. {advice}.")]
    Shape {
        /// What the filter chooses from.
        target: &'static str,
        /// Which part.
        place: String,
        /// What it is.
        given: &'static str,
        /// What it should be.
        advice: &'static str,
    },
    /// No field of this name.
    #[error("The {target} filter has no field {given}. Use {fields}.")]
    UnknownField {
        /// What the filter chooses from.
        target: &'static str,
        /// The name, in quotes.
        given: String,
        /// The fields there are.
        fields: String,
    },
    /// No operator of this name, or not in this place.
    #[error("The {target} filter has no operator {given} {place}. Use {operators}.")]
    UnknownOperator {
        /// What the filter chooses from.
        target: &'static str,
        /// The name, in quotes.
        given: String,
        /// Where it stands.
        place: String,
        /// The operators there are.
        operators: String,
    },
    /// An operator that this field hasn't got.
    #[error("In the {target} filter {operator} can't be asked of \"{field}\", which is {kind}. Use {operators}.")]
    Operator {
        /// What the filter chooses from.
        target: &'static str,
        /// The field.
        field: String,
        /// What the field holds.
        kind: &'static str,
        /// The operator.
        operator: &'static str,
        /// The operators that the field has.
        operators: String,
    },
    /// An operand of the wrong type.
    #[error("In the {target} filter {operator} of \"{field}\" is given {given}. It takes {takes}.")]
    Operand {
        /// What the filter chooses from.
        target: &'static str,
        /// The field.
        field: String,
        /// The operator.
        operator: &'static str,
        /// What was given.
        given: String,
        /// What would be right.
        takes: &'static str,
    },
    /// A pattern or substring that is refused.
    #[error("In the {target} filter {operator} of \"{field}\" {problem}.")]
    Pattern {
        /// What the filter chooses from.
        target: &'static str,
        /// The field.
        field: String,
        /// The operator.
        operator: &'static str,
        /// What is wrong with it, and what would be right.
        problem: PatternError,
    },
}
