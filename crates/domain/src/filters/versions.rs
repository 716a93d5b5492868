//! What filters can ask of a version at its place in one collection: its birthplace or a link.

use std::collections::BTreeSet;

use super::leaf::{ChoiceIs, JsonIs, LabelsAre, Question, ValueIs};
use super::read::Asked;
use super::timestamp::Timestamp;
use super::value::{Json, Scalar};
use super::{Filter, FilterError, Target};
use crate::alias::is_version_alias;

/// What is asked of one field of a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionTest {
    /// `id`: the version's own number, the same wherever it is linked.
    Id(ValueIs<i64>),
    /// `version`: its index in the collection of this place.
    Index(ValueIs<i64>),
    /// `state`
    State(ChoiceIs<VersionState>),
    /// `tag`
    Tag(LabelsAre),
    /// `alias`: those in the collection of this place, `latest` among them, `vN` not.
    Alias(LabelsAre),
    /// `metadata.` and a path.
    Metadata(MetadataPath, JsonIs),
    /// `created_at`
    CreatedAt(ValueIs<Timestamp>),
    /// `updated_at`
    UpdatedAt(ValueIs<Timestamp>),
}

/// How far a version has come, in the wire's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionState {
    /// `PENDING`: being uploaded; in no list.
    Pending,
    /// `COMMITTED`
    Committed,
    /// `DELETED`: in no list either (rule 33).
    Deleted,
}

/// Where something stands in the metadata: at least one key, none of them empty. Keys with dots can't be named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataPath(Vec<String>);

impl MetadataPath {
    /// Reads keys with dots between them, as in `scores.accuracy`.
    pub fn parse(dotted: &str) -> Option<Self> {
        Self::new(dotted.split('.').map(str::to_owned).collect())
    }

    /// A path of these keys; `None` if there is none, or an empty one, one with a NUL character, more than metadata's
    /// [`MAX_DEPTH`](crate::metadata::MAX_DEPTH), or more than 1,024 bytes in all.
    pub fn new(keys: Vec<String>) -> Option<Self> {
        let sound = !keys.is_empty()
            && keys.len() <= crate::metadata::MAX_DEPTH
            && keys.iter().map(String::len).sum::<usize>() <= 1024
            && keys.iter().all(|key| !key.is_empty() && !key.contains('\0'));
        sound.then_some(Self(keys))
    }

    /// The keys, as PostgreSQL's `#>` takes them.
    pub fn keys(&self) -> &[String] {
        &self.0
    }
}

/// A version's place as far as filters and orders know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// Number of the version.
    pub id: i64,
    /// Number of the place.
    pub membership_id: i64,
    /// Index in the collection of this place.
    pub index: i64,
    /// How far it has come.
    pub state: VersionState,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Aliases in the collection of this place.
    pub aliases: BTreeSet<String>,
    /// The indexed form of its metadata.
    pub metadata: Json,
    /// When the version was begun.
    pub created_at: Timestamp,
    /// When a field of the version last changed.
    pub updated_at: Timestamp,
}

impl Target for VersionTest {
    type Row = VersionRow;

    const NAME: &'static str = "version";

    fn field(&self) -> String {
        match self {
            Self::Id(_) => "id",
            Self::Index(_) => "version",
            Self::State(_) => "state",
            Self::Tag(_) => "tag",
            Self::Alias(_) => "alias",
            Self::Metadata(path, _) => return format!("metadata.{}", path.keys().join(".")),
            Self::CreatedAt(_) => "created_at",
            Self::UpdatedAt(_) => "updated_at",
        }
        .to_owned()
    }

    fn holds(&self, row: &VersionRow) -> bool {
        match self {
            Self::Id(question) => question.holds(&row.id),
            Self::Index(question) => question.holds(&row.index),
            Self::State(question) => question.holds(&row.state),
            Self::Tag(question) => question.holds(&row.tags),
            Self::Alias(question) => question.holds(&row.aliases),
            Self::Metadata(path, question) => question.holds(row.metadata.at(path.keys())),
            Self::CreatedAt(question) => question.holds(&row.created_at),
            Self::UpdatedAt(question) => question.holds(&row.updated_at),
        }
    }

    /// The fields of the wire's version filter, `state` among them, which `api.artifacts` sends by default. The words of
    /// the SDK's advanced search that mean the same are taken too.
    fn read(asked: &Asked<'_>) -> Result<Filter<Self>, FilterError> {
        let field = asked.field();
        if let Some(dotted) = field.strip_prefix("metadata.") {
            let path = MetadataPath::parse(dotted).ok_or_else(|| asked.unknown_field(FIELDS))?;
            return Ok(asked.json()?.map(&|question| Self::Metadata(path.clone(), question)));
        }
        Ok(match field {
            "id" | "artifact_id" => asked.number(&["Artifact", "Version"])?.map(&Self::Id),
            "version" | "version_index" => {
                let takes = "a version such as \"v3\", or its number; for an alias use the field \"alias\"";
                asked.value("a version", takes, index)?.map(&Self::Index)
            }
            "state" => asked.choice("a state", "PENDING, COMMITTED or DELETED", state)?.map(&Self::State),
            "tag" | "tags" => asked.labels()?.map(&Self::Tag),
            "alias" | "aliases" => asked.labels()?.map(&Self::Alias),
            "created_at" => asked.time()?.map(&Self::CreatedAt),
            "updated_at" => asked.time()?.map(&Self::UpdatedAt),
            _ => return Err(asked.unknown_field(FIELDS)),
        })
    }
}

const FIELDS: &[&str] =
    &["id", "version", "state", "tag", "alias", "metadata.<key> (with dots for inner keys)", "created_at", "updated_at"];

fn index(operand: &Json) -> Option<i64> {
    match operand {
        Json::Scalar(Scalar::Text(text)) => is_version_alias(text),
        Json::Scalar(Scalar::Number(number)) => number.as_i64(),
        _ => None,
    }
}

fn state(word: &str) -> Option<VersionState> {
    match word {
        "PENDING" => Some(VersionState::Pending),
        "COMMITTED" => Some(VersionState::Committed),
        "DELETED" => Some(VersionState::Deleted),
        _ => None,
    }
}

impl Question for VersionTest {
    fn constant(&self) -> Option<bool> {
        match self {
            Self::Id(question) | Self::Index(question) => question.constant(),
            Self::State(question) => question.constant(),
            Self::Tag(question) | Self::Alias(question) => question.constant(),
            Self::Metadata(_, question) => question.constant(),
            Self::CreatedAt(question) | Self::UpdatedAt(question) => question.constant(),
        }
    }

    fn complement(&self) -> Option<Self> {
        match self {
            Self::Id(question) => question.complement().map(Self::Id),
            Self::Index(question) => question.complement().map(Self::Index),
            // What is absent, several or without order has no opposite without a "not".
            Self::State(_) | Self::Tag(_) | Self::Alias(_) | Self::Metadata(..) => None,
            Self::CreatedAt(question) => question.complement().map(Self::CreatedAt),
            Self::UpdatedAt(question) => question.complement().map(Self::UpdatedAt),
        }
    }

    fn values(&self) -> usize {
        match self {
            Self::Id(question) | Self::Index(question) => question.values(),
            Self::State(question) => question.values(),
            Self::Tag(question) | Self::Alias(question) => question.values(),
            Self::Metadata(_, question) => question.values(),
            Self::CreatedAt(question) | Self::UpdatedAt(question) => question.values(),
        }
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Tag(question) | Self::Alias(question) => question.texts(),
            Self::Metadata(_, question) => question.texts(),
            Self::Id(_) | Self::Index(_) | Self::State(_) | Self::CreatedAt(_) | Self::UpdatedAt(_) => Vec::new(),
        }
    }
}
