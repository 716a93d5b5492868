//! Versions on the wire. What must not live here: how they come to be (`publish`), their files (`file`), runs (`lineage`).

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::{MembershipId, VersionId};
use regalia_domain::roles::Right;
use regalia_service::store::aliases::AliasRow;
use regalia_service::store::memberships::MembershipRow;
use regalia_service::store::tags::TagRow;
use regalia_service::store::versions::VersionRow;

use crate::context::Reach as _;
use crate::ids;
use crate::loaders::{AliasesOf, CollectionKey, PlacesOf, ProjectKey, TagsOfVersion};
use crate::present::Present;
use crate::scalars::{Int64, JsonString};
use crate::wandb::client::Client;
use crate::wandb::collection::{ArtifactAlias, ArtifactSequence};
use crate::wandb::file::{File, FileConnection};
use crate::wandb::lineage::{self, ArtifactCreator, UsersConnection};
use crate::wandb::lists::ArtifactCollectionMembershipConnection;
use crate::wandb::publish::ArtifactDigestAlgorithm;

/// W&B protocol: how far a version is.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactState {
    /// W&B protocol: begun.
    Pending,
    /// W&B protocol: visible for good.
    Committed,
    /// W&B protocol: gone.
    Deleted,
}

/// W&B protocol: a version.
pub struct Artifact(pub VersionRow);

/// W&B protocol: a version.
#[Object]
impl Artifact {
    /// W&B protocol: opaque id.
    async fn id(&self) -> ID {
        ids::id("Artifact", self.0.id.0)
    }

    /// W&B protocol: the source collection; its project is null when the caller has no right there (rule 22).
    async fn artifact_sequence(&self, context: &Context<'_>) -> async_graphql::Result<Option<ArtifactSequence>> {
        Ok(context.row(CollectionKey(self.0.collection_id)).await?.map(ArtifactSequence))
    }

    /// W&B protocol: N of `vN` in the source collection; null until committed.
    async fn version_index(&self) -> Option<i32> {
        self.0.index
    }

    /// W&B protocol: its type.
    async fn artifact_type(&self) -> TypeOfVersion {
        TypeOfVersion { name: self.0.type_name.clone() }
    }

    /// W&B protocol: free text.
    async fn description(&self, context: &Context<'_>) -> async_graphql::Result<Option<&str>> {
        self.0.description.as_deref().map(|text| context.long(text)).transpose()
    }

    /// W&B protocol: JSON object, as it was given.
    async fn metadata(&self, context: &Context<'_>) -> async_graphql::Result<JsonString> {
        context.metadata(self.0.id).await
    }

    /// W&B protocol: expiry in seconds from its creation; -1 inherits, -2 is off (rule 35).
    async fn ttl_duration_seconds(&self) -> Int64 {
        Int64(self.0.ttl_seconds)
    }

    /// W&B protocol: whether the expiry is inherited.
    async fn ttl_is_inherited(&self) -> bool {
        self.0.ttl_seconds == -1
    }

    /// W&B protocol: tags.
    async fn tags(&self, context: &Context<'_>) -> async_graphql::Result<Vec<Tag>> {
        let tags = context.counted(context.page(TagsOfVersion(self.0.id.0)).await?)?;
        Ok(tags.into_iter().map(Tag::from).collect())
    }

    /// W&B protocol: the run's step that made it.
    async fn history_step(&self) -> Option<Int64> {
        self.0.history_step.map(Int64)
    }

    /// W&B protocol: how far it is.
    async fn state(&self) -> ArtifactState {
        match self.0.state.as_str() {
            "committed" => ArtifactState::Committed,
            "pending" => ArtifactState::Pending,
            _ => ArtifactState::Deleted,
        }
    }

    /// W&B protocol: sum of the entries' sizes in bytes.
    async fn size(&self) -> Int64 {
        Int64(self.0.total_size)
    }

    /// W&B protocol: MD5 of the manifest.
    async fn digest(&self) -> &str {
        &self.0.digest
    }

    /// W&B protocol: how the digest is computed: always by MD5.
    async fn digest_algorithm(&self) -> ArtifactDigestAlgorithm {
        ArtifactDigestAlgorithm::ManifestMd5
    }

    /// W&B protocol: a name from before digests: the digest, null until committed.
    async fn commit_hash(&self) -> Option<&str> {
        self.0.manifest_id.map(|_| self.0.digest.as_str())
    }

    /// W&B protocol: number of entries.
    async fn file_count(&self) -> Int64 {
        Int64(self.0.entry_count)
    }

    /// W&B protocol: when it was begun.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// W&B protocol: when a field last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// W&B protocol: all aliases that point at it, in the collections that the caller sees.
    async fn aliases(&self, context: &Context<'_>) -> async_graphql::Result<Vec<ArtifactAlias>> {
        let aliases = context.page(AliasesOf(self.0.id.0)).await?;
        let collections = context.rows(aliases.iter().map(|alias| CollectionKey(alias.collection_id.0))).await?;
        let projects = context.rows(collections.values().map(|collection| ProjectKey(collection.project_id.0))).await?;
        let seen = |alias: &AliasRow| {
            let collection = collections.get(&CollectionKey(alias.collection_id.0));
            collection.is_some_and(|collection| projects.contains_key(&ProjectKey(collection.project_id.0)))
        };
        let mut visible: Vec<ArtifactAlias> = aliases.into_iter().filter(seen).map(ArtifactAlias::Chosen).collect();
        if context.data::<Client>()?.sdk {
            let places = context.page(PlacesOf(self.0.id.0)).await?;
            let projects = context.rows(places.iter().map(|place| ProjectKey(place.project_id.0))).await?;
            let seen = places.into_iter().filter(|place| projects.contains_key(&ProjectKey(place.project_id.0)));
            visible.extend(seen.map(ArtifactAlias::Index));
        }
        context.counted(visible)
    }

    /// W&B protocol: its places in the collections that the caller sees: where it was logged, then its links, oldest first.
    async fn artifact_memberships(&self, context: &Context<'_>) -> async_graphql::Result<ArtifactCollectionMembershipConnection> {
        let mut places = context.page(PlacesOf(self.0.id.0)).await?;
        let projects = context.rows(places.iter().map(|place| ProjectKey(place.project_id.0))).await?;
        places.retain(|place| projects.contains_key(&ProjectKey(place.project_id.0)));
        Ok(ArtifactCollectionMembershipConnection::whole(context.counted(places)?))
    }

    /// W&B protocol: the run that first logged it, or the user who did without one; null when invisible (rule 22).
    async fn created_by(&self, context: &Context<'_>) -> async_graphql::Result<Option<Present<ArtifactCreator>>> {
        Ok(lineage::creator(context, &self.0).await?.map(Present))
    }

    /// W&B protocol: the runs that used it, by whatever path they found it, as far as the caller sees them.
    async fn used_by(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: at most 1000, and as many if absent.")] first: Option<i32>,
    ) -> async_graphql::Result<UsersConnection> {
        UsersConnection::of_version(context, self.0.id.0, first, after.as_deref()).await
    }

    /// W&B protocol: the manifest; null until committed, and without the right to download (rules 17 and 41).
    async fn current_manifest(&self) -> Option<ArtifactManifest> {
        self.0.manifest_id.filter(|_| self.0.allows(Right::Download))?;
        // The version's number: a manifest's own would tell whether somebody else had the content before.
        Some(ArtifactManifest { id: ids::id("CommittedManifest", self.0.id.0), file: File::manifest(self.0.id) })
    }

    /// W&B protocol: every entry of the manifest, references too, in the words of SDKs before 0.28. Null until committed, and
    /// without the right to download (rules 17 and 41).
    async fn files(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "W&B protocol: at most 5000; 50 if absent.")] first: Option<i32>,
        #[graphql(desc = "W&B protocol: only these paths.")] names: Option<Vec<String>>,
    ) -> async_graphql::Result<Option<FileConnection>> {
        let Some((place, manifest)) = self.readable(context).await? else { return Ok(None) };
        let version = self.0.clone();
        Ok(Some(FileConnection::of_manifest(context, place, manifest, version, after.as_deref(), first, names).await?))
    }

    /// W&B protocol: those of these entries that are in the manifest, with the same digest. Null until committed, and without the
    /// right to download (rules 17 and 41).
    async fn files_by_manifest_entries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: the entries, at most 5000.")] entries: Option<Vec<ArtifactManifestEntryInput>>,
        #[graphql(desc = "W&B protocol: means nothing: there is one.")] manifest_version: String,
        #[graphql(desc = "W&B protocol: means nothing: the server says where files are.")] storage_layout: String,
        #[graphql(desc = "W&B protocol: means nothing: there is one.")] storage_region: Option<String>,
    ) -> async_graphql::Result<Option<FileConnection>> {
        let _ = (manifest_version, storage_layout, storage_region);
        let Some((place, manifest)) = self.readable(context).await? else { return Ok(None) };
        let asked = entries.unwrap_or_default().into_iter().map(|entry| (entry.name, entry.digest)).collect();
        Ok(Some(FileConnection::matching(context, place, manifest, &self.0, asked).await?))
    }
}

impl Artifact {
    /// A place by which the caller may download the content, where the path to this names none (rule 41), and the manifest.
    async fn readable(&self, context: &Context<'_>) -> async_graphql::Result<Option<(MembershipId, i64)>> {
        let Some(manifest) = self.0.manifest_id.filter(|_| self.0.allows(Right::Download)) else { return Ok(None) };
        let places = context.page(PlacesOf(self.0.id.0)).await?;
        let projects = context.rows(places.iter().map(|place| ProjectKey(place.project_id.0))).await?;
        let readable = |place: &&MembershipRow| {
            projects.get(&ProjectKey(place.project_id.0)).is_some_and(|project| project.allows(Right::Download))
        };
        Ok(places.iter().find(readable).map(|place| (place.id, manifest)))
    }
}

/// W&B protocol: an entry of a manifest that a client knows.
#[derive(InputObject)]
pub struct ArtifactManifestEntryInput {
    /// W&B protocol: path in the manifest.
    name: String,
    /// W&B protocol: base64 MD5 of a file; of a reference what its client called it.
    digest: String,
    /// W&B protocol: a claim that means nothing: the server says where files are.
    #[graphql(name = "birthArtifactID")]
    birth_artifact_id: Option<ID>,
    /// W&B protocol: means nothing: the digest decides.
    size: Option<Int64>,
}

/// W&B protocol: the type of a version or collection, by name.
#[derive(SimpleObject)]
#[graphql(name = "ArtifactTypeName")]
pub struct TypeOfVersion {
    /// W&B protocol: name.
    pub name: String,
}

/// W&B protocol: a tag.
#[derive(SimpleObject)]
pub struct Tag {
    /// W&B protocol: opaque id.
    id: ID,
    /// W&B protocol: name.
    name: String,
    /// W&B protocol: what 0.19 asks for; categories aren't kept: always null.
    tag_category_name: Option<String>,
}

impl From<TagRow> for Tag {
    fn from(row: TagRow) -> Self {
        Self { id: ids::id("Tag", row.id), name: row.tag, tag_category_name: None }
    }
}

/// W&B protocol: tags.
#[derive(SimpleObject)]
pub struct TagConnection {
    /// W&B protocol: one for each tag.
    pub edges: Vec<TagEdge>,
}

impl From<Vec<TagRow>> for TagConnection {
    fn from(rows: Vec<TagRow>) -> Self {
        Self { edges: rows.into_iter().map(|row| TagEdge { node: row.into() }).collect() }
    }
}

/// W&B protocol: a tag in a list.
#[derive(SimpleObject)]
pub struct TagEdge {
    /// W&B protocol: the tag.
    node: Tag,
}

/// W&B protocol: a manifest, announced or committed.
#[derive(SimpleObject)]
pub struct ArtifactManifest {
    /// W&B protocol: opaque id.
    pub id: ID,
    /// W&B protocol: the manifest as a file.
    pub file: File,
}

/// W&B protocol: what a client's own name for a version means.
#[derive(SimpleObject)]
#[graphql(name = "ClientIDMapping")]
pub struct ClientIdMapping {
    /// W&B protocol: the version's id.
    #[graphql(name = "serverID")]
    pub server_id: ID,
}

/// A version that a mutation made, for its payload.
pub(crate) async fn load(context: &Context<'_>, version: VersionId) -> async_graphql::Result<Artifact> {
    use crate::error::Fail as _;
    Ok(Artifact(context.service()?.version(context.caller()?, version).await.fail()?))
}
