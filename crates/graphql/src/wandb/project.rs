//! Projects and registries on the wire: one type, told apart by the prefix of the name. What must not live here: versions.

use std::sync::Arc;

use async_graphql::connection::{CursorType as _, OpaqueCursor, PageInfo};
use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::filters::Filter;
use regalia_domain::ids::ProjectId;
use regalia_domain::names::{ArtifactTypeName, EntityName, ProjectName, RegistryName};
use regalia_domain::roles::{Right, Visibility};
use regalia_domain::types::listed_type;
use regalia_service::Error;
use regalia_service::registries::RegistryFields;
use regalia_service::store::access::{ProjectKind, ProjectRow};
use regalia_service::store::memberships::MembershipRow;
use regalia_service::store::projects::TypeRow;

use crate::ahead;
use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _, Parsed as _};
use crate::ids;
use crate::lists::{CollectionParents, RunList, count};
use crate::loaders::{CollectionNamed, PlaceNamed, TypesOf, UserSeen};
use crate::paging;
use crate::run_keys::RunNamed;
use crate::scalars::{Int64, JsonString};
use crate::shared::User;
use crate::wandb::artifact::Artifact;
use crate::wandb::artifact_type::{ArtifactType, ArtifactTypeConnection, ArtifactTypeEdge};
use crate::wandb::collection::{ArtifactCollection, ArtifactCollectionMembership, artifact_at};
use crate::wandb::entity::Entity;
use crate::wandb::lists::{self, ArtifactCollectionConnection, ProjectConnection, RunConnection};
use crate::wandb::registry_member::{self, ProjectMember, ProjectTeamMember};
use crate::wandb::run::Run;
use crate::wandb::{named_or_default, split_project};

/// W&B protocol: a project, or a registry under its full name.
pub struct Project(pub ProjectRow);

/// A project or registry by its wire name; none when absent or invisible.
pub(crate) async fn find(context: &Context<'_>, entity: &str, name: &str) -> async_graphql::Result<Option<Project>> {
    let (kind, name) = split_project(name);
    Ok(ahead::project(context, entity, kind, name).await?.map(Project))
}

impl Project {
    async fn membership(&self, context: &Context<'_>, name: &str) -> async_graphql::Result<Option<MembershipRow>> {
        context.row(PlaceNamed(self.0.id.0, name.to_owned())).await
    }
}

/// W&B protocol: a project, or a registry under its full name.
#[Object]
impl Project {
    /// W&B protocol: opaque id.
    pub async fn id(&self) -> ID {
        ids::id("Project", self.0.id.0)
    }

    /// W&B protocol: the same number once more; it comes back in filters.
    async fn internal_id(&self) -> ID {
        ids::id("ProjectInternalId", self.0.id.0)
    }

    /// W&B protocol: name; a registry's with its prefix.
    async fn name(&self) -> String {
        format!("{}{}", self.0.kind.prefix(), self.0.name)
    }

    /// W&B protocol: name of the owner.
    async fn entity_name(&self) -> &str {
        &self.0.entity_name
    }

    /// W&B protocol: the owner.
    async fn entity(&self) -> Entity {
        Entity::from(&self.0)
    }

    /// W&B protocol: null and empty differ (rule 7).
    async fn description(&self, context: &Context<'_>) -> async_graphql::Result<Option<&str>> {
        self.0.description.as_deref().map(|text| context.long(text)).transpose()
    }

    /// W&B protocol: when it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// W&B protocol: when its own fields last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// W&B protocol: of a registry `PRIVATE` for its organization or `RESTRICTED` to its members; null for a project.
    async fn access(&self) -> async_graphql::Result<Option<&'static str>> {
        let Some(visibility) = &self.0.visibility else { return Ok(None) };
        let visibility: Visibility = visibility.parse().parsed()?;
        Ok(Some(visibility.to_wire()))
    }

    /// W&B protocol: whether any type may be linked into the registry.
    async fn allow_all_artifact_types_in_registry(&self) -> bool {
        self.0.allow_all_types
    }

    /// W&B protocol: whether the caller can't write here.
    async fn read_only(&self) -> bool {
        !self.0.allows(Right::Contribute)
    }

    /// W&B protocol: the users that are members of a registry themselves, by name.
    async fn members(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ProjectMember>> {
        registry_member::users(context, self.0.id).await
    }

    /// W&B protocol: the teams that are members of a registry, by name.
    async fn team_members(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ProjectTeamMember>> {
        registry_member::teams(context, self.0.id).await
    }

    /// W&B protocol: who made it; null when the caller doesn't see him, or he is gone.
    async fn user(&self, context: &Context<'_>) -> async_graphql::Result<Option<User>> {
        let Some(user) = self.0.created_by else { return Ok(None) };
        Ok(context.row(UserSeen(user)).await?.map(User::from))
    }

    /// W&B protocol: whether it is a public comparison: there are none.
    async fn is_benchmark(&self) -> bool {
        false
    }

    /// W&B protocol: how a page shows it: always null, for none is kept.
    async fn views(&self) -> Option<JsonString> {
        None
    }

    /// W&B protocol: where its code is: always null, for that isn't kept.
    async fn repo(&self) -> Option<String> {
        None
    }

    /// W&B protocol: what its runs ran in: always null, for that isn't kept.
    async fn docker_image(&self) -> Option<String> {
        None
    }

    /// W&B protocol: types on a registry's list, and while all are allowed those in use (rule 5); a project's types in use.
    async fn artifact_types(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the list is the same without.")] include_all: Option<bool>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: at most 1000, and as many if absent.")] first: Option<i32>,
    ) -> async_graphql::Result<ArtifactTypeConnection> {
        // The SDK always asks for all; the list is the same without.
        let _ = include_all;
        let page = paging::page(paging::shortened(first.or(Some(paging::MOST))), after.as_deref())?;
        let mut rows = context.page(TypesOf(self.0.id.0)).await?;
        rows.retain(|row| self.0.kind == ProjectKind::Project || self.0.allow_all_types || row.listed);
        // By name. A registry has a few dozen at most.
        rows.retain(|row| row.name > page.after);
        let most = usize::try_from(page.first).unwrap_or(0);
        let has_next_page = rows.len() > most;
        rows.truncate(most);
        let rows = context.counted(rows)?;
        let cursor = |row: Option<&TypeRow>| row.map(|row| OpaqueCursor(row.name.clone()).encode_cursor());
        let page_info = PageInfo {
            has_previous_page: !page.after.is_empty(),
            has_next_page,
            start_cursor: cursor(rows.first()),
            end_cursor: cursor(rows.last()),
        };
        let edges = rows.into_iter().map(|row| ArtifactTypeEdge {
            cursor: OpaqueCursor(row.name.clone()).encode_cursor(),
            node: ArtifactType { row, project: self.0.clone() },
        });
        Ok(ArtifactTypeConnection { edges: edges.collect(), page_info })
    }

    /// W&B protocol: a type by name.
    async fn artifact_type(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: name.")] name: String,
    ) -> async_graphql::Result<Option<ArtifactType>> {
        let rows = context.page(TypesOf(self.0.id.0)).await?;
        Ok(rows.into_iter().find(|row| row.name == name).map(|row| ArtifactType { row, project: self.0.clone() }))
    }

    /// W&B protocol: a version by `collection:alias`.
    async fn artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: `collection:alias`.")] name: String,
        #[graphql(desc = "W&B protocol: means nothing here.")] enable_tracking: Option<bool>,
    ) -> async_graphql::Result<Option<Artifact>> {
        let _ = enable_tracking;
        let Some(place) = self.membership(context, &name).await? else { return Ok(None) };
        artifact_at(context, &place).await
    }

    /// W&B protocol: its collections, newest first.
    async fn artifact_collections(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: which of them, as JSON.")] filters: Option<JsonString>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
        #[graphql(desc = "W&B protocol: `name`, `created_at` or `updated_at`, `-` in front for descending.")] order: Option<
            String,
        >,
    ) -> async_graphql::Result<ArtifactCollectionConnection> {
        let (filter, wanted) = (lists::filter(filters)?, lists::wanted(first, after, order)?);
        ArtifactCollectionConnection::read(context, self.0.id.0, CollectionParents::Projects, filter, &wanted).await
    }

    /// W&B protocol: a collection by name.
    async fn artifact_collection(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: name.")] name: String,
    ) -> async_graphql::Result<Option<ArtifactCollection>> {
        Ok(context.row(CollectionNamed(self.0.id.0, name)).await?.map(ArtifactCollection::from))
    }

    /// W&B protocol: a version's place by `collection:alias`.
    async fn artifact_collection_membership(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: `collection:alias`.")] name: String,
    ) -> async_graphql::Result<Option<ArtifactCollectionMembership>> {
        Ok(self.membership(context, &name).await?.map(ArtifactCollectionMembership))
    }

    /// W&B protocol: a run by the client's id.
    async fn run(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the client's id.")] name: String,
        #[graphql(desc = "W&B protocol: means nothing here.")] desc: Option<String>,
    ) -> async_graphql::Result<Option<Run>> {
        let _ = desc;
        Ok(context.row(RunNamed(self.0.id.0, name)).await?.map(Run))
    }

    /// W&B protocol: the same.
    async fn bucket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the client's id.")] name: String,
        #[graphql(desc = "W&B protocol: means nothing here.")] desc: Option<String>,
        #[graphql(desc = "W&B protocol: an absent one is null in any case.")] missing_ok: Option<bool>,
    ) -> async_graphql::Result<Option<Run>> {
        let _ = missing_ok;
        self.run(context, name, desc).await
    }

    /// W&B protocol: its runs, oldest first.
    async fn runs(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: which of them, as JSON.")] filters: Option<JsonString>,
        #[graphql(desc = "W&B protocol: at most 1000; 20 if absent.")] first: Option<i32>,
        #[graphql(
            desc = "W&B protocol: `created_at`, `heartbeat_at`, `name`, `display_name`, `config.<key>` or `summary_metrics.<key>`, `-` in front for descending."
        )]
        order: Option<String>,
    ) -> async_graphql::Result<RunConnection> {
        RunConnection::of_project(context, self.0.id.0, lists::filter(filters)?, &lists::wanted(first, after, order)?).await
    }

    /// W&B protocol: how many runs there are.
    async fn run_count(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: which of them, as JSON.")] filters: Option<JsonString>,
    ) -> async_graphql::Result<Int64> {
        Ok(Int64(count(context, self.0.id.0, &Arc::new(RunList(lists::filter(filters)?))).await?))
    }
}

/// W&B protocol: a page of an entity's projects; of an organization's its registries.
pub(crate) async fn of_entity(
    context: &Context<'_>,
    entity: &str,
    first: Option<i32>,
    after: Option<String>,
) -> async_graphql::Result<Option<ProjectConnection>> {
    let wanted = lists::wanted(first, after, None)?;
    let Some(entity) = context.service()?.entity(context.caller()?, entity).await.or_null()? else { return Ok(None) };
    Ok(Some(ProjectConnection::of_entity(context, entity.id, Filter::everything(), &wanted).await?))
}

/// W&B protocol: a type for a registry's list.
#[derive(InputObject)]
pub struct ArtifactTypeInput {
    /// W&B protocol: name.
    name: String,
    /// W&B protocol: accepted and not kept.
    description: Option<String>,
}

/// W&B protocol: a type that a project shall have.
#[derive(InputObject)]
pub struct CreateArtifactTypeInput {
    /// W&B protocol: owner of the project.
    entity_name: String,
    /// W&B protocol: project; a registry's list is changed by `upsertModel`.
    project_name: String,
    /// W&B protocol: name.
    name: String,
    /// W&B protocol: accepted and not kept: a type is its name.
    description: Option<String>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the type.
#[derive(SimpleObject)]
pub struct CreateArtifactTypePayload {
    /// W&B protocol: new, or as it was.
    artifact_type: ArtifactType,
}

/// W&B protocol: what a registry or project shall be.
#[derive(InputObject)]
pub struct UpsertModelInput {
    /// W&B protocol: name; with the prefix it is a registry.
    name: Option<String>,
    /// W&B protocol: owner; the caller's default entity when it is absent.
    entity_name: Option<String>,
    /// W&B protocol: null is no change.
    description: Option<String>,
    /// W&B protocol: `PRIVATE` or `RESTRICTED` for a registry.
    access: Option<String>,
    /// W&B protocol: whether a registry takes any type.
    allow_all_artifact_types_in_registry: Option<bool>,
    /// W&B protocol: types to be added to a registry's list.
    artifact_types: Option<Vec<ArtifactTypeInput>>,
    /// W&B protocol: never used to find the project.
    id: Option<String>,
    /// W&B protocol: accepted and not kept.
    framework: Option<String>,
    /// W&B protocol: accepted and not kept.
    docker_image: Option<String>,
    /// W&B protocol: accepted and not kept.
    repo: Option<String>,
    /// W&B protocol: accepted and not kept.
    is_benchmark: Option<bool>,
    /// W&B protocol: accepted and not kept.
    is_published: Option<bool>,
    /// W&B protocol: accepted and not kept.
    owner: Option<String>,
    /// W&B protocol: accepted and not kept.
    views: Option<JsonString>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: what became of it.
#[derive(SimpleObject)]
pub struct UpsertModelPayload {
    /// W&B protocol: whether it is new.
    inserted: bool,
    /// W&B protocol: the registry or project.
    project: Project,
    /// W&B protocol: the same once more.
    model: Project,
}

impl UpsertModelPayload {
    fn of(project: ProjectRow, inserted: bool) -> Self {
        Self { inserted, model: Project(project.clone()), project: Project(project) }
    }
}

/// W&B protocol: a new name.
#[derive(InputObject)]
pub struct RenameProjectInput {
    /// W&B protocol: owner.
    entity_name: String,
    /// W&B protocol: present name, with its prefix.
    old_project_name: String,
    /// W&B protocol: new name, with its prefix.
    new_project_name: String,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the renamed registry.
#[derive(SimpleObject)]
pub struct RenameProjectPayload {
    /// W&B protocol: always false: a rename makes nothing.
    inserted: bool,
    /// W&B protocol: the registry under its new name.
    project: Project,
}

/// W&B protocol: what to delete.
#[derive(InputObject)]
pub struct DeleteModelInput {
    /// W&B protocol: the registry's id.
    id: String,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: that it was deleted.
#[derive(SimpleObject)]
pub struct DeleteModelPayload {
    /// W&B protocol: always true; what fails is an error.
    success: bool,
}

/// A registry's name on the wire; other projects keep theirs.
fn registry_name(full: &str) -> async_graphql::Result<RegistryName> {
    match RegistryName::from_full_name(full) {
        Some(name) => name.parsed(),
        None => Err(Error::Invalid(format!(
            "Only registries can be renamed, and stay registries: both names begin with \"{}\".",
            regalia_domain::names::REGISTRY_PREFIX
        )))
        .fail(),
    }
}

/// The W&B protocol's writes to projects.
#[derive(Default)]
pub struct ProjectMutation;

/// W&B protocol writes to projects.
#[Object]
impl ProjectMutation {
    /// W&B protocol: creates or updates a registry or project by its name (rule 2).
    async fn upsert_model(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: what it shall be.")] input: UpsertModelInput,
    ) -> async_graphql::Result<UpsertModelPayload> {
        let request = context.request()?;
        let entity = named_or_default(context, input.entity_name).await?;
        let full = input.name.unwrap_or_default();
        if let Some(name) = RegistryName::from_full_name(&full) {
            let name = name.parsed()?;
            let visibility = input.access.as_deref().map(Visibility::from_wire).transpose().parsed()?;
            let types: Option<Vec<ArtifactTypeName>> = input
                .artifact_types
                .map(|types| types.iter().map(|item| listed_type(&item.name)).collect())
                .transpose()
                .parsed()?;
            let fields = RegistryFields {
                description: input.description,
                visibility,
                allow_all_types: input.allow_all_artifact_types_in_registry,
                types,
                ..RegistryFields::default()
            };
            let (project, inserted) = context.service()?.upsert_registry(request, &entity, &name, &fields).await.fail()?;
            context.forget()?;
            return Ok(UpsertModelPayload::of(project, inserted));
        }
        let name = ProjectName::parse(&full).parsed()?;
        let entity = EntityName::parse(&entity).parsed()?;
        let (project, inserted) =
            context.service()?.upsert_project(request, &entity, &name, input.description.as_deref()).await.fail()?;
        context.forget()?;
        Ok(UpsertModelPayload::of(project, inserted))
    }

    /// W&B protocol: gives a project an artifact type that nothing has yet. Logging a version does so by itself.
    async fn create_artifact_type(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: CreateArtifactTypeInput,
    ) -> async_graphql::Result<CreateArtifactTypePayload> {
        let (ProjectKind::Project, project) = split_project(&input.project_name) else {
            return Err(Error::Invalid("A registry's list of types is changed by `upsertModel`.".into())).fail();
        };
        let name = ArtifactTypeName::parse(&input.name).parsed()?;
        let (project, row) =
            context.service()?.create_type(context.request()?, &input.entity_name, project, &name).await.fail()?;
        context.forget()?;
        Ok(CreateArtifactTypePayload { artifact_type: ArtifactType { row, project } })
    }

    /// W&B protocol: renames a registry; the old name means nothing from then on (rule 9).
    async fn rename_project(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the names.")] input: RenameProjectInput,
    ) -> async_graphql::Result<RenameProjectPayload> {
        let (old, new) = (registry_name(&input.old_project_name)?, registry_name(&input.new_project_name)?);
        let row = context.service()?.rename_registry(context.request()?, &input.entity_name, &old, &new).await.fail()?;
        context.forget()?;
        Ok(RenameProjectPayload { inserted: false, project: Project(row) })
    }

    /// W&B protocol: deletes a registry with its collections and links; the second time it is an error (rule 10).
    async fn delete_model(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the registry.")] input: DeleteModelInput,
    ) -> async_graphql::Result<DeleteModelPayload> {
        let id = ProjectId(ids::number(&["Project"], &input.id)?);
        context.service()?.delete_registry(context.request()?, id).await.fail()?;
        context.forget()?;
        Ok(DeleteModelPayload { success: true })
    }
}
