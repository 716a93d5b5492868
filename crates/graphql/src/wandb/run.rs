//! Runs on the wire, as they are read. What must not live here: history, and writes (`run_changes`).

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use regalia_service::store::runs::RunRow;

use crate::context::Reach as _;
use crate::ids;
use crate::lineage::CountOf;
use crate::loaders::ProjectKey;
use crate::scalars::JsonString;
use crate::wandb::lineage::ArtifactConnection;
use crate::wandb::project::Project;

/// W&B protocol: a run.
pub struct Run(pub RunRow);

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
    async fn description(&self, context: &Context<'_>) -> async_graphql::Result<Option<&str>> {
        self.0.description.as_deref().map(|text| context.long(text)).transpose()
    }

    /// W&B protocol: free text.
    async fn notes(&self, context: &Context<'_>) -> async_graphql::Result<Option<&str>> {
        self.0.notes.as_deref().map(|text| context.long(text)).transpose()
    }

    /// W&B protocol: configuration as JSON.
    async fn config(&self, context: &Context<'_>) -> async_graphql::Result<JsonString> {
        Ok(JsonString(context.long(&self.0.config)?.clone()))
    }

    /// W&B protocol: summary as JSON.
    async fn summary_metrics(&self, context: &Context<'_>) -> async_graphql::Result<JsonString> {
        Ok(JsonString(context.long(&self.0.summary)?.clone()))
    }

    /// W&B protocol: tags.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<&String>> {
        context.counted(self.0.tags.iter().collect())
    }

    /// W&B protocol: `running`, `finished` or `failed`.
    async fn state(&self) -> &str {
        &self.0.state
    }

    /// W&B protocol: whether the server asks it to stop: never.
    async fn stopped(&self) -> bool {
        false
    }

    /// W&B protocol: the sweep that it belongs to: none, there are no sweeps.
    async fn sweep_name(&self) -> Option<&str> {
        None
    }

    /// W&B protocol: how many history lines are kept: none (rule 47).
    async fn history_line_count(&self) -> i32 {
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
    ) -> async_graphql::Result<ArtifactConnection> {
        ArtifactConnection::of_run(context, CountOf { run: self.0.id.0, made: false }, first, after.as_deref()).await
    }

    /// W&B protocol: the versions that it logged, also those that were there already, as far as the caller sees them.
    async fn output_artifacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
    ) -> async_graphql::Result<ArtifactConnection> {
        ArtifactConnection::of_run(context, CountOf { run: self.0.id.0, made: true }, first, after.as_deref()).await
    }

    /// W&B protocol: where it runs.
    async fn project(&self, context: &Context<'_>) -> async_graphql::Result<Option<Project>> {
        Ok(context.row(ProjectKey(self.0.project_id.0)).await?.map(Project))
    }
}
