//! What filters can ask of a registry.

use super::leaf::{NullableTextIs, Question, TextIs, ValueIs};
use super::read::{Asked, Operator};
use super::timestamp::Timestamp;
use super::{Filter, FilterError, Target};
use crate::names::REGISTRY_PREFIX;

/// What is asked of one field of a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistryTest {
    /// `id`: the number that it shares with its project.
    Id(ValueIs<i64>),
    /// `name`: without the prefix `wandb-registry-`.
    Name(TextIs),
    /// `name` with the prefix, as `$regex` sees it: the only operator before whose operand no SDK writes the prefix.
    FullName(TextIs),
    /// `entity_id`: the number of the organization's entity.
    EntityId(ValueIs<i64>),
    /// `description`
    Description(NullableTextIs),
    /// `created_at`
    CreatedAt(ValueIs<Timestamp>),
    /// `updated_at`
    UpdatedAt(ValueIs<Timestamp>),
}

/// A registry as far as filters and orders know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryRow {
    /// Number of the row.
    pub id: i64,
    /// Name without its prefix.
    pub name: String,
    /// Number of the organization's entity.
    pub entity_id: i64,
    /// Null and empty differ (rule 7).
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its own fields last changed.
    pub updated_at: Timestamp,
}

impl Target for RegistryTest {
    type Row = RegistryRow;

    const NAME: &'static str = "registry";

    fn field(&self) -> String {
        match self {
            Self::Id(_) => "id",
            Self::Name(_) | Self::FullName(_) => "name",
            Self::EntityId(_) => "entity_id",
            Self::Description(_) => "description",
            Self::CreatedAt(_) => "created_at",
            Self::UpdatedAt(_) => "updated_at",
        }
        .to_owned()
    }

    fn holds(&self, row: &RegistryRow) -> bool {
        match self {
            Self::Id(question) => question.holds(&row.id),
            Self::Name(question) => question.holds(&row.name),
            Self::FullName(question) => question.holds(&format!("{REGISTRY_PREFIX}{}", row.name)),
            Self::EntityId(question) => question.holds(&row.entity_id),
            Self::Description(question) => question.holds(row.description.as_deref()),
            Self::CreatedAt(question) => question.holds(&row.created_at),
            Self::UpdatedAt(question) => question.holds(&row.updated_at),
        }
    }

    /// The fields of the wire's registry filter. `project_id` is the word for `id` where a server offers the SDK's
    /// advanced search.
    ///
    /// SDKs write the prefix before the operand of `name`, but not all of them in lists and in `$contains`. So one
    /// prefix is dropped wherever it stands, and `$contains` means a part of the name proper, for every SDK (ours).
    fn read(asked: &Asked<'_>) -> Result<Filter<Self>, FilterError> {
        Ok(match asked.field() {
            "id" | "project_id" => asked.number(&["Project", "ProjectInternalId", "Registry"])?.map(&Self::Id),
            "name" if asked.operator() == Operator::Regex => asked.text(str::to_owned)?.map(&Self::FullName),
            "name" => {
                let proper = |name: &str| name.strip_prefix(REGISTRY_PREFIX).unwrap_or(name).to_owned();
                asked.text(proper)?.map(&Self::Name)
            }
            "entity_id" => asked.number(&["Entity", "Organization"])?.map(&Self::EntityId),
            "description" => asked.nullable_text()?.map(&Self::Description),
            "created_at" => asked.time()?.map(&Self::CreatedAt),
            "updated_at" => asked.time()?.map(&Self::UpdatedAt),
            _ => {
                return Err(asked.unknown_field(&["id", "name", "entity_id", "description", "created_at", "updated_at"]));
            }
        })
    }
}

impl Question for RegistryTest {
    fn constant(&self) -> Option<bool> {
        match self {
            Self::Id(question) | Self::EntityId(question) => question.constant(),
            Self::Name(question) | Self::FullName(question) => question.constant(),
            Self::Description(question) => question.constant(),
            Self::CreatedAt(question) | Self::UpdatedAt(question) => question.constant(),
        }
    }

    fn complement(&self) -> Option<Self> {
        match self {
            Self::Id(question) => question.complement().map(Self::Id),
            Self::Name(question) => question.complement().map(Self::Name),
            Self::FullName(question) => question.complement().map(Self::FullName),
            Self::EntityId(question) => question.complement().map(Self::EntityId),
            Self::Description(_) => None,
            Self::CreatedAt(question) => question.complement().map(Self::CreatedAt),
            Self::UpdatedAt(question) => question.complement().map(Self::UpdatedAt),
        }
    }

    fn values(&self) -> usize {
        match self {
            Self::Id(question) | Self::EntityId(question) => question.values(),
            Self::Name(question) | Self::FullName(question) => question.values(),
            Self::Description(question) => question.values(),
            Self::CreatedAt(question) | Self::UpdatedAt(question) => question.values(),
        }
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Name(question) | Self::FullName(question) => question.texts(),
            Self::Description(question) => question.texts(),
            Self::Id(_) | Self::EntityId(_) | Self::CreatedAt(_) | Self::UpdatedAt(_) => Vec::new(),
        }
    }
}
