//! What filters can ask of a collection, in a project or in a registry.

use std::collections::BTreeSet;

use super::leaf::{LabelsAre, NullableTextIs, Question, TextIs, ValueIs};
use super::read::Asked;
use super::timestamp::Timestamp;
use super::{Filter, FilterError, Target};

/// What is asked of one field of a collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CollectionTest {
    /// `artifact_collection_id`
    Id(ValueIs<i64>),
    /// `name`
    Name(TextIs),
    /// `tag`: its own tags, not those of its versions.
    Tag(LabelsAre),
    /// `description`
    Description(NullableTextIs),
    /// `created_at`
    CreatedAt(ValueIs<Timestamp>),
    /// `updated_at`
    UpdatedAt(ValueIs<Timestamp>),
}

/// A collection as far as filters and orders know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionRow {
    /// Number of the row.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Null and empty differ (rule 7).
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its own fields or its list of versions last changed.
    pub updated_at: Timestamp,
}

impl Target for CollectionTest {
    type Row = CollectionRow;

    const NAME: &'static str = "collection";

    fn field(&self) -> String {
        match self {
            Self::Id(_) => "artifact_collection_id",
            Self::Name(_) => "name",
            Self::Tag(_) => "tag",
            Self::Description(_) => "description",
            Self::CreatedAt(_) => "created_at",
            Self::UpdatedAt(_) => "updated_at",
        }
        .to_owned()
    }

    fn holds(&self, row: &CollectionRow) -> bool {
        match self {
            Self::Id(question) => question.holds(&row.id),
            Self::Name(question) => question.holds(&row.name),
            Self::Tag(question) => question.holds(&row.tags),
            Self::Description(question) => question.holds(row.description.as_deref()),
            Self::CreatedAt(question) => question.holds(&row.created_at),
            Self::UpdatedAt(question) => question.holds(&row.updated_at),
        }
    }

    /// The fields of the wire's collection filter. The SDK renames `id` and `collection_id`, older ones don't.
    fn read(asked: &Asked<'_>) -> Result<Filter<Self>, FilterError> {
        Ok(match asked.field() {
            "artifact_collection_id" | "collection_id" | "id" => {
                asked.number(&["ArtifactCollection", "Collection"])?.map(&Self::Id)
            }
            "name" => asked.text(str::to_owned)?.map(&Self::Name),
            "tag" | "tags" => asked.labels()?.map(&Self::Tag),
            "description" => asked.nullable_text()?.map(&Self::Description),
            "created_at" => asked.time()?.map(&Self::CreatedAt),
            "updated_at" => asked.time()?.map(&Self::UpdatedAt),
            _ => {
                let fields = ["artifact_collection_id", "name", "tag", "description", "created_at", "updated_at"];
                return Err(asked.unknown_field(&fields));
            }
        })
    }
}

impl Question for CollectionTest {
    fn constant(&self) -> Option<bool> {
        match self {
            Self::Id(question) => question.constant(),
            Self::Name(question) => question.constant(),
            Self::Tag(question) => question.constant(),
            Self::Description(question) => question.constant(),
            Self::CreatedAt(question) | Self::UpdatedAt(question) => question.constant(),
        }
    }

    fn complement(&self) -> Option<Self> {
        match self {
            Self::Id(question) => question.complement().map(Self::Id),
            Self::Name(question) => question.complement().map(Self::Name),
            Self::Tag(_) | Self::Description(_) => None,
            Self::CreatedAt(question) => question.complement().map(Self::CreatedAt),
            Self::UpdatedAt(question) => question.complement().map(Self::UpdatedAt),
        }
    }

    fn values(&self) -> usize {
        match self {
            Self::Id(question) => question.values(),
            Self::Name(question) => question.values(),
            Self::Tag(question) => question.values(),
            Self::Description(question) => question.values(),
            Self::CreatedAt(question) | Self::UpdatedAt(question) => question.values(),
        }
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Name(question) => question.texts(),
            Self::Tag(question) => question.texts(),
            Self::Description(question) => question.texts(),
            Self::Id(_) | Self::CreatedAt(_) | Self::UpdatedAt(_) => Vec::new(),
        }
    }
}
