//! What becomes of versions, links and collections on the wire, after they were made: changed, tagged, unlinked, deleted. What
//! must not live here: how they come to be (`publish`), and the rules.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use regalia_domain::ids::{CollectionId, VersionId};
use regalia_domain::names::ArtifactTypeName;
use regalia_service::Error;
use regalia_service::changes::VersionChange;
use regalia_service::collections::CollectionChange;
use regalia_service::store::access::ProjectKind;
use regalia_service::store::collections::CollectionRow;

use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::loaders::TagsOfCollection;
use crate::scalars::{Int64, JsonString};
use crate::wandb::artifact::{Artifact, Tag, load};
use crate::wandb::collection::ArtifactCollection;
use crate::wandb::project;
use crate::wandb::publish::{ArtifactAliasInput, TagInput, tags, ttl};

/// W&B protocol: how far a collection is.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactCollectionState {
    /// W&B protocol: there.
    Ready,
    /// W&B protocol: gone.
    Deleted,
}

impl ArtifactCollectionState {
    /// That of a row.
    pub(crate) fn of(row: &CollectionRow) -> Self {
        if row.deleted { Self::Deleted } else { Self::Ready }
    }
}

/// W&B protocol: an alias of one collection.
#[derive(InputObject)]
pub struct ArtifactCollectionAliasInput {
    /// W&B protocol: owner of the project or registry.
    entity_name: String,
    /// W&B protocol: project; a registry's with its prefix.
    project_name: String,
    /// W&B protocol: collection.
    artifact_collection_name: String,
    /// W&B protocol: name.
    alias: String,
}

/// W&B protocol: aliases to give to a version.
#[derive(InputObject)]
pub struct AddAliasesInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: the aliases, all of one collection.
    aliases: Vec<ArtifactCollectionAliasInput>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: done.
#[derive(SimpleObject)]
pub struct AddAliasesPayload {
    /// W&B protocol: true.
    success: bool,
}

/// W&B protocol: aliases to take from a version.
#[derive(InputObject)]
pub struct DeleteAliasesInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: the aliases, all of one collection.
    aliases: Vec<ArtifactCollectionAliasInput>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: done.
#[derive(SimpleObject)]
pub struct DeleteAliasesPayload {
    /// W&B protocol: true.
    success: bool,
}

/// W&B protocol: what to change of a version; null is no change.
#[derive(InputObject)]
pub struct UpdateArtifactInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: free text.
    description: Option<String>,
    /// W&B protocol: JSON object.
    metadata: Option<JsonString>,
    /// W&B protocol: expiry in seconds from its creation; -1 inherits, -2 is off (rule 35).
    ttl_duration_seconds: Option<Int64>,
    /// W&B protocol: tags that it shall have.
    tags_to_add: Option<Vec<TagInput>>,
    /// W&B protocol: tags that it shall not have.
    tags_to_delete: Option<Vec<TagInput>>,
    /// W&B protocol: null or empty: `addAliases` and `deleteAliases` are for them.
    aliases: Option<Vec<ArtifactAliasInput>>,
    /// W&B protocol: accepted and not kept: what aliases were called once.
    labels: Option<JsonString>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the version.
#[derive(SimpleObject)]
pub struct UpdateArtifactPayload {
    /// W&B protocol: as it is now.
    artifact: Artifact,
}

/// W&B protocol: a version to delete.
#[derive(InputObject)]
pub struct DeleteArtifactInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: whether also when it has aliases of somebody's choosing (rule 33).
    delete_aliases: Option<bool>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the version.
#[derive(SimpleObject)]
pub struct DeleteArtifactPayload {
    /// W&B protocol: as it was, with the state DELETED.
    artifact: Artifact,
}

/// W&B protocol: a link to remove.
#[derive(InputObject)]
pub struct UnlinkArtifactInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: the collection that versions are linked into.
    #[graphql(name = "artifactPortfolioID")]
    artifact_portfolio_id: ID,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: done.
#[derive(SimpleObject)]
pub struct UnlinkArtifactPayload {
    /// W&B protocol: the version that was unlinked.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: what the request called itself.
    client_mutation_id: Option<String>,
    /// W&B protocol: true.
    success: bool,
}

/// W&B protocol: what to change of a collection that versions are linked into; null is no change.
#[derive(InputObject)]
pub struct UpdateArtifactPortfolioInput {
    /// W&B protocol: the collection.
    #[graphql(name = "artifactPortfolioID")]
    artifact_portfolio_id: ID,
    /// W&B protocol: a new name.
    name: Option<String>,
    /// W&B protocol: the card.
    description: Option<String>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the collection.
#[derive(SimpleObject)]
pub struct UpdateArtifactPortfolioPayload {
    /// W&B protocol: as it is now.
    artifact_collection: ArtifactCollection,
}

/// W&B protocol: what to change of a source collection; null is no change.
#[derive(InputObject)]
pub struct UpdateArtifactSequenceInput {
    /// W&B protocol: the collection.
    #[graphql(name = "artifactSequenceID")]
    artifact_sequence_id: ID,
    /// W&B protocol: a new name.
    name: Option<String>,
    /// W&B protocol: the card.
    description: Option<String>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the collection.
#[derive(SimpleObject)]
pub struct UpdateArtifactSequencePayload {
    /// W&B protocol: as it is now.
    artifact_collection: ArtifactCollection,
}

/// W&B protocol: another type for a source collection.
#[derive(InputObject)]
pub struct MoveArtifactSequenceInput {
    /// W&B protocol: the collection.
    #[graphql(name = "artifactSequenceID")]
    artifact_sequence_id: ID,
    /// W&B protocol: the type; made if it is missing.
    destination_artifact_type_name: String,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the collection.
#[derive(SimpleObject)]
pub struct MoveArtifactSequencePayload {
    /// W&B protocol: as it is now.
    artifact_collection: ArtifactCollection,
}

/// W&B protocol: a collection that versions are linked into, to delete.
#[derive(InputObject)]
pub struct DeleteArtifactPortfolioInput {
    /// W&B protocol: the collection.
    #[graphql(name = "artifactPortfolioID")]
    artifact_portfolio_id: ID,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the collection.
#[derive(SimpleObject)]
pub struct DeleteArtifactPortfolioPayload {
    /// W&B protocol: as it was, with the state DELETED.
    artifact_collection: ArtifactCollection,
}

/// W&B protocol: a source collection to delete.
#[derive(InputObject)]
pub struct DeleteArtifactSequenceInput {
    /// W&B protocol: the collection.
    #[graphql(name = "artifactSequenceID")]
    artifact_sequence_id: ID,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the collection.
#[derive(SimpleObject)]
pub struct DeleteArtifactSequencePayload {
    /// W&B protocol: as it was, with the state DELETED.
    artifact_collection: ArtifactCollection,
}

/// W&B protocol: tags for a collection.
#[derive(InputObject)]
pub struct CreateArtifactCollectionTagAssignmentsInput {
    /// W&B protocol: owner of the project or registry.
    entity_name: String,
    /// W&B protocol: project; a registry's with its prefix.
    project_name: String,
    /// W&B protocol: collection.
    artifact_collection_name: String,
    /// W&B protocol: at most 20.
    tags: Vec<TagInput>,
    /// W&B protocol: accepted and not kept.
    #[graphql(name = "clientMutationID")]
    client_mutation_id: Option<String>,
}

/// W&B protocol: the tags.
#[derive(SimpleObject)]
pub struct CreateArtifactCollectionTagAssignmentsPayload {
    /// W&B protocol: all tags of the collection, by name.
    tags: Vec<Tag>,
}

/// W&B protocol: tags to take from a collection.
#[derive(InputObject)]
pub struct DeleteArtifactCollectionTagAssignmentsInput {
    /// W&B protocol: owner of the project or registry.
    entity_name: String,
    /// W&B protocol: project; a registry's with its prefix.
    project_name: String,
    /// W&B protocol: collection.
    artifact_collection_name: String,
    /// W&B protocol: at most 20.
    tags: Vec<TagInput>,
    /// W&B protocol: accepted and not kept.
    #[graphql(name = "clientMutationID")]
    client_mutation_id: Option<String>,
}

/// W&B protocol: done.
#[derive(SimpleObject)]
pub struct DeleteArtifactCollectionTagAssignmentsPayload {
    /// W&B protocol: true.
    success: bool,
}

fn version(id: &ID) -> async_graphql::Result<VersionId> {
    Ok(VersionId(ids::number(&["Artifact"], id)?))
}

fn collection(id: &ID) -> async_graphql::Result<CollectionId> {
    Ok(CollectionId(ids::number(&["ArtifactCollection"], id)?))
}

/// A collection that a mutation names.
async fn named(context: &Context<'_>, entity: &str, project: &str, name: &str) -> async_graphql::Result<CollectionRow> {
    let missing =
        || Error::NotFound(format!("There is no collection \"{name}\" in \"{project}\" of \"{entity}\", or you may not see it."));
    let found = project::find(context, entity, project).await?.ok_or_else(missing).fail()?;
    let rows = context.service()?.collections_named(&[found.0.id.0], &[name]).await.fail()?;
    rows.into_iter().next().ok_or_else(missing).fail()
}

/// The one collection that aliases are of, with their names.
async fn aliases(
    context: &Context<'_>,
    given: Vec<ArtifactCollectionAliasInput>,
) -> async_graphql::Result<Option<(CollectionId, Vec<String>)>> {
    let Some(first) = given.first() else { return Ok(None) };
    let path = |alias: &ArtifactCollectionAliasInput| {
        (alias.entity_name.clone(), alias.project_name.clone(), alias.artifact_collection_name.clone())
    };
    let (entity, project, name) = path(first);
    if given.iter().any(|alias| path(alias) != path(first)) {
        return Err(Error::Invalid("Send the aliases of one collection in a request.".into())).fail();
    }
    let row = named(context, &entity, &project, &name).await?;
    Ok(Some((row.id, given.into_iter().map(|alias| alias.alias).collect())))
}

/// The W&B protocol's changes of versions, links and collections.
#[derive(Default)]
pub struct LifeMutation;

/// W&B protocol: changes of versions, links and collections.
#[Object]
impl LifeMutation {
    /// W&B protocol: gives a version aliases in one collection (rule 30).
    async fn add_aliases(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: AddAliasesInput,
    ) -> async_graphql::Result<AddAliasesPayload> {
        let version = version(&input.artifact_id)?;
        if let Some((collection, names)) = aliases(context, input.aliases).await? {
            context.service()?.change_aliases(context.request()?, collection, version, &names, &[]).await.fail()?;
            context.forget()?;
        }
        Ok(AddAliasesPayload { success: true })
    }

    /// W&B protocol: takes aliases from a version in one collection; those that it hasn't are gone already.
    async fn delete_aliases(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: DeleteAliasesInput,
    ) -> async_graphql::Result<DeleteAliasesPayload> {
        let version = version(&input.artifact_id)?;
        if let Some((collection, names)) = aliases(context, input.aliases).await? {
            context.service()?.change_aliases(context.request()?, collection, version, &[], &names).await.fail()?;
            context.forget()?;
        }
        Ok(DeleteAliasesPayload { success: true })
    }

    /// W&B protocol: changes a version's own fields and tags (rules 34 to 36).
    async fn update_artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: UpdateArtifactInput,
    ) -> async_graphql::Result<UpdateArtifactPayload> {
        let version = version(&input.artifact_id)?;
        let change = VersionChange {
            description: input.description,
            metadata: input.metadata.map(|json| json.0),
            ttl: input.ttl_duration_seconds.map(ttl).transpose()?,
            add_tags: tags(input.tags_to_add)?,
            remove_tags: tags(input.tags_to_delete)?,
        };
        if input.aliases.is_some_and(|aliases| !aliases.is_empty()) {
            return Err(Error::Invalid("Send aliases by `addAliases` and `deleteAliases`.".into())).fail();
        }
        context.service()?.update_version(context.request()?, version, &change).await.fail()?;
        context.forget()?;
        Ok(UpdateArtifactPayload { artifact: load(context, version).await? })
    }

    /// W&B protocol: deletes a version with all links to it (rules 32 and 33).
    async fn delete_artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: DeleteArtifactInput,
    ) -> async_graphql::Result<DeleteArtifactPayload> {
        let (version, with_aliases) = (version(&input.artifact_id)?, input.delete_aliases.unwrap_or(false));
        let row = context.service()?.delete_version(context.request()?, version, with_aliases).await.fail()?;
        context.forget()?;
        Ok(DeleteArtifactPayload { artifact: Artifact(row) })
    }

    /// W&B protocol: removes a link (rule 33).
    async fn unlink_artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: UnlinkArtifactInput,
    ) -> async_graphql::Result<UnlinkArtifactPayload> {
        let (collection, version) = (collection(&input.artifact_portfolio_id)?, version(&input.artifact_id)?);
        context.service()?.unlink(context.request()?, collection, version).await.fail()?;
        context.forget()?;
        Ok(UnlinkArtifactPayload { artifact_id: input.artifact_id, client_mutation_id: input.client_mutation_id, success: true })
    }

    /// W&B protocol: changes the name or card of a collection that versions are linked into.
    async fn update_artifact_portfolio(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: UpdateArtifactPortfolioInput,
    ) -> async_graphql::Result<UpdateArtifactPortfolioPayload> {
        let kind = ProjectKind::Registry;
        let artifact_collection = change(context, kind, &input.artifact_portfolio_id, input.name, input.description).await?;
        Ok(UpdateArtifactPortfolioPayload { artifact_collection })
    }

    /// W&B protocol: changes a source collection's name or card.
    async fn update_artifact_sequence(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: UpdateArtifactSequenceInput,
    ) -> async_graphql::Result<UpdateArtifactSequencePayload> {
        let kind = ProjectKind::Project;
        let artifact_collection = change(context, kind, &input.artifact_sequence_id, input.name, input.description).await?;
        Ok(UpdateArtifactSequencePayload { artifact_collection })
    }

    /// W&B protocol: changes a source collection's type, while none of its versions is linked (rule 25).
    async fn move_artifact_sequence(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: MoveArtifactSequenceInput,
    ) -> async_graphql::Result<MoveArtifactSequencePayload> {
        let id = collection(&input.artifact_sequence_id)?;
        let type_name = ArtifactTypeName::parse(&input.destination_artifact_type_name).parsed()?;
        let row = context.service()?.set_collection_type(context.request()?, id, &type_name).await.fail()?;
        context.forget()?;
        Ok(MoveArtifactSequencePayload { artifact_collection: ArtifactCollection::from(row) })
    }

    /// W&B protocol: deletes a collection that versions are linked into, with its links (rules 17 and 32).
    async fn delete_artifact_portfolio(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: DeleteArtifactPortfolioInput,
    ) -> async_graphql::Result<DeleteArtifactPortfolioPayload> {
        Ok(DeleteArtifactPortfolioPayload {
            artifact_collection: delete(context, ProjectKind::Registry, &input.artifact_portfolio_id).await?,
        })
    }

    /// W&B protocol: deletes a source collection with its versions and all links to them (rule 33).
    async fn delete_artifact_sequence(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: DeleteArtifactSequenceInput,
    ) -> async_graphql::Result<DeleteArtifactSequencePayload> {
        Ok(DeleteArtifactSequencePayload {
            artifact_collection: delete(context, ProjectKind::Project, &input.artifact_sequence_id).await?,
        })
    }

    /// W&B protocol: gives tags to a collection (rule 34).
    async fn create_artifact_collection_tag_assignments(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: CreateArtifactCollectionTagAssignmentsInput,
    ) -> async_graphql::Result<CreateArtifactCollectionTagAssignmentsPayload> {
        let row = named(context, &input.entity_name, &input.project_name, &input.artifact_collection_name).await?;
        let change = CollectionChange { add_tags: tags(Some(input.tags))?, ..CollectionChange::default() };
        let kind = if row.is_source() { ProjectKind::Project } else { ProjectKind::Registry };
        context.service()?.update_collection(context.request()?, kind, row.id, &change).await.fail()?;
        context.forget()?;
        let tags = context.page(TagsOfCollection(row.id.0)).await?.into_iter().map(Tag::from).collect();
        Ok(CreateArtifactCollectionTagAssignmentsPayload { tags })
    }

    /// W&B protocol: takes tags from a collection (rule 34).
    async fn delete_artifact_collection_tag_assignments(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: DeleteArtifactCollectionTagAssignmentsInput,
    ) -> async_graphql::Result<DeleteArtifactCollectionTagAssignmentsPayload> {
        let row = named(context, &input.entity_name, &input.project_name, &input.artifact_collection_name).await?;
        let change = CollectionChange { remove_tags: tags(Some(input.tags))?, ..CollectionChange::default() };
        let kind = if row.is_source() { ProjectKind::Project } else { ProjectKind::Registry };
        context.service()?.update_collection(context.request()?, kind, row.id, &change).await.fail()?;
        context.forget()?;
        Ok(DeleteArtifactCollectionTagAssignmentsPayload { success: true })
    }
}

async fn change(
    context: &Context<'_>,
    kind: ProjectKind,
    id: &ID,
    name: Option<String>,
    description: Option<String>,
) -> async_graphql::Result<ArtifactCollection> {
    let change = CollectionChange { name, description, ..CollectionChange::default() };
    let row = context.service()?.update_collection(context.request()?, kind, collection(id)?, &change).await.fail()?;
    context.forget()?;
    Ok(ArtifactCollection::from(row))
}

async fn delete(context: &Context<'_>, kind: ProjectKind, id: &ID) -> async_graphql::Result<ArtifactCollection> {
    let row = context.service()?.delete_collection(context.request()?, kind, collection(id)?).await.fail()?;
    context.forget()?;
    Ok(ArtifactCollection::from(row))
}
