//! Runs of projects and their files, as they are read, with the typed filters and orders of their lists. What must not live here:
//! writes, which are the SDK's.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use regalia_domain::filters::{ChoiceIs, Filter, NullableTextIs, RunState as State, RunTest};
use regalia_domain::orders::{self, Direction, Order};
use regalia_service::run_files::which;
use regalia_service::store::access::{ProjectKind, ProjectRow};
use regalia_service::store::run_files::RunFileRow;
use regalia_service::store::runs::{LongText, RunRow};

use super::lineage::versions;
use super::lists::{self, Arguments, Build, LabelFilter, MetadataFilter, OptionalTextFilter, TextFilter, TimeFilter, joined};
use super::user::Paged;
use super::version::Version;
use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _};
use crate::ids;
use crate::lists::RunList;
use crate::loaders::{PageOf, RunKey, UserSeen};
use crate::paging::{connection, page, probe};
use crate::run_keys::{RunFiles, RunNamed, RunText};
use crate::scalars::{Int64, JsonString};
use crate::shared::User;

/// What has become of a run.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It has begun and was heard of lately.
    Running,
    /// It has ended with exit code 0.
    Finished,
    /// It has ended with another exit code.
    Failed,
    /// It hasn't ended and wasn't heard of for five minutes.
    Crashed,
}

impl RunState {
    const ALL: [Self; 4] = [Self::Running, Self::Finished, Self::Failed, Self::Crashed];

    fn domain(self) -> State {
        match self {
            Self::Running => State::Running,
            Self::Finished => State::Finished,
            Self::Failed => State::Failed,
            Self::Crashed => State::Crashed,
        }
    }
}

/// One execution in a project: what it was told, and what came of it.
#[derive(Debug, Clone)]
pub struct ProjectRun(pub RunRow);

impl ProjectRun {
    /// A long text. It is counted before it is loaded.
    async fn text(&self, context: &Context<'_>, text: LongText, bytes: Option<i32>) -> Result<Option<String>> {
        let Some(bytes) = bytes else { return Ok(None) };
        context.weigh(bytes)?;
        context.row(RunText(self.0.id.0, text)).await
    }
}

/// One execution in a project: what it was told, and what came of it.
#[Object]
impl ProjectRun {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::id("Run", self.0.id.0)
    }

    /// The id that its client chose, unique in the project.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What people call it.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// What has become of it.
    async fn state(&self) -> Option<RunState> {
        // The states of rows are these four.
        RunState::ALL.into_iter().find(|state| state.domain().word() == self.0.state)
    }

    /// Free text.
    async fn notes(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.text(context, LongText::Notes, self.0.notes_bytes).await
    }

    /// Its configuration: a JSON object as Python writes it, which may hold `NaN` and `Infinity`.
    async fn config(&self, context: &Context<'_>) -> Result<Option<JsonString>> {
        Ok(self.text(context, LongText::Config, Some(self.0.config_bytes)).await?.map(JsonString))
    }

    /// Its last values: a JSON object as Python writes it, which may hold `NaN` and `Infinity`.
    async fn summary(&self, context: &Context<'_>) -> Result<Option<JsonString>> {
        Ok(self.text(context, LongText::Summary, Some(self.0.summary_bytes)).await?.map(JsonString))
    }

    /// Its tags.
    async fn tags(&self, context: &Context<'_>) -> Result<Vec<&String>> {
        self.0.tags.iter().try_for_each(|tag| context.long(tag).map(drop))?;
        context.counted(self.0.tags.iter().collect())
    }

    /// Groups runs of one job.
    async fn group(&self) -> Option<&str> {
        self.0.group_name.as_deref()
    }

    /// Kind of job.
    async fn job_type(&self) -> Option<&str> {
        self.0.job_type.as_deref()
    }

    /// Commit of the code, as its client names it.
    async fn commit(&self) -> Option<&str> {
        self.0.git_commit.as_deref()
    }

    /// Whether somebody asked it to stop and it hasn't ended since.
    async fn stop_requested(&self) -> bool {
        self.0.stop_requested
    }

    /// Who started it; null when you don't see this user, or the account is gone.
    async fn created_by(&self, context: &Context<'_>) -> Result<Option<User>> {
        let Some(user) = self.0.created_by else { return Ok(None) };
        Ok(context.row(UserSeen(user)).await?.map(User::from))
    }

    /// The versions that it used and that you may see.
    async fn inputs(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many versions, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Versions after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<Version>> {
        versions(context, self.0.id, false, first, after.as_deref()).await
    }

    /// The versions that it logged and that you may see, also those that were there already.
    async fn outputs(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many versions, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Versions after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<Version>> {
        versions(context, self.0.id, true, first, after.as_deref()).await
    }

    /// When it began.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last heard of.
    async fn heartbeat_at(&self) -> DateTime<Utc> {
        self.0.heartbeat_at
    }

    /// Its files, by name.
    async fn files(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many files, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Files after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "These names alone; all if not given.")] names: Option<Vec<String>>,
    ) -> Result<Paged<RunFile>> {
        let which = Arc::new(which(names, None).fail()?);
        let page = page(first, after.as_deref())?;
        let wanted = probe(&page);
        let key = RunFiles { page: PageOf { parent: self.0.id.0, after: wanted.after, first: wanted.first }, which };
        Ok(connection(&page, context.page(key).await?, |row| row.name.clone(), RunFile))
    }
}

/// A file of a run.
#[derive(Debug, Clone)]
pub struct RunFile(RunFileRow);

/// A file of a run.
#[Object]
impl RunFile {
    /// Path below the run.
    async fn name(&self, context: &Context<'_>) -> Result<&str> {
        context.long(&self.0.name)?;
        Ok(&self.0.name)
    }

    /// Length in bytes.
    async fn size(&self) -> Int64 {
        Int64(self.0.size)
    }

    /// MD5 of the bytes, in hexadecimal.
    async fn md5(&self) -> String {
        self.0.md5.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// When these bytes came.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Where to download it: a URL that needs no key and is good for six hours, while you have the right.
    async fn url(&self, context: &Context<'_>) -> Result<String> {
        let (service, request, caller) = (context.service()?, context.request()?, context.caller()?);
        let (run, name) = (self.0.run_id, self.0.name.as_str());
        context.long(service.signed_run_file_url(request, caller, run, name, &ids::encode_path(name)))
    }
}

/// Which runs are wanted. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct RunFilter {
    /// Each of these.
    and: Option<Vec<RunFilter>>,
    /// At least one of these.
    or: Option<Vec<RunFilter>>,
    /// Not this.
    not: Option<Box<RunFilter>>,
    /// By the id that the client chose.
    name: Option<TextFilter>,
    /// By what people call it.
    display_name: Option<TextFilter>,
    /// By what has become of it: one of these.
    states: Option<Vec<RunState>>,
    /// By its tags.
    tags: Option<LabelFilter>,
    /// By its group.
    group: Option<OptionalTextFilter>,
    /// By its kind of job.
    job_type: Option<OptionalTextFilter>,
    /// By the name of the user who started it, of those whom you see.
    created_by: Option<OptionalTextFilter>,
    /// By its configuration; each of these must hold.
    config: Option<Vec<MetadataFilter>>,
    /// By its summary; each of these must hold.
    summary: Option<Vec<MetadataFilter>>,
    /// By when it began.
    created_at: Option<TimeFilter>,
    /// By when it was last heard of.
    heartbeat_at: Option<TimeFilter>,
}

/// What runs are ordered by.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
pub enum RunOrder {
    /// Begun first, first.
    CreatedAscending,
    /// Begun last, first.
    CreatedDescending,
    /// Longest not heard of first.
    HeartbeatAscending,
    /// Last heard of first.
    HeartbeatDescending,
    /// By display name, A to Z, by code point.
    NameAscending,
    /// By display name, Z to A, by code point.
    NameDescending,
}

impl From<RunOrder> for Order<orders::RunOrder> {
    fn from(order: RunOrder) -> Self {
        let (key, direction) = match order {
            RunOrder::CreatedAscending => (orders::RunOrder::CreatedAt, Direction::Ascending),
            RunOrder::CreatedDescending => (orders::RunOrder::CreatedAt, Direction::Descending),
            RunOrder::HeartbeatAscending => (orders::RunOrder::HeartbeatAt, Direction::Ascending),
            RunOrder::HeartbeatDescending => (orders::RunOrder::HeartbeatAt, Direction::Descending),
            RunOrder::NameAscending => (orders::RunOrder::DisplayName, Direction::Ascending),
            RunOrder::NameDescending => (orders::RunOrder::DisplayName, Direction::Descending),
        };
        Order { key, direction }
    }
}

impl Build for RunFilter {
    type Target = RunTest;
    type List = RunList;

    fn list(filter: Filter<RunTest>) -> RunList {
        RunList(filter)
    }

    fn parts(self) -> regalia_service::Result<Vec<Filter<RunTest>>> {
        let mut parts = joined(self.and, self.or, self.not)?;
        let name = self.name.map_or(Ok(Vec::new()), TextFilter::questions)?;
        parts.extend(name.into_iter().map(|question| Filter::test(RunTest::Name(question))));
        let display_name = self.display_name.map_or(Ok(Vec::new()), TextFilter::questions)?;
        parts.extend(display_name.into_iter().map(|question| Filter::test(RunTest::DisplayName(question))));
        if let Some(states) = self.states {
            parts.push(Filter::test(RunTest::State(ChoiceIs(states.into_iter().map(RunState::domain).collect()))));
        }
        let tags = self.tags.map_or(Ok(Vec::new()), LabelFilter::questions)?;
        parts.extend(tags.into_iter().map(|question| Filter::test(RunTest::Tag(question))));
        let texts: [(_, fn(NullableTextIs) -> RunTest); 3] =
            [(self.group, RunTest::Group), (self.job_type, RunTest::JobType), (self.created_by, RunTest::Username)];
        for (filter, ask) in texts {
            if let Some(filter) = filter {
                parts.push(filter.build(ask)?);
            }
        }
        for config in self.config.into_iter().flatten() {
            parts.push(config.build(RunTest::Config)?);
        }
        for summary in self.summary.into_iter().flatten() {
            parts.push(summary.build(RunTest::Summary)?);
        }
        let created = self.created_at.map_or(Ok(Vec::new()), TimeFilter::questions)?;
        parts.extend(created.into_iter().map(|question| Filter::test(RunTest::CreatedAt(question))));
        let heartbeat = self.heartbeat_at.map_or(Ok(Vec::new()), TimeFilter::questions)?;
        parts.extend(heartbeat.into_iter().map(|question| Filter::test(RunTest::HeartbeatAt(question))));
        Ok(parts)
    }
}

/// Reads of runs.
#[derive(Debug, Default)]
pub struct RunQuery;

/// A project that the caller sees.
async fn project(context: &Context<'_>, entity: &str, name: &str) -> Result<Option<ProjectRow>> {
    context.service()?.project(context.caller()?, entity, ProjectKind::Project, name).await.or_null()
}

/// Reads of runs.
#[Object]
impl RunQuery {
    /// A run by the names of its project and its own; null when there is none or you may not see it.
    async fn run(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Name of the team or user that owns the project.")] entity: String,
        #[graphql(desc = "Name of the project.")] project: String,
        #[graphql(desc = "The id that its client chose.")] name: String,
    ) -> Result<Option<ProjectRun>> {
        let Some(project) = self::project(context, &entity, &project).await? else { return Ok(None) };
        Ok(context.row(RunNamed(project.id.0, name)).await?.map(ProjectRun))
    }

    /// The runs of a project, newest first if no other order is given; null when there is no such project or you may not see it.
    #[allow(clippy::too_many_arguments)] // They are the field's.
    async fn runs(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Name of the team or user that owns the project.")] entity: String,
        #[graphql(desc = "Name of the project.")] project: String,
        #[graphql(desc = "How many runs, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Runs after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which runs; all if not given.")] filter: Option<RunFilter>,
        #[graphql(desc = "In which order.", default_with = "RunOrder::CreatedDescending")] order: RunOrder,
    ) -> Result<Option<Paged<ProjectRun>>> {
        let Some(project) = self::project(context, &entity, &project).await? else { return Ok(None) };
        let arguments = Arguments { filter, order, first, after };
        lists::page(context, project.id.0, arguments, RunKey, ProjectRun).await.map(Some)
    }
}
