//! Writes to runs on the wire: begun and updated by `upsertBucket`, their files, what they use. What must not live here: a run's
//! fields (`run`).

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use regalia_domain::ids::{RunId, VersionId};
use regalia_domain::names::{EntityName, ProjectName, RunName};
use regalia_domain::run_values::RunValues;
use regalia_service::store::runs::RunFields;

use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::scalars::JsonString;
use crate::wandb::artifact::Artifact;
use crate::wandb::file::File;
use crate::wandb::named_or_default;
use crate::wandb::run::Run;

/// The SDK puts runs that name no project here.
const UNNAMED_PROJECT: &str = "uncategorized";

/// W&B protocol: what a client says of its run; null is no change.
#[derive(InputObject)]
pub struct UpsertBucketInput {
    /// W&B protocol: the id of a run that is there: without a `name` it finds the run.
    id: Option<String>,
    /// W&B protocol: the id that the client chose.
    name: Option<String>,
    /// W&B protocol: project, made if it is missing.
    model_name: Option<String>,
    /// W&B protocol: owner of the project; the caller's default entity when it is absent.
    entity_name: Option<String>,
    /// W&B protocol: group.
    group_name: Option<String>,
    /// W&B protocol: free text.
    description: Option<String>,
    /// W&B protocol: what people see.
    display_name: Option<String>,
    /// W&B protocol: free text.
    notes: Option<String>,
    /// W&B protocol: commit of the code.
    commit: Option<String>,
    /// W&B protocol: configuration as JSON.
    config: Option<JsonString>,
    /// W&B protocol: machine.
    host: Option<String>,
    /// W&B protocol: accepted and not kept.
    debug: Option<bool>,
    /// W&B protocol: program.
    job_program: Option<String>,
    /// W&B protocol: repository.
    job_repo: Option<String>,
    /// W&B protocol: kind of job.
    job_type: Option<String>,
    /// W&B protocol: accepted and not kept: a run's end comes with its last file stream.
    state: Option<String>,
    /// W&B protocol: refused: there are no sweeps.
    sweep: Option<String>,
    /// W&B protocol: tags.
    tags: Option<Vec<String>>,
    /// W&B protocol: summary as JSON.
    summary_metrics: Option<JsonString>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: what became of it.
#[derive(SimpleObject)]
pub struct UpsertBucketPayload {
    /// W&B protocol: the run.
    bucket: Run,
    /// W&B protocol: whether it is new.
    inserted: bool,
    /// W&B protocol: what the server says besides. `wandb sync` of SDKs before 0.28 uploads nothing where it isn't offered.
    server_settings: ServerSettings,
}

/// W&B protocol: what the server says to whoever begins a run.
#[derive(SimpleObject)]
pub struct ServerSettings {
    /// W&B protocol: messages of the operator to print. There are none.
    server_messages: Vec<ServerMessage>,
}

/// W&B protocol: a message of the operator.
#[derive(SimpleObject)]
pub struct ServerMessage {
    /// W&B protocol: for terminals that know colours.
    utf_text: Option<String>,
    /// W&B protocol: for those that don't.
    plain_text: Option<String>,
    /// W&B protocol: for notebooks.
    html_text: Option<String>,
    /// W&B protocol: what it is about.
    message_type: Option<String>,
    /// W&B protocol: how important it is.
    message_level: Option<String>,
}

/// W&B protocol: files that a run announces.
#[derive(InputObject)]
pub struct CreateRunFilesInput {
    /// W&B protocol: owner of the project.
    entity_name: String,
    /// W&B protocol: project.
    project_name: String,
    /// W&B protocol: run.
    run_name: String,
    /// W&B protocol: paths below the run.
    files: Vec<String>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: where to send them.
#[derive(SimpleObject)]
pub struct CreateRunFilesPayload {
    /// W&B protocol: the run.
    #[graphql(name = "runID")]
    run_id: ID,
    /// W&B protocol: headers to send with each: none.
    upload_headers: Vec<String>,
    /// W&B protocol: one for each path, in the order asked for; without an upload URL where it can't be that of a file.
    files: Vec<File>,
}

/// W&B protocol: a run that shall stop.
#[derive(InputObject)]
pub struct StopRunInput {
    /// W&B protocol: the run.
    id: ID,
    /// W&B protocol: what the request calls itself, for the answer.
    client_mutation_id: Option<String>,
}

/// W&B protocol: that it was asked.
#[derive(SimpleObject)]
pub struct StopRunPayload {
    /// W&B protocol: what the request called itself.
    client_mutation_id: Option<String>,
    /// W&B protocol: always true; what fails is an error.
    success: bool,
}

/// W&B protocol: files of a run that were sent.
#[derive(InputObject)]
pub struct MarkRunFilesUploadedInput {
    /// W&B protocol: owner of the project.
    entity_name: String,
    /// W&B protocol: project.
    project_name: String,
    /// W&B protocol: run.
    run_name: String,
    /// W&B protocol: paths below the run.
    files: Vec<String>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: what became of them.
#[derive(SimpleObject)]
pub struct MarkRunFilesUploadedPayload {
    /// W&B protocol: whether all of them are here.
    success: bool,
}

/// W&B protocol: a version that a run uses.
#[derive(InputObject)]
pub struct UseArtifactInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: owner of the run's project.
    entity_name: String,
    /// W&B protocol: the run's project.
    project_name: String,
    /// W&B protocol: the run.
    run_name: String,
    /// W&B protocol: accepted and not kept.
    used_as: Option<String>,
    /// W&B protocol: the path that the version was found by; its id decides.
    artifact_entity_name: Option<String>,
    /// W&B protocol: the path that the version was found by; its id decides.
    artifact_project_name: Option<String>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: what became of it.
#[derive(SimpleObject)]
pub struct UseArtifactPayload {
    /// W&B protocol: the version.
    artifact: Artifact,
}

/// Where a run is, parsed.
fn place(entity: &str, project: &str, run: &str) -> async_graphql::Result<(EntityName, ProjectName, RunName)> {
    Ok((EntityName::parse(entity).parsed()?, ProjectName::parse(project).parsed()?, RunName::parse(run).parsed()?))
}

/// The W&B protocol's writes to runs.
#[derive(Default)]
pub struct RunMutation;

/// W&B protocol writes to runs.
#[Object]
impl RunMutation {
    /// W&B protocol: makes or updates a run, with its project if that is missing.
    async fn upsert_bucket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: UpsertBucketInput,
    ) -> async_graphql::Result<UpsertBucketPayload> {
        if input.sweep.as_ref().is_some_and(|sweep| !sweep.is_empty()) {
            return Err(regalia_service::Error::Invalid("Regalia has no sweeps; start the run without one.".into())).fail();
        }
        let fields = RunFields {
            display_name: input.display_name.filter(|name| !name.is_empty()),
            description: input.description,
            notes: input.notes,
            group_name: input.group_name,
            job_type: input.job_type,
            host: input.host,
            git_commit: input.commit,
            program: input.job_program,
            repo: input.job_repo,
            config: input.config.map(|json| RunValues::parse("config", &json.0)).transpose().parsed()?,
            summary: input.summary_metrics.map(|json| RunValues::parse("summary", &json.0)).transpose().parsed()?,
            tags: input.tags,
        };
        let (service, request) = (context.service()?, context.request()?);
        let (run, inserted) = match (input.name, input.id) {
            // Whoever names his run begins it or goes on with it; whoever has only its id changes what is written about it.
            (None, Some(id)) => {
                let run = RunId(ids::number(&["Run"], &id)?);
                (service.update_run(request, run, &fields).await.fail()?, false)
            }
            (None, None) => {
                return Err(regalia_service::Error::Invalid("Say which run: by its `name`, or by its `id`.".into())).fail();
            }
            (Some(name), _) => {
                let entity = named_or_default(context, input.entity_name).await?;
                let project = input.model_name.filter(|name| !name.is_empty()).unwrap_or_else(|| UNNAMED_PROJECT.to_owned());
                let (entity, project, name) = place(&entity, &project, &name)?;
                let (run, _, inserted) = service.upsert_run(request, &entity, &project, &name, &fields).await.fail()?;
                (run, inserted)
            }
        };
        context.forget()?;
        Ok(UpsertBucketPayload { bucket: Run(run), inserted, server_settings: ServerSettings { server_messages: Vec::new() } })
    }

    /// W&B protocol: asks a run to stop: it is told when it is next heard of.
    async fn stop_run(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: StopRunInput,
    ) -> async_graphql::Result<StopRunPayload> {
        let run = RunId(ids::number(&["Run"], &input.id)?);
        context.service()?.stop_run(context.request()?, run).await.fail()?;
        context.forget()?;
        Ok(StopRunPayload { client_mutation_id: input.client_mutation_id, success: true })
    }

    /// W&B protocol: says that files of a run have been sent.
    async fn mark_run_files_uploaded(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: MarkRunFilesUploadedInput,
    ) -> async_graphql::Result<MarkRunFilesUploadedPayload> {
        let (entity, project, run) = place(&input.entity_name, &input.project_name, &input.run_name)?;
        let service = context.service()?;
        let success = service.run_files_arrived(context.request()?, &entity, &project, &run, input.files).await.fail()?;
        Ok(MarkRunFilesUploadedPayload { success })
    }

    /// W&B protocol: announces files of a run.
    async fn create_run_files(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: CreateRunFilesInput,
    ) -> async_graphql::Result<CreateRunFilesPayload> {
        let (entity, project, run) = place(&input.entity_name, &input.project_name, &input.run_name)?;
        let (run, targets) =
            context.service()?.announce_run_files(context.request()?, &entity, &project, &run, &input.files).await.fail()?;
        let files = input.files.into_iter().zip(targets).map(|(name, target)| File::announced(name, target, None)).collect();
        Ok(CreateRunFilesPayload { run_id: ids::id("Run", run.0), upload_headers: Vec::new(), files })
    }

    /// W&B protocol: notes that a run uses a version.
    async fn use_artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: UseArtifactInput,
    ) -> async_graphql::Result<UseArtifactPayload> {
        let (entity, project, run) = place(&input.entity_name, &input.project_name, &input.run_name)?;
        let version = VersionId(ids::number(&["Artifact"], &input.artifact_id)?);
        let row = context.service()?.use_version(context.request()?, &entity, &project, &run, version).await.fail()?;
        Ok(UseArtifactPayload { artifact: Artifact(row) })
    }
}
