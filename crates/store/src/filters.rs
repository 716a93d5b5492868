//! Filters and orders as SQL, with every value bound. The meaning of each question is the domain crate's
//! (`Filter::matches`); tests compare the two. What must not live here: which rows a list is about (`lists`).
//!
//! The tables go by the names that `lists` gives them: `p` projects, `c` collections, `m` memberships, `v` versions,
//! `r` runs as callers see them.

use chrono::{DateTime, Utc};
use regalia_domain::filters::timestamp::Timestamp;
use regalia_domain::filters::value::Scalar;
use regalia_domain::filters::{
    ChoiceIs, CollectionTest, Filter, JsonIs, LabelsAre, NullableTextIs, RegistryTest, RunTest, Target, TextIs, ValueIs,
    VersionState, VersionTest,
};
use regalia_domain::names::REGISTRY_PREFIX;
use regalia_domain::orders::{CollectionOrder, OrderKey, RegistryOrder, RunOrder, VersionOrder};
use sqlx::{Postgres, QueryBuilder};

pub(crate) type Sql = QueryBuilder<Postgres>;

/// A target whose questions are SQL conditions.
pub(crate) trait Condition: Target {
    /// Writes the condition; null counts as no.
    fn write(&self, sql: &mut Sql);
}

/// Writes a filter as one condition. Null counts as no.
pub(crate) fn write<T: Condition>(sql: &mut Sql, filter: &Filter<T>) {
    match filter {
        Filter::All(parts) => write_list(sql, parts, " and ", "true"),
        Filter::Any(parts) => write_list(sql, parts, " or ", "false"),
        Filter::Is(test) => test.write(sql),
        Filter::IsNot(test) => {
            sql.push("not coalesce(");
            test.write(sql);
            sql.push(", false)");
        }
    }
}

fn write_list<T: Condition>(sql: &mut Sql, parts: &[Filter<T>], between: &str, without: &str) {
    if parts.is_empty() {
        sql.push(without);
        return;
    }
    for (number, part) in parts.iter().enumerate() {
        sql.push(if number == 0 { "(" } else { between });
        write(sql, part);
    }
    sql.push(")");
}

impl Condition for RegistryTest {
    fn write(&self, sql: &mut Sql) {
        match self {
            Self::Id(question) => number(sql, "p.id", question),
            Self::Name(question) => text(sql, "p.name", question),
            Self::FullName(question) => {
                text(sql, &format!("(case p.kind when 'registry' then '{REGISTRY_PREFIX}' else '' end || p.name)"), question)
            }
            Self::EntityId(question) => number(sql, "p.entity_id", question),
            Self::Description(question) => nullable(sql, "p.description", question),
            Self::CreatedAt(question) => moment(sql, "p.created_at", question),
            Self::UpdatedAt(question) => moment(sql, "p.updated_at", question),
        }
    }
}

impl Condition for CollectionTest {
    fn write(&self, sql: &mut Sql) {
        match self {
            Self::Id(question) => number(sql, "c.id", question),
            Self::Name(question) => text(sql, "c.name", question),
            Self::Tag(question) => labels(sql, "tag", "collection_tags x where x.collection_id = c.id", question),
            Self::Description(question) => nullable(sql, "c.description", question),
            Self::CreatedAt(question) => moment(sql, "c.created_at", question),
            Self::UpdatedAt(question) => moment(sql, "c.updated_at", question),
        }
    }
}

impl Condition for VersionTest {
    fn write(&self, sql: &mut Sql) {
        match self {
            Self::Id(question) => number(sql, "v.id", question),
            Self::Index(question) => number(sql, "m.index", question),
            Self::State(ChoiceIs(states)) => {
                let words: Vec<&str> = states.iter().map(|state| state_word(*state)).collect();
                sql.push("v.state = any(").push_bind(words).push(")");
            }
            Self::Tag(question) => labels(sql, "tag", "version_tags x where x.version_id = v.id", question),
            Self::Alias(question) => labels(
                sql,
                "alias",
                "aliases x where x.collection_id = m.collection_id and x.version_id = m.version_id and upper_inf(x.valid)",
                question,
            ),
            Self::Metadata(path, question) => json(sql, "v.metadata_index", path.keys(), question),
            Self::CreatedAt(question) => moment(sql, "v.created_at", question),
            Self::UpdatedAt(question) => moment(sql, "v.updated_at", question),
        }
    }
}

impl Condition for RunTest {
    fn write(&self, sql: &mut Sql) {
        match self {
            Self::Name(question) => text(sql, "r.name", question),
            Self::DisplayName(question) => text(sql, "r.display_name", question),
            Self::State(ChoiceIs(states)) => {
                let words: Vec<&str> = states.iter().map(|state| state.word()).collect();
                sql.push("r.state = any(").push_bind(words).push(")");
            }
            // Each once, whatever a client sent.
            Self::Tag(question) => labels(sql, "tag", "(select distinct unnest(r.tags)) x (tag) where true", question),
            Self::Group(question) => nullable(sql, "r.group_name", question),
            Self::JobType(question) => nullable(sql, "r.job_type", question),
            Self::Host(question) => nullable(sql, "r.host", question),
            Self::Username(question) => nullable(sql, "r.username", question),
            Self::Notes(question) => nullable(sql, "r.notes", question),
            Self::Config(path, question) => json(sql, "r.config_index", path.keys(), question),
            Self::Summary(path, question) => json(sql, "r.summary_index", path.keys(), question),
            Self::CreatedAt(question) => moment(sql, "r.created_at", question),
            Self::HeartbeatAt(question) => moment(sql, "r.heartbeat_at", question),
        }
    }
}

fn state_word(state: VersionState) -> &'static str {
    match state {
        VersionState::Pending => "pending",
        VersionState::Committed => "committed",
        VersionState::Deleted => "deleted",
    }
}

fn number(sql: &mut Sql, column: &str, question: &ValueIs<i64>) {
    match question {
        ValueIs::OneOf(values) => {
            sql.push(column).push(" = any(").push_bind(values.iter().copied().collect::<Vec<_>>()).push(")");
        }
        ValueIs::Compared(comparison, value) => {
            sql.push(column).push(" ").push(comparison.sign()).push(" ").push_bind(*value);
        }
    }
}

fn moment(sql: &mut Sql, column: &str, question: &ValueIs<Timestamp>) {
    match question {
        ValueIs::OneOf(values) => {
            sql.push(column).push(" = any(").push_bind(values.iter().map(|time| utc(*time)).collect::<Vec<_>>()).push(")");
        }
        ValueIs::Compared(comparison, value) => {
            sql.push(column).push(" ").push(comparison.sign()).push(" ").push_bind(utc(*value));
        }
    }
}

/// A moment as PostgreSQL's driver takes it.
pub(crate) fn utc(time: Timestamp) -> DateTime<Utc> {
    // Timestamps lie in the years 1 to 9999, where each has a date.
    DateTime::from_timestamp_micros(time.micros()).unwrap_or_default()
}

fn text(sql: &mut Sql, column: &str, question: &TextIs) {
    match question {
        TextIs::OneOf(texts) => {
            sql.push(column).push(" = any(").push_bind(texts.iter().cloned().collect::<Vec<_>>()).push(")");
        }
        TextIs::Compared(comparison, other) => {
            sql.push(column).push(" collate \"C\" ").push(comparison.sign()).push(" ").push_bind(other.clone());
        }
        TextIs::Containing(substring) => found(sql, column, substring.pattern().spelled_out()),
        TextIs::Matching(pattern) => found(sql, column, pattern.spelled_out()),
    }
}

fn found(sql: &mut Sql, column: &str, pattern: &str) {
    sql.push(column).push(" collate \"C\" ~ ").push_bind(pattern.to_owned());
}

fn nullable(sql: &mut Sql, column: &str, question: &NullableTextIs) {
    match question {
        NullableTextIs::Null => {
            sql.push(column).push(" is null");
        }
        NullableTextIs::Text(question) => text(sql, column, question),
    }
}

fn labels(sql: &mut Sql, label: &str, rows: &str, question: &LabelsAre) {
    match question {
        LabelsAre::Some(question) => {
            sql.push("exists (select from ").push(rows).push(" and ");
            text(sql, &format!("x.{label}"), question);
            sql.push(")");
        }
        LabelsAre::Exactly(labels) => {
            sql.push(format_args!("array(select x.{label}::text from {rows} order by x.{label} collate \"C\") = "))
                .push_bind(labels.iter().cloned().collect::<Vec<_>>());
        }
        LabelsAre::Count(count) => {
            sql.push("(select count(*) from ").push(rows).push(") = ").push_bind(*count);
        }
    }
}

fn json(sql: &mut Sql, column: &str, path: &[String], question: &JsonIs) {
    let at = |sql: &mut Sql| {
        sql.push("(").push(column).push(" #> ").push_bind(path.to_vec()).push(")");
    };
    match question {
        JsonIs::Present => {
            at(sql);
            sql.push(" is not null");
        }
        JsonIs::List(items) => {
            at(sql);
            sql.push(" = ").push_bind(json_list(items)).push("::jsonb");
        }
        JsonIs::Length(length) => {
            sql.push("(select case jsonb_typeof(j) when 'array' then jsonb_array_length(j) end from (select ");
            at(sql);
            sql.push(") at (j)) = ").push_bind(*length);
        }
        // Asked of a list's elements, or of the one value.
        _ => {
            sql.push("exists (select from (select ");
            at(sql);
            sql.push(
                ") at (j), jsonb_array_elements(case jsonb_typeof(j) when 'array' then j else jsonb_build_array(j) end) e (e) \
                 where j is not null and ",
            );
            element(sql, question);
            sql.push(")");
        }
    }
}

/// A condition on one value `e` that is asked about by its own type.
fn element(sql: &mut Sql, question: &JsonIs) {
    // Only `case` keeps PostgreSQL from casting what isn't of the type.
    let typed = |sql: &mut Sql, kind: &str| {
        sql.push("case jsonb_typeof(e) when '").push(kind).push("' then ");
    };
    match question {
        JsonIs::OneOf(values) => {
            let values: Vec<String> = values.iter().map(json_scalar).collect();
            sql.push("e = any(").push_bind(values).push("::text[]::jsonb[])");
        }
        JsonIs::ComparedNumber(comparison, other) => {
            typed(sql, "number");
            sql.push("(e #>> '{}')::numeric ").push(comparison.sign()).push(" ").push_bind(other.to_string());
            sql.push("::numeric end");
        }
        JsonIs::ComparedText(comparison, other) => {
            typed(sql, "string");
            text(sql, "(e #>> '{}')", &TextIs::Compared(*comparison, other.clone()));
            sql.push(" end");
        }
        JsonIs::Containing(substring) => {
            typed(sql, "string");
            found(sql, "(e #>> '{}')", substring.pattern().spelled_out());
            sql.push(" end");
        }
        JsonIs::Matching(pattern) => {
            typed(sql, "string");
            found(sql, "(e #>> '{}')", pattern.spelled_out());
            sql.push(" end");
        }
        // Not asked of elements.
        JsonIs::Present | JsonIs::List(_) | JsonIs::Length(_) => {
            sql.push("false");
        }
    }
}

/// A value in JSON, numbers as they are written.
fn json_scalar(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Null => "null".to_owned(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Number(number) => number.to_string(),
        Scalar::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
    }
}

fn json_list(items: &[Scalar]) -> String {
    let items: Vec<String> = items.iter().map(json_scalar).collect();
    format!("[{}]", items.join(","))
}

/// An order whose keys are columns.
pub(crate) trait Columns: OrderKey {
    /// The column that makes the order total, and names the row.
    const ID: &'static str;

    /// The columns that are ordered by; none for the order by id.
    fn columns(&self) -> &'static [&'static str];
}

impl Columns for RegistryOrder {
    const ID: &'static str = "p.id";

    fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Name => &["p.name"],
            Self::CreatedAt => &["p.created_at"],
            Self::UpdatedAt => &["p.updated_at"],
        }
    }
}

impl Columns for CollectionOrder {
    const ID: &'static str = "c.id";

    fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Id => &[],
            Self::Name => &["c.name"],
            Self::CreatedAt => &["c.created_at"],
            Self::UpdatedAt => &["c.updated_at"],
        }
    }
}

impl Columns for VersionOrder {
    const ID: &'static str = "m.id";

    fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Id => &[],
            Self::Index => &["m.index"],
            Self::CreatedAt => &["v.created_at"],
            Self::UpdatedAt => &["v.updated_at"],
        }
    }
}

impl Columns for RunOrder {
    const ID: &'static str = "r.id";

    fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::CreatedAt => &["r.created_at"],
            Self::HeartbeatAt => &["r.heartbeat_at"],
            Self::Name => &["r.name"],
            Self::DisplayName => &["r.display_name"],
            // Of `Mixed`: which of its kinds, then the number, then the text. The list joins them.
            Self::Config(_) | Self::Summary(_) => &["k.kind", "k.number", "k.text"],
        }
    }
}
