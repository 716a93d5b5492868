//! Filtered and ordered lists in our own schema: typed filters that build the domain's tree, and pages of lists that hang below
//! other lists, which load together. What must not live here: what a filter means (the domain crate).

use std::collections::BTreeSet;
use std::sync::Arc;

use async_graphql::connection::Edge;
use async_graphql::{Context, Enum, InputObject, OutputType};
use chrono::{DateTime, Utc};
use regalia_domain::filters::number::Number;
use regalia_domain::filters::pattern::{Pattern, Substring};
use regalia_domain::filters::timestamp::Timestamp;
use regalia_domain::filters::value::{Json, Scalar};
use regalia_domain::filters::{
    CollectionTest, Comparison, Filter, JsonIs, LabelsAre, MetadataPath, NullableTextIs, RegistryTest, Target, TextIs, ValueIs,
    VersionTest,
};
use regalia_domain::orders::{self, Direction, Order};
use regalia_service::{Error, Result};

use super::user::Paged;
use crate::context::Reach as _;
use crate::error::Fail as _;
use crate::lists::{self, CollectionList, CollectionParents, List, ProjectList, VersionList, VersionParents, Wanted};
use crate::loaders::Key;
use crate::scalars::JsonString;

/// Which texts are wanted. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct TextFilter {
    /// One of these, to the letter.
    one_of: Option<Vec<String>>,
    /// This is a part of it; case is ignored.
    contains: Option<String>,
    /// This regular expression is found in it; `^` and `$` stand for its ends.
    matches: Option<String>,
}

/// Which texts are wanted, where there may be none. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct OptionalTextFilter {
    /// Whether there is one. The empty text is one.
    present: Option<bool>,
    /// One of these, to the letter.
    one_of: Option<Vec<String>>,
    /// This is a part of it; case is ignored.
    contains: Option<String>,
    /// This regular expression is found in it; `^` and `$` stand for its ends.
    matches: Option<String>,
}

/// Which moments are wanted. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct TimeFilter {
    /// At this moment or later.
    from: Option<DateTime<Utc>>,
    /// Earlier than this moment.
    before: Option<DateTime<Utc>>,
}

impl TimeFilter {
    /// From when on, and until just before when.
    pub(super) fn bounds(self) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        (self.from, self.before)
    }
}

/// Which labels (tags, aliases) are wanted. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct LabelFilter {
    /// It has at least one of these.
    any_of: Option<Vec<String>>,
    /// It has each of these.
    all_of: Option<Vec<String>>,
    /// It has a label of which this is a part; case is ignored.
    contains: Option<String>,
    /// It has as many.
    count: Option<i32>,
}

/// Which indices are wanted. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct IndexFilter {
    /// One of these.
    one_of: Option<Vec<i32>>,
    /// This one or later.
    from: Option<i32>,
    /// Earlier than this one.
    before: Option<i32>,
}

/// What is asked of one place in the metadata of a version, or in the configuration or summary of a run. Everything that is given must hold. A value is compared with values of its own
/// type only; of a list each element is asked, and one yes is enough.
#[derive(Debug, Clone, InputObject)]
pub struct MetadataFilter {
    /// Keys with dots between them, such as `scores.accuracy`.
    path: String,
    /// Whether anything is there, if only null.
    present: Option<bool>,
    /// One of these values, as a JSON list, such as `[1, "a", null]`.
    one_of: Option<JsonString>,
    /// A number, larger than this one.
    greater_than: Option<f64>,
    /// A number, this one or larger.
    at_least: Option<f64>,
    /// A number, smaller than this one.
    less_than: Option<f64>,
    /// A number, this one or smaller.
    at_most: Option<f64>,
    /// A text of which this is a part; case is ignored.
    contains: Option<String>,
    /// A text in which this regular expression is found.
    matches: Option<String>,
}

/// Which registries are wanted. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct RegistryFilter {
    /// Each of these.
    and: Option<Vec<RegistryFilter>>,
    /// At least one of these.
    or: Option<Vec<RegistryFilter>>,
    /// Not this.
    not: Option<Box<RegistryFilter>>,
    /// By name.
    name: Option<TextFilter>,
    /// By description.
    description: Option<OptionalTextFilter>,
    /// By when it was made.
    created_at: Option<TimeFilter>,
    /// By when its own fields last changed.
    updated_at: Option<TimeFilter>,
}

/// Which collections are wanted. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct CollectionFilter {
    /// Each of these.
    and: Option<Vec<CollectionFilter>>,
    /// At least one of these.
    or: Option<Vec<CollectionFilter>>,
    /// Not this.
    not: Option<Box<CollectionFilter>>,
    /// By name.
    name: Option<TextFilter>,
    /// By its tags.
    tags: Option<LabelFilter>,
    /// By description.
    description: Option<OptionalTextFilter>,
    /// By when it was made.
    created_at: Option<TimeFilter>,
    /// By when it last changed.
    updated_at: Option<TimeFilter>,
}

/// Which links are wanted, by what they point at. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct LinkFilter {
    /// Each of these.
    and: Option<Vec<LinkFilter>>,
    /// At least one of these.
    or: Option<Vec<LinkFilter>>,
    /// Not this.
    not: Option<Box<LinkFilter>>,
    /// By the link's index.
    index: Option<IndexFilter>,
    /// By the link's aliases.
    aliases: Option<LabelFilter>,
    /// By the version's tags.
    tags: Option<LabelFilter>,
    /// By the version's metadata; each of these must hold.
    metadata: Option<Vec<MetadataFilter>>,
    /// By when the version was logged.
    created_at: Option<TimeFilter>,
    /// By when a field of the version last changed.
    updated_at: Option<TimeFilter>,
}

/// What registries are ordered by.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum RegistryOrder {
    /// A to Z, by code point.
    NameAscending,
    /// Z to A, by code point.
    NameDescending,
    /// Oldest first.
    CreatedAscending,
    /// Newest first.
    CreatedDescending,
    /// Longest unchanged first.
    UpdatedAscending,
    /// Last changed first.
    UpdatedDescending,
}

/// What collections are ordered by.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum CollectionOrder {
    /// A to Z, by code point.
    NameAscending,
    /// Z to A, by code point.
    NameDescending,
    /// Oldest first.
    CreatedAscending,
    /// Newest first.
    CreatedDescending,
    /// Longest unchanged first.
    UpdatedAscending,
    /// Last changed first.
    UpdatedDescending,
}

/// What links are ordered by.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum LinkOrder {
    /// `v0` first.
    IndexAscending,
    /// The newest first.
    IndexDescending,
    /// By the version: logged first, first.
    CreatedAscending,
    /// By the version: logged last, first.
    CreatedDescending,
    /// By the version: longest unchanged first.
    UpdatedAscending,
    /// By the version: last changed first.
    UpdatedDescending,
}

macro_rules! order {
    ($name:ident => $key:ident: $($word:ident: $direction:ident $by:ident),* $(,)?) => {
        impl From<$name> for Order<orders::$key> {
            fn from(order: $name) -> Self {
                match order {
                    $($name::$word => Order { key: orders::$key::$by, direction: Direction::$direction },)*
                }
            }
        }
    };
}

order!(RegistryOrder => RegistryOrder:
    NameAscending: Ascending Name, NameDescending: Descending Name,
    CreatedAscending: Ascending CreatedAt, CreatedDescending: Descending CreatedAt,
    UpdatedAscending: Ascending UpdatedAt, UpdatedDescending: Descending UpdatedAt,
);
order!(CollectionOrder => CollectionOrder:
    NameAscending: Ascending Name, NameDescending: Descending Name,
    CreatedAscending: Ascending CreatedAt, CreatedDescending: Descending CreatedAt,
    UpdatedAscending: Ascending UpdatedAt, UpdatedDescending: Descending UpdatedAt,
);
order!(LinkOrder => VersionOrder:
    IndexAscending: Ascending Index, IndexDescending: Descending Index,
    CreatedAscending: Ascending CreatedAt, CreatedDescending: Descending CreatedAt,
    UpdatedAscending: Ascending UpdatedAt, UpdatedDescending: Descending UpdatedAt,
);

fn refused(field: &str, problem: impl std::fmt::Display) -> Error {
    Error::Invalid(format!("The filter's `{field}` {problem}."))
}

fn moment(time: DateTime<Utc>) -> Result<Timestamp> {
    Timestamp::from_micros(time.timestamp_micros()).ok_or_else(|| refused("from` or `before", "lies beyond the years 1 to 9999"))
}

fn containing(text: &str) -> Result<TextIs> {
    Ok(TextIs::Containing(Substring::parse(text).map_err(|error| refused("contains", error))?))
}

fn matching(text: &str) -> Result<TextIs> {
    Ok(TextIs::Matching(Pattern::parse(text).map_err(|error| refused("matches", error))?))
}

fn texts(one_of: Option<Vec<String>>, contains: Option<String>, matches: Option<String>) -> Result<Vec<TextIs>> {
    let one_of = one_of.map(|texts| Ok(TextIs::OneOf(texts.into_iter().collect())));
    let contains = contains.map(|text| containing(&text));
    let matches = matches.map(|text| matching(&text));
    [one_of, contains, matches].into_iter().flatten().collect()
}

impl TextFilter {
    pub(crate) fn questions(self) -> Result<Vec<TextIs>> {
        texts(self.one_of, self.contains, self.matches)
    }
}

impl OptionalTextFilter {
    pub(crate) fn build<T: Target>(self, ask: impl Fn(NullableTextIs) -> T) -> Result<Filter<T>> {
        let present = self.present.map(|present| {
            let absent = Filter::test(ask(NullableTextIs::Null));
            if present { Filter::not(absent) } else { absent }
        });
        let texts = texts(self.one_of, self.contains, self.matches)?;
        let texts = texts.into_iter().map(|text| Filter::test(ask(NullableTextIs::Text(text))));
        Ok(Filter::all(present.into_iter().chain(texts)))
    }
}

impl TimeFilter {
    pub(crate) fn questions(self) -> Result<Vec<ValueIs<Timestamp>>> {
        let from = self.from.map(|time| Ok(ValueIs::Compared(Comparison::GreaterOrEqual, moment(time)?)));
        let before = self.before.map(|time| Ok(ValueIs::Compared(Comparison::Less, moment(time)?)));
        [from, before].into_iter().flatten().collect()
    }
}

impl LabelFilter {
    pub(crate) fn questions(self) -> Result<Vec<LabelsAre>> {
        let mut questions = Vec::new();
        if let Some(labels) = self.any_of {
            questions.push(LabelsAre::Some(TextIs::OneOf(labels.into_iter().collect())));
        }
        for label in self.all_of.into_iter().flatten() {
            questions.push(LabelsAre::Some(TextIs::OneOf(BTreeSet::from([label]))));
        }
        if let Some(text) = self.contains {
            questions.push(LabelsAre::Some(containing(&text)?));
        }
        questions.extend(self.count.map(|count| LabelsAre::Count(count.into())));
        Ok(questions)
    }
}

impl IndexFilter {
    fn questions(self) -> Vec<ValueIs<i64>> {
        let one_of = self.one_of.map(|indices| ValueIs::OneOf(indices.into_iter().map(i64::from).collect()));
        let from = self.from.map(|index| ValueIs::Compared(Comparison::GreaterOrEqual, index.into()));
        let before = self.before.map(|index| ValueIs::Compared(Comparison::Less, index.into()));
        [one_of, from, before].into_iter().flatten().collect()
    }
}

impl MetadataFilter {
    pub(crate) fn build<T: Target>(self, to: impl Fn(MetadataPath, JsonIs) -> T) -> Result<Filter<T>> {
        let path = MetadataPath::parse(&self.path).ok_or_else(|| {
            refused("path", "is no path into metadata. Write keys with dots between them, as in `scores.accuracy`")
        })?;
        let ask = |question| Filter::test(to(path.clone(), question));
        let mut parts = Vec::new();
        if let Some(present) = self.present {
            let there = ask(JsonIs::Present);
            parts.push(if present { there } else { Filter::not(there) });
        }
        if let Some(values) = self.one_of {
            parts.push(ask(JsonIs::OneOf(scalars(&values.0)?)));
        }
        for (field, comparison, number) in [
            ("greaterThan", Comparison::Greater, self.greater_than),
            ("atLeast", Comparison::GreaterOrEqual, self.at_least),
            ("lessThan", Comparison::Less, self.less_than),
            ("atMost", Comparison::LessOrEqual, self.at_most),
        ] {
            if let Some(number) = number {
                let number = Number::from_f64(number).ok_or_else(|| refused(field, "is no number"))?;
                parts.push(ask(JsonIs::ComparedNumber(comparison, number)));
            }
        }
        if let Some(text) = self.contains {
            parts.push(ask(JsonIs::Containing(Substring::parse(&text).map_err(|error| refused("contains", error))?)));
        }
        if let Some(text) = self.matches {
            parts.push(ask(JsonIs::Matching(Pattern::parse(&text).map_err(|error| refused("matches", error))?)));
        }
        if parts.is_empty() {
            return Err(refused("path", "asks nothing of what is there. Add `present: true` or what its value shall be"));
        }
        Ok(Filter::all(parts))
    }
}

/// The values of a JSON list.
fn scalars(text: &str) -> Result<BTreeSet<Scalar>> {
    let problem = || refused("oneOf", "is no JSON list of numbers, texts, booleans and null, such as [1, \"a\", null]");
    let Ok(Json::Array(items)) = Json::parse(text) else { return Err(problem()) };
    items.iter().map(|item| item.as_scalar().cloned().ok_or_else(problem)).collect()
}

/// A filter's input as the domain's tree, within the domain's limits.
pub(crate) trait Build: Sized {
    /// What is filtered.
    type Target: Target;
    /// The lists that it filters.
    type List: List;

    /// The lists under such a filter.
    fn list(filter: Filter<Self::Target>) -> Self::List;

    /// Builds what was given.
    fn parts(self) -> Result<Vec<Filter<Self::Target>>>;

    /// Builds all of it; without an input everything is wanted.
    fn build(input: Option<Self>) -> Result<Filter<Self::Target>> {
        match input {
            None => Ok(Filter::everything()),
            Some(input) => Ok(Filter::all(input.parts()?).checked()?),
        }
    }
}

/// The parts that every filter has.
pub(crate) fn joined<B: Build>(and: Option<Vec<B>>, or: Option<Vec<B>>, not: Option<Box<B>>) -> Result<Vec<Filter<B::Target>>> {
    let each = |inputs: Vec<B>| inputs.into_iter().map(|input| Ok(Filter::all(input.parts()?))).collect::<Result<Vec<_>>>();
    let mut parts = and.map_or(Ok(Vec::new()), each)?;
    if let Some(or) = or {
        parts.push(Filter::any(each(or)?));
    }
    if let Some(not) = not {
        parts.push(Filter::not(Filter::all(not.parts()?)));
    }
    Ok(parts)
}

impl Build for RegistryFilter {
    type Target = RegistryTest;
    type List = ProjectList;

    fn list(filter: Filter<RegistryTest>) -> ProjectList {
        ProjectList(filter)
    }

    fn parts(self) -> Result<Vec<Filter<RegistryTest>>> {
        let mut parts = joined(self.and, self.or, self.not)?;
        let name = self.name.map_or(Ok(Vec::new()), TextFilter::questions)?;
        parts.extend(name.into_iter().map(|question| Filter::test(RegistryTest::Name(question))));
        if let Some(description) = self.description {
            parts.push(description.build(RegistryTest::Description)?);
        }
        let created = self.created_at.map_or(Ok(Vec::new()), TimeFilter::questions)?;
        parts.extend(created.into_iter().map(|question| Filter::test(RegistryTest::CreatedAt(question))));
        let updated = self.updated_at.map_or(Ok(Vec::new()), TimeFilter::questions)?;
        parts.extend(updated.into_iter().map(|question| Filter::test(RegistryTest::UpdatedAt(question))));
        Ok(parts)
    }
}

impl Build for CollectionFilter {
    type Target = CollectionTest;
    type List = CollectionList;

    fn list(filter: Filter<CollectionTest>) -> CollectionList {
        CollectionList { of: CollectionParents::Projects, filter }
    }

    fn parts(self) -> Result<Vec<Filter<CollectionTest>>> {
        let mut parts = joined(self.and, self.or, self.not)?;
        let name = self.name.map_or(Ok(Vec::new()), TextFilter::questions)?;
        parts.extend(name.into_iter().map(|question| Filter::test(CollectionTest::Name(question))));
        let tags = self.tags.map_or(Ok(Vec::new()), LabelFilter::questions)?;
        parts.extend(tags.into_iter().map(|question| Filter::test(CollectionTest::Tag(question))));
        if let Some(description) = self.description {
            parts.push(description.build(CollectionTest::Description)?);
        }
        let created = self.created_at.map_or(Ok(Vec::new()), TimeFilter::questions)?;
        parts.extend(created.into_iter().map(|question| Filter::test(CollectionTest::CreatedAt(question))));
        let updated = self.updated_at.map_or(Ok(Vec::new()), TimeFilter::questions)?;
        parts.extend(updated.into_iter().map(|question| Filter::test(CollectionTest::UpdatedAt(question))));
        Ok(parts)
    }
}

impl Build for LinkFilter {
    type Target = VersionTest;
    type List = VersionList;

    fn list(filter: Filter<VersionTest>) -> VersionList {
        VersionList { of: VersionParents::Collections, filter }
    }

    fn parts(self) -> Result<Vec<Filter<VersionTest>>> {
        let mut parts = joined(self.and, self.or, self.not)?;
        let index = self.index.map(IndexFilter::questions).unwrap_or_default();
        parts.extend(index.into_iter().map(|question| Filter::test(VersionTest::Index(question))));
        let aliases = self.aliases.map_or(Ok(Vec::new()), LabelFilter::questions)?;
        parts.extend(aliases.into_iter().map(|question| Filter::test(VersionTest::Alias(question))));
        let tags = self.tags.map_or(Ok(Vec::new()), LabelFilter::questions)?;
        parts.extend(tags.into_iter().map(|question| Filter::test(VersionTest::Tag(question))));
        for metadata in self.metadata.into_iter().flatten() {
            parts.push(metadata.build(VersionTest::Metadata)?);
        }
        let created = self.created_at.map_or(Ok(Vec::new()), TimeFilter::questions)?;
        parts.extend(created.into_iter().map(|question| Filter::test(VersionTest::CreatedAt(question))));
        let updated = self.updated_at.map_or(Ok(Vec::new()), TimeFilter::questions)?;
        parts.extend(updated.into_iter().map(|question| Filter::test(VersionTest::UpdatedAt(question))));
        Ok(parts)
    }
}

/// The arguments of a list.
pub(crate) struct Arguments<B, O> {
    pub(crate) filter: Option<B>,
    pub(crate) order: O,
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
}

/// One page of a parent's list: its rows by `key`, each as a `node`.
pub(crate) async fn page<B: Build, R: Key, N: OutputType>(
    context: &Context<'_>,
    parent: i64,
    arguments: Arguments<B, impl Into<Order<<B::List as List>::Order>>>,
    key: impl Fn(i64) -> R + Send + Sync,
    node: impl Fn(R::Value) -> N,
) -> async_graphql::Result<Paged<N>> {
    let wanted = Wanted::read(arguments.first, arguments.after.as_deref(), arguments.order.into())?;
    let list = Arc::new(B::list(B::build(arguments.filter).fail()?));
    let (positions, more) = lists::part(context, parent, &list, &wanted).await?;
    let mut rows = context.rows(positions.iter().map(|position| key(position.id))).await?;
    let mut connection = Paged::new(wanted.continues(), more);
    // A row that has just been deleted is left out.
    connection.edges.extend(positions.into_iter().filter_map(|position| {
        let row = rows.remove(&key(position.id))?;
        Some(Edge::new(wanted.cursor(&position), node(row)))
    }));
    Ok(connection)
}
