//! Logging and linking versions on the wire: from `createArtifact` to `linkArtifact`. What must not live here: the rules of
//! a commit or a link.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use regalia_domain::digest::Md5;
use regalia_domain::ids::VersionId;
use regalia_domain::manifest::known_region;
use regalia_domain::names::{
    ArtifactTypeName, EntityName, ProjectName, RegistryCollectionName, RegistryName, RunName, SourceCollectionName, TagName,
};
use regalia_domain::paths::{EntryPath, TargetPath};
use regalia_domain::ttl::Ttl;
use regalia_service::Error;
use regalia_service::drafts::{Kind, NewManifest};
use regalia_service::links::Link;
use regalia_service::store::access::ProjectKind;
use regalia_service::versions::{Announced, NewFile, NewVersion};

use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::loaders::VersionKey;
use crate::scalars::{Int64, JsonString};
use crate::wandb::artifact::{Artifact, ArtifactManifest, load};
use crate::wandb::collection::ArtifactCollectionMembership;
use crate::wandb::file::{File, FileConnection};
use crate::wandb::split_project;

/// Most file specs of one request (rule 44: the SDK sends up to 2,000).
const MOST_FILES: usize = crate::limits::FILES;

/// W&B protocol: how a digest is computed.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactDigestAlgorithm {
    /// W&B protocol: MD5 over the entries.
    #[graphql(name = "MANIFEST_MD5")]
    ManifestMd5,
}

/// W&B protocol: where files are stored.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactStorageLayout {
    /// W&B protocol: before 2021; refused.
    V1,
    /// W&B protocol: what every supported SDK writes.
    V2,
}

/// W&B protocol: what a manifest is relative to.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactManifestType {
    /// W&B protocol: nothing: it is whole.
    Full,
    /// W&B protocol: an earlier version, whose entries stay.
    Incremental,
    /// W&B protocol: other parts of the same version.
    Patch,
}

/// W&B protocol: an alias to set.
#[derive(InputObject)]
pub struct ArtifactAliasInput {
    /// W&B protocol: the collection it is meant for; the request has one anyway.
    artifact_collection_name: Option<String>,
    /// W&B protocol: name.
    alias: String,
}

/// W&B protocol: a tag to set.
#[derive(InputObject)]
pub struct TagInput {
    /// W&B protocol: name.
    tag_name: String,
    /// W&B protocol: accepted and not kept.
    tag_category_name: Option<String>,
    /// W&B protocol: accepted and not kept.
    attributes: Option<JsonString>,
}

/// W&B protocol: a version to begin.
#[derive(InputObject)]
pub struct CreateArtifactInput {
    /// W&B protocol: owner of the project.
    entity_name: String,
    /// W&B protocol: project, made if it is missing.
    project_name: String,
    /// W&B protocol: type of the collection.
    artifact_type_name: String,
    /// W&B protocol: collection, made if it is missing.
    artifact_collection_name: Option<String>,
    /// W&B protocol: the same as a list of one.
    artifact_collection_names: Option<Vec<String>>,
    /// W&B protocol: the run that logs it.
    run_name: Option<String>,
    /// W&B protocol: MD5 of the manifest.
    digest: String,
    /// W&B protocol: how it is computed.
    digest_algorithm: Option<ArtifactDigestAlgorithm>,
    /// W&B protocol: free text.
    description: Option<String>,
    /// W&B protocol: accepted and not kept: what aliases were called once.
    labels: Option<JsonString>,
    /// W&B protocol: aliases to set at commit.
    aliases: Option<Vec<ArtifactAliasInput>>,
    /// W&B protocol: JSON object.
    metadata: Option<JsonString>,
    /// W&B protocol: tags (rule 34).
    tags: Option<Vec<TagInput>>,
    /// W&B protocol: expiry in seconds from now; -1 inherits, -2 is off (rule 35).
    ttl_duration_seconds: Option<Int64>,
    /// W&B protocol: the run's step.
    history_step: Option<Int64>,
    /// W&B protocol: whether the newest version is returned when it is the same (rule 26).
    enable_digest_deduplication: Option<bool>,
    /// W&B protocol: what several processes that make the version together call it.
    #[graphql(name = "distributedID")]
    distributed_id: Option<String>,
    /// W&B protocol: the client's own name for it.
    #[graphql(name = "clientID")]
    client_id: Option<ID>,
    /// W&B protocol: accepted and not kept.
    #[graphql(name = "sequenceClientID")]
    sequence_client_id: Option<ID>,
    /// W&B protocol: null or `default`.
    storage_region: Option<String>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the version.
#[derive(SimpleObject)]
pub struct CreateArtifactPayload {
    /// W&B protocol: pending, or committed when the newest is the same.
    artifact: Artifact,
}

/// W&B protocol: a manifest to announce.
#[derive(InputObject)]
pub struct CreateArtifactManifestInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: the version that it is based on; of an incremental manifest its entries stay.
    #[graphql(name = "baseArtifactID")]
    base_artifact_id: Option<ID>,
    /// W&B protocol: what the client calls the file.
    name: String,
    /// W&B protocol: base64 MD5 of the manifest file; empty while it isn't known.
    digest: String,
    /// W&B protocol: the version's id decides.
    entity_name: String,
    /// W&B protocol: the version's id decides.
    project_name: String,
    /// W&B protocol: the run that makes a part of a version.
    run_name: String,
    /// W&B protocol: what it is relative to; FULL if it isn't said.
    #[graphql(name = "type")]
    manifest_type: Option<ArtifactManifestType>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the announced manifest.
#[derive(SimpleObject)]
pub struct CreateArtifactManifestPayload {
    /// W&B protocol: the manifest, with an upload URL once its digest is known.
    artifact_manifest: ArtifactManifest,
}

/// W&B protocol: a manifest to announce again.
#[derive(InputObject)]
pub struct UpdateArtifactManifestInput {
    /// W&B protocol: the manifest.
    #[graphql(name = "artifactManifestID")]
    artifact_manifest_id: ID,
    /// W&B protocol: base64 MD5 of the manifest file.
    digest: Option<String>,
    /// W&B protocol: the version that it is based on.
    #[graphql(name = "baseArtifactID")]
    base_artifact_id: Option<ID>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the announced manifest.
#[derive(SimpleObject)]
pub struct UpdateArtifactManifestPayload {
    /// W&B protocol: the manifest, with an upload URL.
    artifact_manifest: ArtifactManifest,
}

/// W&B protocol: a part of a file.
#[derive(InputObject)]
pub struct UploadPartsInput {
    /// W&B protocol: from 1.
    part_number: Int64,
    /// W&B protocol: hexadecimal MD5.
    #[graphql(name = "hexMD5")]
    hex_md5: String,
}

/// W&B protocol: a file to announce.
#[derive(InputObject)]
pub struct CreateArtifactFileSpecInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: path in the manifest.
    name: String,
    /// W&B protocol: base64 MD5 of the bytes.
    md5: String,
    /// W&B protocol: accepted and not kept.
    mimetype: Option<String>,
    /// W&B protocol: the version's announced manifest.
    #[graphql(name = "artifactManifestID")]
    artifact_manifest_id: Option<ID>,
    /// W&B protocol: a claim that means nothing: the server says where files are.
    storage_path: Option<String>,
    /// W&B protocol: accepted and not used: a file of any size goes in one request.
    upload_parts_input: Option<Vec<UploadPartsInput>>,
}

/// W&B protocol: files to announce, all of one version.
#[derive(InputObject)]
pub struct CreateArtifactFilesInput {
    /// W&B protocol: the files.
    artifact_files: Vec<CreateArtifactFileSpecInput>,
    /// W&B protocol: V2.
    storage_layout: ArtifactStorageLayout,
    /// W&B protocol: accepted and not kept.
    #[graphql(name = "cloudRegionID")]
    cloud_region_id: Option<ID>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: where to send them.
#[derive(SimpleObject)]
pub struct CreateArtifactFilesPayload {
    /// W&B protocol: one for each file, in the order asked for.
    files: FileConnection,
}

/// W&B protocol: what becomes of an upload in parts.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompleteMultipartAction {
    /// W&B protocol: it is whole.
    #[graphql(name = "Complete")]
    Complete,
}

/// W&B protocol: an upload in parts.
#[derive(InputObject)]
pub struct CompleteMultipartUploadArtifactInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: what becomes of it.
    complete_multipart_action: CompleteMultipartAction,
    /// W&B protocol: its parts.
    completed_parts: Vec<UploadPartsInput>,
    /// W&B protocol: where it is.
    storage_path: String,
    /// W&B protocol: the upload.
    #[graphql(name = "uploadID")]
    upload_id: String,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the file.
#[derive(SimpleObject)]
pub struct CompleteMultipartUploadArtifactPayload {
    /// W&B protocol: its digest.
    digest: Option<String>,
}

/// W&B protocol: a version to commit.
#[derive(InputObject)]
pub struct CommitArtifactInput {
    /// W&B protocol: the version.
    #[graphql(name = "artifactID")]
    artifact_id: ID,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the version.
#[derive(SimpleObject)]
pub struct CommitArtifactPayload {
    /// W&B protocol: committed.
    artifact: Artifact,
}

/// W&B protocol: a version to link.
#[derive(InputObject)]
pub struct LinkArtifactInput {
    /// W&B protocol: the version, or `clientID`.
    #[graphql(name = "artifactID")]
    artifact_id: Option<ID>,
    /// W&B protocol: the client's own name for the version.
    #[graphql(name = "clientID")]
    client_id: Option<ID>,
    /// W&B protocol: collection, made if it is missing.
    artifact_portfolio_name: String,
    /// W&B protocol: owner of the registry or project.
    entity_name: String,
    /// W&B protocol: the registry's full name, or a project, made if it is missing.
    project_name: String,
    /// W&B protocol: aliases in that collection.
    aliases: Option<Vec<ArtifactAliasInput>>,
    /// W&B protocol: accepted and not used: names decide.
    #[graphql(name = "artifactPortfolioID")]
    artifact_portfolio_id: Option<ID>,
    /// W&B protocol: accepted and not kept.
    client_mutation_id: Option<String>,
}

/// W&B protocol: the link.
#[derive(SimpleObject)]
pub struct LinkArtifactPayload {
    /// W&B protocol: N of `vN` in that collection.
    version_index: Option<i32>,
    /// W&B protocol: the place.
    artifact_membership: Option<ArtifactCollectionMembership>,
}

fn refuse<T>(sentence: impl Into<String>) -> async_graphql::Result<T> {
    Err(Error::Invalid(sentence.into())).fail()
}

fn version(id: &ID) -> async_graphql::Result<VersionId> {
    Ok(VersionId(ids::number(&["Artifact"], id)?))
}

/// The version that a manifest is based on, if one is named.
fn base(id: Option<ID>) -> async_graphql::Result<Option<VersionId>> {
    id.map(|id| version(&id)).transpose()
}

/// The MD5 of a manifest file.
fn md5(digest: &str) -> async_graphql::Result<Md5> {
    Md5::from_base64(digest).map_err(|error| Error::Invalid(format!("`digest`: {error}"))).fail()
}

/// The expiry that a request asks for.
pub(crate) fn ttl(given: Int64) -> async_graphql::Result<Ttl> {
    Ttl::parse(given.0).parsed()
}

/// The tags of a request.
pub(crate) fn tags(given: Option<Vec<TagInput>>) -> async_graphql::Result<Vec<TagName>> {
    given.unwrap_or_default().into_iter().map(|tag| TagName::parse(&tag.tag_name).parsed()).collect()
}

/// The aliases of a request that is about one collection.
pub(crate) fn aliases(given: Option<Vec<ArtifactAliasInput>>, collection: &str) -> async_graphql::Result<Vec<String>> {
    let given = given.unwrap_or_default();
    if let Some(other) =
        given.iter().filter_map(|alias| alias.artifact_collection_name.as_deref()).find(|name| *name != collection)
    {
        return refuse(format!("An alias for the collection \"{other}\" was sent with a request about \"{collection}\"."));
    }
    Ok(given.into_iter().map(|alias| alias.alias).collect())
}

impl CreateArtifactInput {
    fn parse(self) -> async_graphql::Result<NewVersion> {
        let names = self.artifact_collection_names.unwrap_or_default();
        let name = match (self.artifact_collection_name, names.as_slice()) {
            (Some(name), []) => name,
            (None, [name]) => name.clone(),
            (Some(name), [other]) if name == *other => name,
            _ => return refuse("A version belongs to exactly one collection: send `artifactCollectionName`."),
        };
        let ttl = self.ttl_duration_seconds.map(ttl).transpose()?.unwrap_or(Ttl::INHERIT);
        if let Some(region) = self.storage_region.filter(|region| !region.is_empty()) {
            known_region(&region).parsed()?;
        }
        Ok(NewVersion {
            entity: EntityName::parse(&self.entity_name).parsed()?,
            project: ProjectName::parse(&self.project_name).parsed()?,
            type_name: ArtifactTypeName::parse(&self.artifact_type_name).parsed()?,
            run: self.run_name.filter(|name| !name.is_empty()).map(|name| RunName::parse(&name)).transpose().parsed()?,
            digest: Md5::from_hex(&self.digest).map_err(|error| Error::Invalid(format!("`digest`: {error}"))).fail()?,
            description: self.description,
            metadata: self.metadata.map(|json| json.0),
            aliases: aliases(self.aliases, &name)?,
            collection: SourceCollectionName::parse(&name).parsed()?,
            ttl,
            history_step: self.history_step.map(|step| step.0),
            tags: tags(self.tags)?,
            client_id: self.client_id.map(|id| id.0),
            deduplicate: self.enable_digest_deduplication.unwrap_or(false),
            distributed_id: self.distributed_id.filter(|id| !id.is_empty()),
        })
    }
}

/// The W&B protocol's way from a version's beginning to its links.
#[derive(Default)]
pub struct PublishMutation;

/// W&B protocol's way from a version's beginning to its links.
#[Object]
impl PublishMutation {
    /// W&B protocol: begins a version, or returns the newest when it is the same (rule 26).
    async fn create_artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: CreateArtifactInput,
    ) -> async_graphql::Result<CreateArtifactPayload> {
        let logged = context.service()?.log_version(context.request()?, &input.parse()?).await.fail()?;
        context.forget()?;
        Ok(CreateArtifactPayload { artifact: load(context, logged.version).await? })
    }

    /// W&B protocol: announces the manifest; again with its digest, for an upload URL.
    async fn create_artifact_manifest(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: CreateArtifactManifestInput,
    ) -> async_graphql::Result<CreateArtifactManifestPayload> {
        let version = version(&input.artifact_id)?;
        let new = NewManifest {
            kind: match input.manifest_type {
                None | Some(ArtifactManifestType::Full) => Kind::Full,
                Some(ArtifactManifestType::Incremental) => Kind::Incremental,
                Some(ArtifactManifestType::Patch) => Kind::Patch,
            },
            base: base(input.base_artifact_id)?,
            run: input.run_name,
            md5: Some(input.digest).filter(|digest| !digest.is_empty()).map(|digest| md5(&digest)).transpose()?,
        };
        let (id, target) = context.service()?.announce_manifest(context.request()?, version, &new).await.fail()?;
        let file = File::announced(input.name, target, context.row(VersionKey(version.0)).await?.map(Arc::new));
        Ok(CreateArtifactManifestPayload { artifact_manifest: ArtifactManifest { id: ids::id("ArtifactManifest", id), file } })
    }

    /// W&B protocol: announces a manifest again, now with its digest, for an upload URL.
    async fn update_artifact_manifest(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: UpdateArtifactManifestInput,
    ) -> async_graphql::Result<UpdateArtifactManifestPayload> {
        let manifest = ids::number(&["ArtifactManifest"], &input.artifact_manifest_id)?;
        let Some(digest) = input.digest else { return refuse("Send the manifest's `digest`.") };
        let base = base(input.base_artifact_id)?;
        let (service, request) = (context.service()?, context.request()?);
        let (version, target) = service.update_manifest(request, manifest, base, md5(&digest)?).await.fail()?;
        let version = context.row(VersionKey(version.0)).await?.map(Arc::new);
        let file = File::announced("wandb_manifest.json".to_owned(), Some(target), version);
        let id = ids::id("ArtifactManifest", manifest);
        Ok(UpdateArtifactManifestPayload { artifact_manifest: ArtifactManifest { id, file } })
    }

    /// W&B protocol: announces files.
    async fn create_artifact_files(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: CreateArtifactFilesInput,
    ) -> async_graphql::Result<CreateArtifactFilesPayload> {
        if input.storage_layout != ArtifactStorageLayout::V2 {
            return refuse("Only the storage layout V2 is served.");
        }
        if input.artifact_files.len() > MOST_FILES {
            return refuse(format!("At most {MOST_FILES} files can be announced in one request."));
        }
        let Some(first) = input.artifact_files.first() else {
            return Ok(CreateArtifactFilesPayload { files: FileConnection::announced(Vec::new()) });
        };
        let artifact = version(&first.artifact_id)?;
        let manifest = first.artifact_manifest_id.clone();
        if input.artifact_files.iter().any(|file| file.artifact_id != first.artifact_id || file.artifact_manifest_id != manifest)
        {
            return refuse("All files of one request belong to one version.");
        }
        let manifest = manifest.map(|id| ids::number(&["ArtifactManifest"], &id)).transpose()?;
        let mut files = Vec::with_capacity(input.artifact_files.len());
        for file in &input.artifact_files {
            let path = EntryPath::parse(&file.name).parsed()?;
            let md5 = Md5::from_base64(&file.md5)
                .map_err(|error| Error::Invalid(format!("`md5` of \"{}\": {error}", path.as_str())))
                .fail()?;
            files.push(NewFile { path, md5 });
        }
        let announced = context.service()?.announce_files(context.request()?, artifact, manifest, &files).await.fail()?;
        let births = announced.iter().map(|announced| match announced {
            Announced::Upload(_) => VersionKey(artifact.0),
            Announced::Stored(birth) => VersionKey(birth.0),
        });
        // One statement for all: the same version stands behind most of them.
        let rows = context.rows(births.collect::<HashSet<_>>().into_iter()).await?;
        let rows: HashMap<_, _> = rows.into_iter().map(|(key, row)| (key, Arc::new(row))).collect();
        let files = input
            .artifact_files
            .into_iter()
            .zip(announced)
            .map(|(file, announced)| match announced {
                Announced::Upload(target) => File::announced(file.name, Some(target), rows.get(&VersionKey(artifact.0)).cloned()),
                Announced::Stored(birth) => File::announced(file.name, None, rows.get(&VersionKey(birth.0)).cloned()),
            })
            .collect();
        Ok(CreateArtifactFilesPayload { files: FileConnection::announced(files) })
    }

    /// W&B protocol: completes an upload in parts. Always refused: no such upload is ever begun, for a file of any size goes in one
    /// request (`uploadMultipartUrls` is null).
    async fn complete_multipart_upload_artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: CompleteMultipartUploadArtifactInput,
    ) -> async_graphql::Result<CompleteMultipartUploadArtifactPayload> {
        context.caller()?;
        let CompleteMultipartUploadArtifactInput { .. } = input;
        refuse("There is no such upload in parts: a file of any size is sent whole, to its `uploadUrl`.")
    }

    /// W&B protocol: commits a version; again changes nothing.
    async fn commit_artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: CommitArtifactInput,
    ) -> async_graphql::Result<CommitArtifactPayload> {
        let version = version(&input.artifact_id)?;
        context.service()?.commit_version(context.request()?, version).await.fail()?;
        context.forget()?;
        Ok(CommitArtifactPayload { artifact: load(context, version).await? })
    }

    /// W&B protocol: links a version into a collection of a registry or a project (rules 20, 21, 28 and 31).
    async fn link_artifact(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the request.")] input: LinkArtifactInput,
    ) -> async_graphql::Result<LinkArtifactPayload> {
        let (service, request) = (context.service()?, context.request()?);
        let version = match (&input.artifact_id, &input.client_id) {
            (Some(id), _) => version(id)?,
            (None, Some(client_id)) => service.version_by_client_id(context.caller()?, client_id).await.fail()?,
            (None, None) => return refuse("Send the version to link as `artifactID` or `clientID`."),
        };
        let aliases = aliases(input.aliases, &input.artifact_portfolio_name)?;
        let name = input.artifact_portfolio_name.as_str();
        let target = match split_project(&input.project_name) {
            (ProjectKind::Registry, registry) => TargetPath::Registry {
                organization: Some(input.entity_name),
                registry: RegistryName::parse(registry).parsed()?,
                collection: RegistryCollectionName::parse(name).parsed()?,
            },
            (ProjectKind::Project, project) => {
                TargetPath::in_project(Some(&input.entity_name), Some(project), name, name).parsed()?
            }
        };
        let link = Link { version, target, aliases };
        let place = service.link(request, &link).await.fail()?;
        context.forget()?;
        Ok(LinkArtifactPayload {
            version_index: Some(place.index),
            artifact_membership: Some(ArtifactCollectionMembership(place)),
        })
    }
}
