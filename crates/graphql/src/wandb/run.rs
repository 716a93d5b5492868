//! Runs on the wire, as they are read. What must not live here: history, and writes (`run_changes`).

use std::sync::Arc;

use async_graphql::{Context, ID, Json, Object, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::roles::Right;
use regalia_domain::run_values::RunValues;
use regalia_service::run_files::which;
use regalia_service::store::run_files::Which;
use regalia_service::store::runs::{LongText, RunRow};

use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::loaders::{PageOf, ProjectKey, UserSeen};
use crate::paging;
use crate::run_keys::{RunFileCount, RunFiles, RunText};
use crate::scalars::{Int64, JsonString};
use crate::wandb::file::FileConnection;
use crate::wandb::lineage::{ArtifactConnection, InputArtifactConnection};
use crate::wandb::project::Project;

/// W&B protocol: a run.
pub struct Run(pub RunRow);

impl Run {
    /// A long text. It is counted before it is loaded.
    async fn text(&self, context: &Context<'_>, text: LongText, bytes: Option<i32>) -> async_graphql::Result<Option<String>> {
        let Some(bytes) = bytes else { return Ok(None) };
        context.weigh(bytes)?;
        context.row(RunText(self.0.id.0, text)).await
    }

    /// A configuration or summary, which is there as long as its run.
    async fn values(&self, context: &Context<'_>, text: LongText, bytes: i32) -> async_graphql::Result<String> {
        Ok(self.text(context, text, Some(bytes)).await?.unwrap_or_else(|| "{}".to_owned()))
    }
}

/// W&B protocol: a run.
#[Object]
impl Run {
    /// W&B protocol: opaque id.
    async fn id(&self) -> ID {
        ids::id("Run", self.0.id.0)
    }

    /// W&B protocol: the id that the client chose.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// W&B protocol: what people see.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// W&B protocol: free text.
    async fn description(&self, context: &Context<'_>) -> async_graphql::Result<Option<String>> {
        self.text(context, LongText::Description, self.0.description_bytes).await
    }

    /// W&B protocol: free text.
    async fn notes(&self, context: &Context<'_>) -> async_graphql::Result<Option<String>> {
        self.text(context, LongText::Notes, self.0.notes_bytes).await
    }

    /// W&B protocol: configuration as JSON.
    async fn config(&self, context: &Context<'_>) -> async_graphql::Result<JsonString> {
        Ok(JsonString(self.values(context, LongText::Config, self.0.config_bytes).await?))
    }

    /// W&B protocol: of what the SDK tells of itself in the configuration the part under these keys, as JSON; null when it told
    /// nothing.
    async fn wandb_config(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the keys.")] keys: Option<Vec<String>>,
    ) -> async_graphql::Result<Option<JsonString>> {
        if keys.as_ref().is_some_and(|keys| keys.len() > 100) {
            return Err(regalia_service::Error::Invalid("At most 100 keys can be asked for.".into())).fail();
        }
        let config = self.values(context, LongText::Config, self.0.config_bytes).await?;
        let config = RunValues::parse("config", &config).parsed()?;
        Ok(config.telemetry(&keys.unwrap_or_default()).map(JsonString))
    }

    /// W&B protocol: summary as JSON.
    async fn summary_metrics(&self, context: &Context<'_>) -> async_graphql::Result<JsonString> {
        Ok(JsonString(self.values(context, LongText::Summary, self.0.summary_bytes).await?))
    }

    /// W&B protocol: always null: measurements of the machine are not kept (rule 47).
    async fn system_metrics(&self) -> Option<JsonString> {
        None
    }

    /// W&B protocol: tags.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<&String>> {
        self.0.tags.iter().try_for_each(|tag| context.long(tag).map(drop))?;
        context.counted(self.0.tags.iter().collect())
    }

    /// W&B protocol: `running`, `finished`, `failed`; `crashed` when it hasn't ended and wasn't heard of for five minutes.
    async fn state(&self) -> &str {
        &self.0.state
    }

    /// W&B protocol: groups runs of one job.
    async fn group(&self) -> Option<&str> {
        self.0.group_name.as_deref()
    }

    /// W&B protocol: kind of job.
    async fn job_type(&self) -> Option<&str> {
        self.0.job_type.as_deref()
    }

    /// W&B protocol: commit of the code.
    async fn commit(&self) -> Option<&str> {
        self.0.git_commit.as_deref()
    }

    /// W&B protocol: whether somebody asked it to stop and it hasn't ended since.
    async fn stopped(&self) -> bool {
        self.0.stop_requested
    }

    /// W&B protocol: the sweep that it belongs to: none, there are no sweeps.
    async fn sweep_name(&self) -> Option<&str> {
        None
    }

    /// W&B protocol: always null: no history lines are kept, so there are no keys in them (rule 47).
    async fn history_keys(&self) -> Option<Json<serde_json::Value>> {
        None
    }

    /// W&B protocol: how many history lines are kept: none (rule 47).
    async fn history_line_count(&self) -> i32 {
        0
    }

    /// W&B protocol: the last history lines that are kept: none (rule 47).
    async fn history_tail(&self) -> JsonString {
        JsonString("[]".to_owned())
    }

    /// W&B protocol: how many measurements of the machine are kept: none (rule 47).
    async fn events_line_count(&self) -> i32 {
        0
    }

    /// W&B protocol: the last measurements of the machine that are kept: none (rule 47).
    async fn events_tail(&self) -> JsonString {
        JsonString("[]".to_owned())
    }

    /// W&B protocol: how many lines of console output are kept: none (rule 47).
    async fn log_line_count(&self) -> i32 {
        0
    }

    /// W&B protocol: when it began.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// W&B protocol: when it was last heard of.
    async fn heartbeat_at(&self) -> DateTime<Utc> {
        self.0.heartbeat_at
    }

    /// W&B protocol: the versions that it used, as far as the caller sees them.
    async fn input_artifacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
    ) -> async_graphql::Result<InputArtifactConnection> {
        InputArtifactConnection::of_run(context, self.0.id.0, first, after.as_deref()).await
    }

    /// W&B protocol: the versions that it logged, also those that were there already, as far as the caller sees them.
    async fn output_artifacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
    ) -> async_graphql::Result<ArtifactConnection> {
        ArtifactConnection::of_run(context, self.0.id.0, first, after.as_deref()).await
    }

    /// W&B protocol: who started it.
    async fn user(&self, context: &Context<'_>) -> async_graphql::Result<RunUser> {
        let Some(user) = self.0.created_by else { return Ok(RunUser { name: None, username: None }) };
        let user = context.row(UserSeen(user)).await?;
        let name = user.as_ref().map(|user| user.display_name.clone().unwrap_or_else(|| user.name.clone()));
        Ok(RunUser { name, username: user.map(|user| user.name) })
    }

    /// W&B protocol: where it runs.
    async fn project(&self, context: &Context<'_>) -> async_graphql::Result<Option<Project>> {
        Ok(context.row(ProjectKey(self.0.project_id.0)).await?.map(Project))
    }

    /// W&B protocol: the number of its project.
    async fn project_id(&self) -> Int64 {
        Int64(self.0.project_id.0)
    }

    /// W&B protocol: whether the caller can't change it.
    async fn read_only(&self, context: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(context.row(ProjectKey(self.0.project_id.0)).await?.is_none_or(|project| !project.allows(Right::Contribute)))
    }

    /// W&B protocol: how many files it has.
    async fn file_count(&self, context: &Context<'_>) -> async_graphql::Result<Int64> {
        let all = RunFileCount { run: self.0.id.0, which: Arc::new(Which::default()) };
        Ok(Int64(context.row(all).await?.unwrap_or_default()))
    }

    /// W&B protocol: its files, by name.
    async fn files(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: these alone; all if empty or absent.")] names: Option<Vec<Option<String>>>,
        #[graphql(desc = "W&B protocol: those alone whose names fit, `%` standing for any text and `_` for a character.")]
        pattern: Option<String>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
    ) -> async_graphql::Result<FileConnection> {
        let names: Vec<String> = names.into_iter().flatten().flatten().collect();
        let which = Arc::new(which(Some(names).filter(|names| !names.is_empty()), pattern).fail()?);
        let page = paging::page(paging::shortened(first), after.as_deref())?;
        let run = self.0.id;
        let key = PageOf { parent: run.0, after: page.after.clone(), first: page.first + 1 };
        let rows = context.page(RunFiles { page: key, which: Arc::clone(&which) }).await?;
        Ok(FileConnection::of_run(run, which, &page, rows))
    }
}

/// W&B protocol: who started a run. Both are null when the caller doesn't see him, or he is gone.
#[derive(SimpleObject)]
pub struct RunUser {
    /// W&B protocol: what people call him.
    name: Option<String>,
    /// W&B protocol: his name.
    username: Option<String>,
}
