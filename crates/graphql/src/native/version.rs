//! Versions, their files, and linking. What must not live here: the way bytes take.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::digest::Md5;
use regalia_domain::ids::VersionId;
use regalia_domain::names::{ArtifactTypeName, EntityName, ProjectName, SourceCollectionName};
use regalia_domain::paths::{EntryPath, TargetPath};
use regalia_domain::ttl::{Ttl, TtlError};
use regalia_service::Error;
use regalia_service::changes::VersionChange;
use regalia_service::links::Link as LinkRequest;
use regalia_service::store::manifests::EntryRow;
use regalia_service::store::memberships::MembershipRow;
use regalia_service::store::versions::VersionRow;
use regalia_service::upload_plan::PlannedFile;
use regalia_service::versions::{NewVersion, may_download};

use super::collection::{Link, tags};
use super::lineage::{author, maker, users};
use super::run::ProjectRun;
use super::user::Paged;
use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _, Parsed as _};
use crate::ids;
use crate::loaders::{EntriesOf, PlacesOf, ProjectKey, TagsOfVersion};
use crate::paging::{connection, numbered, probe};
use crate::scalars::{Int64, JsonString};
use crate::shared::User;

/// Immutable content, with a description and metadata.
#[derive(Debug, Clone)]
pub struct Version {
    pub(crate) row: VersionRow,
    /// The place by which it was reached: its files are read by that path.
    pub(crate) place: Option<MembershipRow>,
}

/// Immutable content, with a description and metadata.
#[Object]
impl Version {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::id("Version", self.row.id.0)
    }

    /// Artifact type.
    async fn type_name(&self) -> &str {
        &self.row.type_name
    }

    /// MD5 over its entries, as W&B clients compute it.
    async fn digest(&self) -> &str {
        &self.row.digest
    }

    /// Free text.
    async fn description(&self, context: &Context<'_>) -> Result<Option<&str>> {
        self.row.description.as_deref().map(|text| context.long(text)).transpose()
    }

    /// JSON object, as it was given.
    async fn metadata(&self, context: &Context<'_>) -> Result<JsonString> {
        context.metadata(self.row.id).await
    }

    /// Its tags, by name.
    async fn tags(&self, context: &Context<'_>) -> Result<Vec<String>> {
        let tags = context.counted(context.page(TagsOfVersion(self.row.id.0)).await?)?;
        Ok(tags.into_iter().map(|row| row.tag).collect())
    }

    /// Sum of the files' sizes in bytes, references included.
    async fn size(&self) -> Int64 {
        Int64(self.row.total_size)
    }

    /// Number of files, references included.
    async fn file_count(&self) -> Int64 {
        Int64(self.row.entry_count)
    }

    /// Whether it is committed: until then it has no index and stands in no list.
    async fn committed(&self) -> bool {
        self.row.state == "committed"
    }

    /// When it was logged.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }

    /// When it expires: it is deleted within half a minute after that, with its aliases. Null: never.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.row.expires_at
    }

    /// Where it was logged, as `team/project/collection:vN`; null when you may not see that project.
    async fn source(&self, context: &Context<'_>) -> Result<Option<String>> {
        let Some(project) = context.row(ProjectKey(self.row.project_id.0)).await? else { return Ok(None) };
        let index = self.row.index.map_or_else(String::new, |index| format!(":v{index}"));
        Ok(Some(format!("{}/{}/{}{index}", project.entity_name, project.name, self.row.collection_name)))
    }

    /// The links to it that you may see, oldest first.
    async fn links(&self, context: &Context<'_>) -> Result<Vec<Link>> {
        let mut places = context.page(PlacesOf(self.row.id.0)).await?;
        places.retain(|place| place.collection_id.0 != self.row.collection_id);
        let projects = context.rows(places.iter().map(|place| ProjectKey(place.project_id.0))).await?;
        places.retain(|place| projects.contains_key(&ProjectKey(place.project_id.0)));
        Ok(context.counted(places)?.into_iter().map(Link).collect())
    }

    /// Who logged it; null when you may not see him, or where it was logged.
    async fn created_by(&self, context: &Context<'_>) -> Result<Option<User>> {
        author(context, &self.row).await
    }

    /// The run that first logged it; null when a person did, or you may not see the run.
    async fn made_by(&self, context: &Context<'_>) -> Result<Option<ProjectRun>> {
        maker(context, &self.row).await
    }

    /// The runs that used it and that you may see, by whatever path they found it, the first to begin first.
    async fn used_by(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many runs, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Runs after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<ProjectRun>> {
        users(context, self.row.id, first, after.as_deref()).await
    }

    /// Its files, by path. Needs the viewer role where you reached it.
    async fn files(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many files, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Files after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<VersionFile>> {
        let place = self.place(context).await?;
        let project = context.row(ProjectKey(place.project_id.0)).await?.ok_or_else(absent).fail()?;
        may_download(&project).fail()?;
        let manifest = self.row.manifest_id.ok_or_else(absent).fail()?;
        let page = numbered(first, after.as_deref())?;
        let rows = context.page(EntriesOf::new(manifest, &probe(&page))).await?;
        Ok(connection(&page, rows, |row| row.ordinal.to_string(), |entry| VersionFile { entry, place: place.clone() }))
    }
}

impl Version {
    /// The place by which it was reached; of a version reached by id the visible place with the highest role (rule 41).
    async fn place(&self, context: &Context<'_>) -> Result<MembershipRow> {
        if let Some(place) = &self.place {
            return Ok(place.clone());
        }
        let places = context.page(PlacesOf(self.row.id.0)).await?;
        let projects = context.rows(places.iter().map(|place| ProjectKey(place.project_id.0))).await?;
        let level = |place: &MembershipRow| projects.get(&ProjectKey(place.project_id.0)).map(|project| project.level);
        places.into_iter().filter(|place| level(place).is_some()).max_by_key(level).ok_or_else(absent).fail()
    }
}

fn absent() -> Error {
    Error::NotFound("This version has no files yet, or you may not see it.".into())
}

/// A file of a version.
#[derive(Debug, Clone)]
pub struct VersionFile {
    entry: EntryRow,
    place: MembershipRow,
}

/// A file of a version.
#[Object]
impl VersionFile {
    /// Path in the version.
    async fn path(&self, context: &Context<'_>) -> Result<&str> {
        context.long(self.entry.path.as_str())
    }

    /// Length in bytes; of a reference as its client said.
    async fn size(&self) -> Int64 {
        Int64(self.entry.size)
    }

    /// Base64 MD5 of a file; of a reference what its client called it.
    async fn digest(&self, context: &Context<'_>) -> Result<&str> {
        context.long(self.entry.digest.as_str())
    }

    /// Where a reference points. The server never follows it.
    async fn reference(&self, context: &Context<'_>) -> Result<Option<&str>> {
        self.entry.reference.as_deref().map(|text| context.long(text)).transpose()
    }

    /// URL that downloads the file for six hours without a key; null for a reference.
    async fn download_url(&self, context: &Context<'_>) -> Result<Option<String>> {
        if self.entry.reference.is_some() {
            return Ok(None);
        }
        let name = crate::ids::encode_path(&self.entry.path);
        let url = context.service()?.entry_url(context.request()?, context.caller()?, self.place.id, &self.entry, &name);
        url.map(|url| context.long(url)).transpose()
    }
}

/// A file of a version to be.
#[derive(Debug, InputObject)]
pub struct VersionFileInput {
    /// Path in the version: relative, with `/`, and no part `.` or `..`.
    path: String,
    /// MD5 of its bytes in hexadecimal, as `md5sum` prints it.
    md5: String,
    /// Length in bytes.
    size: Int64,
}

/// A version to begin.
#[derive(Debug, InputObject)]
pub struct VersionBeginInput {
    /// The team or user whose project it is.
    entity: String,
    /// The project; made if it is missing.
    project: String,
    /// The collection; made if it is missing. Letters, digits and `_ . -`.
    collection: String,
    /// Artifact type, such as `model` or `dataset`; of a collection that is there its own.
    type_name: String,
    /// Its files, at most 5000.
    files: Vec<VersionFileInput>,
    /// Free text.
    description: Option<String>,
    /// JSON object.
    metadata: Option<JsonString>,
    /// Aliases to set when it is committed; another version of the collection that has one loses it.
    #[graphql(default)]
    aliases: Vec<String>,
    /// Tags: words of letters, digits, `_` and `-`, with spaces only between them.
    #[graphql(default)]
    tags: Vec<String>,
    /// In how many seconds it expires, at most a hundred years; 0 or null: never.
    ttl: Option<Int64>,
}

/// A file to send.
#[derive(Debug, SimpleObject)]
pub struct VersionUpload {
    /// Path in the version.
    path: String,
    /// PUT the bytes here, without a key: `curl -T FILE URL`. Good for a day.
    url: String,
}

/// What is left to do for a version.
#[derive(Debug, SimpleObject)]
pub struct VersionBeginPayload {
    /// The version: to be committed, or the collection's newest when that is the same.
    version: Version,
    /// Files to send before the commit; none that the collection holds already.
    uploads: Vec<VersionUpload>,
}

/// A version to commit.
#[derive(Debug, InputObject)]
pub struct VersionCommitInput {
    /// The version.
    version: ID,
}

/// The committed version.
#[derive(Debug, SimpleObject)]
pub struct VersionCommitPayload {
    /// The version.
    version: Version,
}

/// What to link where.
#[derive(Debug, InputObject)]
pub struct VersionLinkInput {
    /// The version.
    version: ID,
    /// Where to: `ORGANIZATION/wandb-registry-REGISTRY/COLLECTION`, or `ENTITY/PROJECT/COLLECTION`. An organization, entity or project
    /// that isn't named is the version's own. The project and the collection are made if they are missing; a collection's name has 1
    /// to 128 characters without / : \.
    target: String,
    /// Aliases to set in the collection, such as `production`; another version that has one loses it.
    #[graphql(default)]
    aliases: Vec<String>,
}

/// The link.
#[derive(Debug, SimpleObject)]
pub struct VersionLinkPayload {
    /// The link: new, or the one that was there.
    link: Link,
}

/// What to change of a version; what isn't given stays.
#[derive(Debug, InputObject)]
pub struct VersionUpdateInput {
    /// The version.
    version: ID,
    /// Free text.
    description: Option<String>,
    /// JSON object.
    metadata: Option<JsonString>,
    /// How many seconds after its creation it expires, at most a hundred years; 0: never. A version that is linked into a registry
    /// never expires.
    ttl: Option<Int64>,
    /// Tags that it shall have: words of letters, digits, `_` and `-`, with spaces only between them; at most 20 at once.
    #[graphql(default)]
    add_tags: Vec<String>,
    /// Tags that it shall not have.
    #[graphql(default)]
    remove_tags: Vec<String>,
}

/// The changed version.
#[derive(Debug, SimpleObject)]
pub struct VersionUpdatePayload {
    /// The version.
    version: Version,
}

/// The version to delete.
#[derive(Debug, InputObject)]
pub struct VersionDeleteInput {
    /// The version.
    version: ID,
    /// Whether also when it has aliases other than `latest`, which then go with it.
    #[graphql(default)]
    delete_aliases: bool,
}

/// The version that was deleted.
#[derive(Debug, SimpleObject)]
pub struct VersionDeletePayload {
    /// Its id, which now means nothing.
    id: ID,
}

/// The expiry that a request asks for, 0 being none.
fn ttl(seconds: Int64) -> Result<Ttl> {
    match seconds.0 {
        0 => Ok(Ttl::OFF),
        // What the number has meant to others is no number of seconds here.
        seconds => {
            Ttl::parse(seconds).and_then(|ttl| if ttl.expires() { Ok(ttl) } else { Err(TtlError::NotPositive(seconds)) }).parsed()
        }
    }
}

/// Reads of versions.
#[derive(Debug, Default)]
pub struct VersionQuery;

/// Reads of versions.
#[Object]
impl VersionQuery {
    /// A version by id; null when there is none or you may not see it.
    async fn version(&self, context: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Result<Option<Version>> {
        // Both sides name the same rows.
        let id = VersionId(ids::number(&["Version", "Artifact"], &id)?);
        Ok(context.service()?.version(context.caller()?, id).await.or_null()?.map(|row| Version { row, place: None }))
    }
}

/// Writes to versions.
#[derive(Debug, Default)]
pub struct VersionMutation;

/// Writes to versions.
#[Object]
impl VersionMutation {
    /// Begins a version of some files. Send their bytes to the URLs of the answer, then commit.
    async fn version_begin(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The new version.")] input: VersionBeginInput,
    ) -> Result<VersionBeginPayload> {
        let mut files = Vec::with_capacity(input.files.len());
        for file in input.files {
            let path = EntryPath::parse(&file.path).parsed()?;
            let md5 = Md5::from_hex(&file.md5)
                .map_err(|error| Error::Invalid(format!("`md5` of \"{}\": {error}", path.as_str())))
                .fail()?;
            files.push(PlannedFile { path, md5, size: file.size.0 });
        }
        let new = NewVersion {
            entity: EntityName::parse(&input.entity).parsed()?,
            project: ProjectName::parse(&input.project).parsed()?,
            collection: SourceCollectionName::parse(&input.collection).parsed()?,
            type_name: ArtifactTypeName::parse(&input.type_name).parsed()?,
            run: None,
            digest: Md5::of(b""),
            description: input.description,
            metadata: input.metadata.map(|json| json.0),
            aliases: input.aliases,
            ttl: input.ttl.map(ttl).transpose()?.unwrap_or(Ttl::INHERIT),
            history_step: None,
            tags: tags(&input.tags)?,
            client_id: None,
            deduplicate: true,
            distributed_id: None,
        };
        let service = context.service()?;
        let plan = service.plan_version(context.request()?, new, files).await.fail()?;
        context.forget()?;
        let row = service.version(context.caller()?, plan.version).await.fail()?;
        let uploads = plan.uploads.into_iter().map(|(path, target)| VersionUpload { path, url: target.url }).collect();
        Ok(VersionBeginPayload { version: Version { row, place: None }, uploads })
    }

    /// Commits a version: it gets its index and its aliases and never changes again. Committing again changes nothing.
    async fn version_commit(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The version to commit.")] input: VersionCommitInput,
    ) -> Result<VersionCommitPayload> {
        let id = VersionId(ids::number(&["Version", "Artifact"], &input.version)?);
        let service = context.service()?;
        service.commit_version(context.request()?, id).await.fail()?;
        context.forget()?;
        let row = service.version(context.caller()?, id).await.fail()?;
        Ok(VersionCommitPayload { version: Version { row, place: None } })
    }

    /// Changes what is said about a version: it shows wherever the version is linked. For those who may write where it was logged.
    async fn version_update(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The version and what to change.")] input: VersionUpdateInput,
    ) -> Result<VersionUpdatePayload> {
        let id = VersionId(ids::number(&["Version", "Artifact"], &input.version)?);
        let change = VersionChange {
            description: input.description,
            metadata: input.metadata.map(|json| json.0),
            ttl: input.ttl.map(ttl).transpose()?,
            add_tags: tags(&input.add_tags)?,
            remove_tags: tags(&input.remove_tags)?,
        };
        let service = context.service()?;
        service.update_version(context.request()?, id, &change).await.fail()?;
        context.forget()?;
        let row = service.version(context.caller()?, id).await.fail()?;
        Ok(VersionUpdatePayload { version: Version { row, place: None } })
    }

    /// Deletes a version with all links to it. For admins of the team that it was logged to, and for the owner of a personal
    /// project. Refused while a protected alias of a registry points at it.
    async fn version_delete(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The version to delete.")] input: VersionDeleteInput,
    ) -> Result<VersionDeletePayload> {
        let id = VersionId(ids::number(&["Version", "Artifact"], &input.version)?);
        let row = context.service()?.delete_version(context.request()?, id, input.delete_aliases).await.fail()?;
        context.forget()?;
        Ok(VersionDeletePayload { id: ids::id("Version", row.id.0) })
    }

    /// Publishes a version: links it into a collection of a registry, or of a project of the team or user that logged it. Linking again
    /// adds the aliases and changes nothing else.
    async fn version_link(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to link where.")] input: VersionLinkInput,
    ) -> Result<VersionLinkPayload> {
        let target = TargetPath::parse(&input.target).parsed()?;
        let version = VersionId(ids::number(&["Version", "Artifact"], &input.version)?);
        let link = LinkRequest { version, target, aliases: input.aliases };
        let place = context.service()?.link(context.request()?, &link).await.fail()?;
        context.forget()?;
        Ok(VersionLinkPayload { link: Link(place) })
    }
}
