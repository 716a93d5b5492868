//! What filters can ask of a run.

use std::collections::BTreeSet;

use super::leaf::{ChoiceIs, JsonIs, LabelsAre, NullableTextIs, Question, TextIs, ValueIs};
use super::read::Asked;
use super::timestamp::Timestamp;
use super::value::Json;
use super::{Filter, FilterError, MetadataPath, Target};

/// What is asked of one field of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunTest {
    /// `name`: the id that the client chose.
    Name(TextIs),
    /// `display_name`
    DisplayName(TextIs),
    /// `state`
    State(ChoiceIs<RunState>),
    /// `tags`
    Tag(LabelsAre),
    /// `group`
    Group(NullableTextIs),
    /// `job_type`
    JobType(NullableTextIs),
    /// `host`
    Host(NullableTextIs),
    /// `username`: null of somebody whom the caller doesn't see.
    Username(NullableTextIs),
    /// `notes`
    Notes(NullableTextIs),
    /// `config.` and a path: the values, without what describes them.
    Config(MetadataPath, JsonIs),
    /// `summary_metrics.` and a path.
    Summary(MetadataPath, JsonIs),
    /// `created_at`
    CreatedAt(ValueIs<Timestamp>),
    /// `heartbeat_at`
    HeartbeatAt(ValueIs<Timestamp>),
}

/// What becomes of a run, in the wire's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunState {
    /// Begun, and heard of lately.
    Running,
    /// Ended with exit code 0.
    Finished,
    /// Ended with another.
    Failed,
    /// Not ended, and not heard of for minutes.
    Crashed,
    /// A state that the wire knows and no run here is ever in.
    Never,
}

impl RunState {
    /// The state of this word; `None` if there is none.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "running" => Some(Self::Running),
            "finished" => Some(Self::Finished),
            "failed" => Some(Self::Failed),
            "crashed" => Some(Self::Crashed),
            "killed" | "pending" | "preempted" | "preempting" => Some(Self::Never),
            _ => None,
        }
    }

    /// The state's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Crashed => "crashed",
            Self::Never => "never",
        }
    }
}

/// A run as far as filters and orders know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Number of the row.
    pub id: i64,
    /// The id that the client chose.
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// What has become of it.
    pub state: RunState,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Group.
    pub group: Option<String>,
    /// Kind of job.
    pub job_type: Option<String>,
    /// Machine.
    pub host: Option<String>,
    /// Who started it, if the caller sees him.
    pub username: Option<String>,
    /// Free text.
    pub notes: Option<String>,
    /// [`RunValues::config_index_text`](crate::run_values::RunValues::config_index_text), read.
    pub config: Json,
    /// [`RunValues::index_text`](crate::run_values::RunValues::index_text) of the summary, read.
    pub summary: Json,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last heard of.
    pub heartbeat_at: Timestamp,
}

/// A path into a configuration, in which the SDK wraps each value: `lr.value` and `lr` are the same.
#[must_use]
pub fn config_path(dotted: &str) -> Option<MetadataPath> {
    let mut keys: Vec<String> = dotted.split('.').map(str::to_owned).collect();
    if keys.get(1).is_some_and(|key| key == "value") {
        keys.remove(1);
    }
    MetadataPath::new(keys)
}

impl Target for RunTest {
    type Row = RunRow;

    const NAME: &'static str = "run";

    fn field(&self) -> String {
        match self {
            Self::Name(_) => "name".to_owned(),
            Self::DisplayName(_) => "display_name".to_owned(),
            Self::State(_) => "state".to_owned(),
            Self::Tag(_) => "tags".to_owned(),
            Self::Group(_) => "group".to_owned(),
            Self::JobType(_) => "job_type".to_owned(),
            Self::Host(_) => "host".to_owned(),
            Self::Username(_) => "username".to_owned(),
            Self::Notes(_) => "notes".to_owned(),
            Self::Config(path, _) => format!("config.{}", path.keys().join(".")),
            Self::Summary(path, _) => format!("summary_metrics.{}", path.keys().join(".")),
            Self::CreatedAt(_) => "created_at".to_owned(),
            Self::HeartbeatAt(_) => "heartbeat_at".to_owned(),
        }
    }

    fn holds(&self, row: &RunRow) -> bool {
        match self {
            Self::Name(question) => question.holds(&row.name),
            Self::DisplayName(question) => question.holds(&row.display_name),
            Self::State(question) => question.holds(&row.state),
            Self::Tag(question) => question.holds(&row.tags),
            Self::Group(question) => question.holds(row.group.as_deref()),
            Self::JobType(question) => question.holds(row.job_type.as_deref()),
            Self::Host(question) => question.holds(row.host.as_deref()),
            Self::Username(question) => question.holds(row.username.as_deref()),
            Self::Notes(question) => question.holds(row.notes.as_deref()),
            Self::Config(path, question) => question.holds(row.config.at(path.keys())),
            Self::Summary(path, question) => question.holds(row.summary.at(path.keys())),
            Self::CreatedAt(question) => question.holds(&row.created_at),
            Self::HeartbeatAt(question) => question.holds(&row.heartbeat_at),
        }
    }

    /// The fields of the wire's run filter, in the spellings that its guides use.
    fn read(asked: &Asked<'_>) -> Result<Filter<Self>, FilterError> {
        let field = asked.field();
        if let Some(dotted) = field.strip_prefix("config.") {
            let path = config_path(dotted).ok_or_else(|| asked.unknown_field(FIELDS))?;
            return Ok(asked.json()?.map(&|question| Self::Config(path.clone(), question)));
        }
        let summary = ["summary_metrics.", "summaryMetrics."].iter().find_map(|prefix| field.strip_prefix(prefix));
        // A duration is in seconds, as the SDK's guide has it: clients keep it in the summary.
        if let Some(dotted) = summary.or((field == "duration").then_some("_runtime")) {
            let path = MetadataPath::parse(dotted).ok_or_else(|| asked.unknown_field(FIELDS))?;
            return Ok(asked.json()?.map(&|question| Self::Summary(path.clone(), question)));
        }
        Ok(match field {
            "name" => asked.text(str::to_owned)?.map(&Self::Name),
            "display_name" | "displayName" => asked.text(str::to_owned)?.map(&Self::DisplayName),
            "state" => asked.choice("a state", "running, finished, failed or crashed", RunState::parse)?.map(&Self::State),
            "tags" | "tag" => asked.labels()?.map(&Self::Tag),
            "group" => asked.nullable_text()?.map(&Self::Group),
            "job_type" | "jobType" => asked.nullable_text()?.map(&Self::JobType),
            "host" => asked.nullable_text()?.map(&Self::Host),
            "username" | "user" => asked.nullable_text()?.map(&Self::Username),
            "notes" => asked.nullable_text()?.map(&Self::Notes),
            "created_at" | "createdAt" => asked.time()?.map(&Self::CreatedAt),
            "heartbeat_at" | "heartbeatAt" => asked.time()?.map(&Self::HeartbeatAt),
            _ => return Err(asked.unknown_field(FIELDS)),
        })
    }
}

const FIELDS: &[&str] = &[
    "name",
    "display_name",
    "state",
    "tags",
    "group",
    "job_type",
    "host",
    "username",
    "notes",
    "config.<key>",
    "summary_metrics.<key> (with dots for inner keys)",
    "duration",
    "created_at",
    "heartbeat_at",
];

impl Question for RunTest {
    fn constant(&self) -> Option<bool> {
        match self {
            Self::Name(question) | Self::DisplayName(question) => question.constant(),
            Self::State(question) => question.constant(),
            Self::Tag(question) => question.constant(),
            Self::Group(question)
            | Self::JobType(question)
            | Self::Host(question)
            | Self::Username(question)
            | Self::Notes(question) => question.constant(),
            Self::Config(_, question) | Self::Summary(_, question) => question.constant(),
            Self::CreatedAt(question) | Self::HeartbeatAt(question) => question.constant(),
        }
    }

    fn complement(&self) -> Option<Self> {
        match self {
            Self::Name(question) => question.complement().map(Self::Name),
            Self::DisplayName(question) => question.complement().map(Self::DisplayName),
            Self::CreatedAt(question) => question.complement().map(Self::CreatedAt),
            Self::HeartbeatAt(question) => question.complement().map(Self::HeartbeatAt),
            // What is absent, several or without order has no opposite without a "not".
            _ => None,
        }
    }

    fn values(&self) -> usize {
        match self {
            Self::Name(question) | Self::DisplayName(question) => question.values(),
            Self::State(question) => question.values(),
            Self::Tag(question) => question.values(),
            Self::Group(question)
            | Self::JobType(question)
            | Self::Host(question)
            | Self::Username(question)
            | Self::Notes(question) => question.values(),
            Self::Config(_, question) | Self::Summary(_, question) => question.values(),
            Self::CreatedAt(question) | Self::HeartbeatAt(question) => question.values(),
        }
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Name(question) | Self::DisplayName(question) => question.texts(),
            Self::Tag(question) => question.texts(),
            Self::Group(question)
            | Self::JobType(question)
            | Self::Host(question)
            | Self::Username(question)
            | Self::Notes(question) => question.texts(),
            Self::Config(_, question) | Self::Summary(_, question) => question.texts(),
            Self::State(_) | Self::CreatedAt(_) | Self::HeartbeatAt(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_values::RunValues;

    fn row() -> RunRow {
        let time = |text| Timestamp::parse(text).unwrap();
        let values = |text| RunValues::parse("config", text).unwrap();
        RunRow {
            id: 1,
            name: "1a2b3c4d".to_owned(),
            display_name: "eager-fox-1".to_owned(),
            state: RunState::Crashed,
            tags: ["baseline", "v2"].map(str::to_owned).into(),
            group: Some("sweep".to_owned()),
            job_type: None,
            host: None,
            username: Some("alice".to_owned()),
            notes: Some(String::new()),
            config: Json::parse(
                &values(r#"{"lr":{"value":0.1},"opt":{"value":{"name":"adam","value":3}},"_wandb":{"value":{}}}"#)
                    .config_index_text(),
            )
            .unwrap(),
            summary: Json::parse(&values(r#"{"loss":NaN,"acc":0.9,"best":{"epoch":3},"_runtime":61.5}"#).index_text()).unwrap(),
            created_at: time("2026-01-31 12:00:00"),
            heartbeat_at: time("2026-01-31 12:05:00"),
        }
    }

    #[test]
    fn rule_43_filters_of_runs() {
        for (filter, holds) in [
            ("{}", true),
            (r#"{"state":"crashed"}"#, true),
            (r#"{"state":"running"}"#, false),
            (r#"{"state":{"$in":["failed","crashed","killed"]}}"#, true),
            (r#"{"state":{"$ne":"finished"}}"#, true),
            (r#"{"state":"preempted"}"#, false),
            (r#"{"display_name":{"$regex":"^eager"}}"#, true),
            (r#"{"displayName":"eager-fox-1"}"#, true),
            (r#"{"name":"1a2b3c4d"}"#, true),
            (r#"{"config.lr":0.1}"#, true),
            (r#"{"config.lr.value":0.1}"#, true),
            (r#"{"config.lr.value":{"$gt":0.1}}"#, false),
            (r#"{"config.opt.name":"adam"}"#, true),
            (r#"{"config.opt.value.name":"adam"}"#, true),
            (r#"{"config.opt.value":3}"#, false),
            (r#"{"config.opt.value.value":3}"#, true),
            (r#"{"config.none":{"$exists":false}}"#, true),
            (r#"{"config.none":null}"#, false),
            (r#"{"summary_metrics.acc":{"$gte":0.9}}"#, true),
            (r#"{"summaryMetrics.best.epoch":3}"#, true),
            (r#"{"duration":{"$gt":60}}"#, true),
            (r#"{"duration":{"$lte":60}}"#, false),
            (r#"{"summary_metrics.loss":{"$exists":true}}"#, false),
            (r#"{"tags":"baseline"}"#, true),
            (r#"{"tags":{"$in":["x","v2"]}}"#, true),
            (r#"{"tags":{"$nin":["baseline"]}}"#, false),
            (r#"{"tags":{"$all":["baseline","v2"]}}"#, true),
            (r#"{"group":"sweep","jobType":null}"#, true),
            (r#"{"job_type":{"$exists":true}}"#, false),
            (r#"{"username":"alice"}"#, true),
            (r#"{"user":{"$ne":"alice"}}"#, false),
            (r#"{"notes":""}"#, true),
            (r#"{"host":{"$contains":"gpu"}}"#, false),
            (r#"{"createdAt":{"$gt":"2026-01-31T11:59:59Z"}}"#, true),
            (r#"{"heartbeat_at":{"$lt":"2026-01-31 12:05:00"}}"#, false),
            (r#"{"$or":[{"config.lr":1},{"summary_metrics.acc":{"$gt":0.5}}]}"#, true),
            (r#"{"$nor":[{"state":"crashed"}]}"#, false),
        ] {
            assert_eq!(Filter::<RunTest>::parse(filter).unwrap().matches(&row()), holds, "{filter}");
        }
    }

    #[test]
    fn rule_43_what_is_unknown_is_an_error() {
        for (filter, says) in [
            (r#"{"loss":1}"#, "\"loss\""),
            (r#"{"config":1}"#, "config.<key>"),
            (r#"{"config.":1}"#, "config.<key>"),
            (r#"{"summary_metrics.a..b":1}"#, "summary_metrics.<key>"),
            (r#"{"state":"ended"}"#, "running, finished, failed or crashed"),
            (r#"{"state":{"$gt":"running"}}"#, "$gt"),
            (r#"{"config.lr":{"$near":1}}"#, "$near"),
            (r#"{"created_at":"yesterday"}"#, "2026-01-31"),
            (r#"{"name":1}"#, "a text"),
        ] {
            let error = Filter::<RunTest>::parse(filter).unwrap_err().to_string();
            assert!(error.contains(says), "{filter}: {error}");
        }
    }
}
