//! Files on the wire: entries of a manifest, announced files, manifests. What must not live here: bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::connection::{CursorType as _, OpaqueCursor, PageInfo};
use async_graphql::{Context, ID, Object, SimpleObject};
use base64::Engine as _;
use chrono::{DateTime, Utc};
use regalia_domain::ids::{MembershipId, RunId, VersionId};
use regalia_service::Page;
use regalia_service::files::UploadTarget;
use regalia_service::store::manifests::EntryRow;
use regalia_service::store::run_files::{RunFileRow, Which};
use regalia_service::store::versions::VersionRow;

use crate::context::Reach as _;
use crate::error::Fail as _;
use crate::file_keys::{CountNamed, EntriesNamed};
use crate::ids::encode_path;
use crate::loaders::EntriesOf;
use crate::paging;
use crate::run_keys::RunFileCount;
use crate::scalars::Int64;
use crate::wandb::artifact::Artifact;

/// The SDK asks for pages of 5,000 file URLs (rule 44).
const LARGEST_PAGE: i32 = crate::limits::FILES as i32;

/// W&B protocol: a file.
pub struct File(Kind);

enum Kind {
    /// An entry, listed by way of a membership.
    Entry { membership: MembershipId, entry: EntryRow, committed_at: DateTime<Utc> },
    /// A committed manifest.
    Manifest(VersionId),
    /// A file of a run.
    Run(RunFileRow),
    /// The only file that was asked for, which the run hasn't: `wandb.restore` knows it by its MD5.
    Absent { run: RunId, name: String },
    /// An announced file; without a target it is stored already, by that version.
    Announced { name: String, target: Option<UploadTarget>, birth: Option<Arc<VersionRow>> },
}

impl File {
    /// A committed manifest.
    pub(crate) fn manifest(version: VersionId) -> Self {
        Self(Kind::Manifest(version))
    }

    /// An announced file.
    pub(crate) fn announced(name: String, target: Option<UploadTarget>, birth: Option<Arc<VersionRow>>) -> Self {
        Self(Kind::Announced { name, target, birth })
    }
}

/// W&B protocol: a file.
#[Object]
impl File {
    /// W&B protocol: opaque id.
    async fn id(&self, context: &Context<'_>) -> async_graphql::Result<ID> {
        let name = match &self.0 {
            Kind::Entry { membership, entry, .. } => format!("File:{membership}:{}", entry.path),
            Kind::Manifest(version) => format!("File:manifest:{version}"),
            Kind::Run(file) => format!("File:run:{}:{}", file.run_id, file.name),
            Kind::Absent { run, name } => format!("File:run:{run}:{name}"),
            Kind::Announced { name, target, .. } => {
                format!("File:{}:{name}", target.as_ref().map_or_else(String::new, |target| target.id.to_string()))
            }
        };
        Ok(ID(context.long(encode(&name))?))
    }

    /// W&B protocol: path in the manifest.
    async fn name(&self, context: &Context<'_>) -> async_graphql::Result<&str> {
        context.long(match &self.0 {
            Kind::Entry { entry, .. } => &entry.path,
            Kind::Manifest(_) => "wandb_manifest.json",
            Kind::Run(file) => &file.name,
            Kind::Announced { name, .. } | Kind::Absent { name, .. } => name,
        })
    }

    /// W&B protocol: the same.
    async fn display_name(&self, context: &Context<'_>) -> async_graphql::Result<&str> {
        self.name(context).await
    }

    /// W&B protocol: where to get it: a URL that authorizes itself, or a reference's own URI.
    async fn direct_url(&self, context: &Context<'_>) -> async_graphql::Result<Option<String>> {
        let (service, request, caller) = (context.service()?, context.request()?, context.caller()?);
        let url = match &self.0 {
            Kind::Entry { membership, entry, .. } => {
                service.entry_url(request, caller, *membership, entry, &encode_path(&entry.path))
            }
            Kind::Manifest(version) => Some(service.manifest_url(request, caller, *version)),
            Kind::Run(file) => {
                Some(service.signed_run_file_url(request, caller, file.run_id, &file.name, &encode_path(&file.name)))
            }
            Kind::Announced { .. } | Kind::Absent { .. } => None,
        };
        url.map(|url| context.long(url)).transpose()
    }

    /// W&B protocol: the same as `directUrl`; of a run's file a URL that needs a key.
    async fn url(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "W&B protocol: null if true: where to send a run's file is said by `createRunFiles`.")] upload: Option<
            bool,
        >,
    ) -> async_graphql::Result<Option<String>> {
        match &self.0 {
            _ if upload == Some(true) => Ok(None),
            Kind::Run(RunFileRow { run_id: run, name, .. }) | Kind::Absent { run, name } => {
                let url = context.service()?.run_file_url(context.request()?, *run, &encode_path(name));
                Ok(Some(context.long(url)?))
            }
            _ => self.direct_url(context).await,
        }
    }

    /// W&B protocol: length in bytes.
    async fn size_bytes(&self) -> Option<Int64> {
        match &self.0 {
            Kind::Entry { entry, .. } => Some(Int64(entry.size)),
            Kind::Run(file) => Some(Int64(file.size)),
            Kind::Absent { .. } => Some(Int64(0)),
            Kind::Manifest(_) | Kind::Announced { .. } => None,
        }
    }

    /// W&B protocol: where it is stored, in words of the protocol; null for a reference.
    async fn storage_path(&self) -> Option<String> {
        match &self.0 {
            Kind::Entry { membership, entry, .. } => {
                entry.blob_id.map(|_| format!("wandb_artifacts/{membership}/{}", entry.ordinal))
            }
            Kind::Manifest(_) | Kind::Run(_) | Kind::Absent { .. } => None,
            Kind::Announced { target, .. } => target.as_ref().map(|target| format!("wandb_artifacts/{}", target.id)),
        }
    }

    /// W&B protocol: media type. Not kept, so it is null.
    async fn mimetype(&self) -> Option<&str> {
        None
    }

    /// W&B protocol: when the version that holds it last changed; of a run's file when its bytes came.
    async fn updated_at(&self) -> Option<DateTime<Utc>> {
        match &self.0 {
            Kind::Entry { committed_at, .. } => Some(*committed_at),
            Kind::Run(file) => Some(file.updated_at),
            Kind::Manifest(_) | Kind::Announced { .. } | Kind::Absent { .. } => None,
        }
    }

    /// W&B protocol: base64 MD5 of a file; of a reference what its client called it; `0` of the only file that was asked for of a run
    /// that hasn't it.
    async fn digest(&self, context: &Context<'_>) -> async_graphql::Result<Option<Cow<'_, str>>> {
        match &self.0 {
            Kind::Entry { entry, .. } => Ok(Some(Cow::Borrowed(context.long(&entry.digest)?))),
            Kind::Run(file) => Ok(Some(Cow::Owned(encode(&file.md5)))),
            Kind::Absent { .. } => Ok(Some(Cow::Borrowed("0"))),
            Kind::Manifest(_) | Kind::Announced { .. } => Ok(None),
        }
    }

    /// W&B protocol: base64 MD5; null for a reference; `0` of the only file that was asked for of a run that hasn't it.
    async fn md5(&self) -> Option<Cow<'_, str>> {
        match &self.0 {
            Kind::Entry { entry, .. } if entry.blob_id.is_some() => Some(Cow::Borrowed(&entry.digest)),
            Kind::Run(file) => Some(Cow::Owned(encode(&file.md5))),
            Kind::Absent { .. } => Some(Cow::Borrowed("0")),
            Kind::Entry { .. } | Kind::Manifest(_) | Kind::Announced { .. } => None,
        }
    }

    /// W&B protocol: where to PUT it; null when it is stored already (rule 39).
    async fn upload_url(&self, context: &Context<'_>) -> async_graphql::Result<Option<&str>> {
        match &self.0 {
            Kind::Announced { target, .. } => target.as_ref().map(|target| context.long(target.url.as_str())).transpose(),
            Kind::Entry { .. } | Kind::Manifest(_) | Kind::Run(_) | Kind::Absent { .. } => Ok(None),
        }
    }

    /// W&B protocol: headers to send with it: none.
    async fn upload_headers(&self) -> Vec<String> {
        Vec::new()
    }

    /// W&B protocol: URLs of parts. Always null: a file of any size goes in one request.
    async fn upload_multipart_urls(&self) -> Option<UploadMultipartUrls> {
        None
    }

    /// W&B protocol: the version whose upload brought the bytes, of an announced file.
    async fn artifact(&self) -> Option<Artifact> {
        match &self.0 {
            Kind::Announced { birth, .. } => birth.as_deref().cloned().map(Artifact),
            Kind::Manifest(_) | Kind::Entry { .. } | Kind::Run(_) | Kind::Absent { .. } => None,
        }
    }
}

fn cursor(entry: &EntryRow) -> String {
    OpaqueCursor(entry.ordinal.to_string()).encode_cursor()
}

fn encode(text: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// W&B protocol: URLs of an upload in parts.
#[derive(SimpleObject)]
pub struct UploadMultipartUrls {
    /// W&B protocol: the upload.
    #[graphql(name = "uploadID")]
    upload_id: String,
    /// W&B protocol: its parts.
    upload_url_parts: Vec<UploadUrlPart>,
}

/// W&B protocol: URL of a part.
#[derive(SimpleObject)]
pub struct UploadUrlPart {
    /// W&B protocol: from 1.
    part_number: i32,
    /// W&B protocol: where to PUT it.
    upload_url: String,
}

/// W&B protocol: files.
pub struct FileConnection {
    files: Vec<(String, File)>,
    more: bool,
    before: bool,
    counted: Counted,
}

/// What `totalCount` counts.
enum Counted {
    /// The files that are here.
    These,
    /// A manifest with so many entries, and the names asked for.
    Entries(i64, i64, Option<Arc<Vec<String>>>),
    /// The files of a run.
    Run(RunId, Arc<Which>),
}

/// Reads `first` and `after` of a list of files.
fn entry_page(first: Option<i32>, after: Option<&str>) -> async_graphql::Result<Page> {
    let first = first.unwrap_or(50).min(LARGEST_PAGE);
    if first < 0 {
        return Err(regalia_service::Error::Invalid(format!("`first` is {first}; it must be from 0 to {LARGEST_PAGE}."))).fail();
    }
    Ok(Page { first: i64::from(first), ..paging::numbered(None, after)? })
}

/// At most a page of names, or of entries, can be asked for.
fn not_too_many(asked: usize) -> async_graphql::Result<()> {
    if asked > crate::limits::FILES {
        return Err(regalia_service::Error::Invalid(format!("At most {LARGEST_PAGE} names can be asked for in one request.")))
            .fail();
    }
    Ok(())
}

impl FileConnection {
    /// A page of a committed manifest, for a caller who may download it by this place (rule 41).
    pub(crate) async fn of_manifest(
        context: &Context<'_>,
        place: MembershipId,
        manifest: i64,
        version: VersionRow,
        after: Option<&str>,
        first: Option<i32>,
        names: Option<Vec<String>>,
    ) -> async_graphql::Result<Self> {
        not_too_many(names.as_ref().map_or(0, Vec::len))?;
        // No path has a NUL, and PostgreSQL would refuse all that is asked for with it.
        let names = names.map(|names| Arc::new(names.into_iter().filter(|name| !name.contains('\0')).collect::<Vec<_>>()));
        let page = entry_page(first, after)?;
        let probe = paging::probe(&page);
        let rows = match &names {
            None => context.page(EntriesOf::new(manifest, &probe)).await?,
            Some(names) => context.page(EntriesNamed::new(manifest, names, &probe)).await?,
        };
        Ok(Self::entries(place, manifest, version, names, &page, rows))
    }

    /// Those of these entries that a committed manifest has, each with the digest asked for, by path; for a caller who may download
    /// it by this place (rule 41).
    pub(crate) async fn matching(
        context: &Context<'_>,
        place: MembershipId,
        manifest: i64,
        version: &VersionRow,
        asked: Vec<(String, String)>,
    ) -> async_graphql::Result<Self> {
        not_too_many(asked.len())?;
        let asked: HashMap<String, String> = asked.into_iter().collect();
        let mut names: Vec<String> = asked.keys().filter(|name| !name.contains('\0')).cloned().collect();
        // Asked of several versions in one request they are the same names, and load together.
        names.sort();
        let page = Page { first: i64::from(LARGEST_PAGE), ..paging::numbered(None, None)? };
        let mut rows = context.page(EntriesNamed::new(manifest, &Arc::new(names), &page)).await?;
        rows.retain(|row| asked.get(&row.path) == Some(&row.digest));
        let committed_at = version.updated_at;
        let file = |entry: EntryRow| (cursor(&entry), File(Kind::Entry { membership: place, entry, committed_at }));
        Ok(Self { files: rows.into_iter().map(file).collect(), more: false, before: false, counted: Counted::These })
    }

    /// A page of entries by path, probed for one more.
    fn entries(
        membership: MembershipId,
        manifest: i64,
        version: VersionRow,
        names: Option<Arc<Vec<String>>>,
        page: &Page,
        mut rows: Vec<EntryRow>,
    ) -> Self {
        let wanted = usize::try_from(page.first).unwrap_or(0);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let committed_at = version.updated_at;
        let files =
            rows.into_iter().map(|entry| (cursor(&entry), File(Kind::Entry { membership, entry, committed_at }))).collect();
        Self { files, more, before: !page.after.is_empty(), counted: Counted::Entries(manifest, version.entry_count, names) }
    }

    /// Announced files, in the order asked for.
    pub(crate) fn announced(files: Vec<File>) -> Self {
        let files = files.into_iter().map(|file| (String::new(), file)).collect();
        Self { files, more: false, before: false, counted: Counted::These }
    }

    /// A page of a run's files by name, probed for one more.
    pub(crate) fn of_run(run: RunId, which: Arc<Which>, page: &Page, mut rows: Vec<RunFileRow>) -> Self {
        let wanted = usize::try_from(page.first).unwrap_or(0);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let cursor = |name: &str| OpaqueCursor(name.to_owned()).encode_cursor();
        let mut files: Vec<_> = rows.into_iter().map(|row| (cursor(&row.name), File(Kind::Run(row)))).collect();
        let first = wanted > 0 && page.after.is_empty() && which.like.is_none();
        if let (true, true, Some([name])) = (first, files.is_empty(), which.names.as_deref()) {
            files.push((cursor(name), File(Kind::Absent { run, name: name.clone() })));
        }
        Self { files, more, before: !page.after.is_empty(), counted: Counted::Run(run, which) }
    }
}

/// W&B protocol: files.
#[Object]
impl FileConnection {
    /// W&B protocol: one for each file.
    async fn edges(&self) -> Vec<FileEdge<'_>> {
        self.files.iter().map(|(cursor, node)| FileEdge { cursor, node }).collect()
    }

    /// W&B protocol: where the page ends.
    async fn page_info(&self) -> PageInfo {
        let cursor = |file: Option<&(String, File)>| file.map(|(cursor, _)| cursor.clone());
        PageInfo {
            has_previous_page: self.before,
            has_next_page: self.more,
            start_cursor: cursor(self.files.first()),
            end_cursor: cursor(self.files.last()),
        }
    }

    /// W&B protocol: how many there are over all pages.
    async fn total_count(&self, context: &Context<'_>) -> async_graphql::Result<i32> {
        let count = match &self.counted {
            Counted::These => self.files.len() as i64,
            Counted::Entries(_, all, None) => *all,
            Counted::Run(run, which) => {
                context.row(RunFileCount { run: run.0, which: Arc::clone(which) }).await?.unwrap_or_default()
            }
            Counted::Entries(manifest, _, Some(names)) => {
                let count = CountNamed { manifest: *manifest, names: Arc::clone(names) };
                context.row(count).await?.unwrap_or_default()
            }
        };
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

/// W&B protocol: a file in a list.
struct FileEdge<'f> {
    cursor: &'f str,
    node: &'f File,
}

/// W&B protocol: a file in a list.
#[Object]
impl FileEdge<'_> {
    /// W&B protocol: its place in the list.
    async fn cursor(&self) -> &str {
        self.cursor
    }

    /// W&B protocol: the file.
    async fn node(&self) -> &File {
        self.node
    }
}
