//! Manifests and their entries: staging, the checks that SQL can do over many rows, and pages of entries. What must not live
//! here: announced manifests (`drafts`), merging (`merging`), parsing (domain) and the order of a commit's steps (service).

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use regalia_domain::digest::Sha256;
use regalia_domain::ids::{BlobId, CollectionId, ManifestId, MembershipId, VersionId};
use regalia_domain::manifest::{EntryContent, ManifestEntry};
use uuid::Uuid;

use crate::access::{Caller, Contribute, Granted};
use crate::{Connection, Error, Result, Store, Tx, within};

/// An entry that a staging table takes, as one line of COPY's text format.
fn copy_line(line: &mut String, staging: Uuid, entry: &ManifestEntry, part: Option<i32>) {
    use std::fmt::Write as _;
    let text = |line: &mut String, value: &str| {
        for character in value.chars() {
            match character {
                '\\' => line.push_str("\\\\"),
                '\n' => line.push_str("\\n"),
                '\r' => line.push_str("\\r"),
                '\t' => line.push_str("\\t"),
                other => line.push(other),
            }
        }
    };
    // Writing to a String can't fail.
    let _ = write!(line, "{staging}\t");
    text(line, entry.path.as_str());
    line.push('\t');
    text(line, &entry.content.digest_text());
    let _ = write!(line, "\t{}\t", entry.size);
    match &entry.content {
        EntryContent::File { md5 } => {
            let _ = write!(line, "\\\\x{}\t\\N\t", hex::encode(md5.0));
        }
        EntryContent::Reference { uri, .. } => {
            line.push_str("\\N\t");
            text(line, uri);
            line.push('\t');
        }
    }
    match &entry.extra {
        Some(extra) => text(line, extra),
        None => line.push_str("\\N"),
    }
    if let Some(part) = part {
        let _ = write!(line, "\t{part}\t{}\t", entry.skip_cache);
        match &entry.birth_artifact {
            Some(birth) => text(line, birth),
            None => line.push_str("\\N"),
        }
    }
    line.push('\n');
}

/// Copies entries into staging as they come: a statement for each piece, so that nothing waits for the next one inside a
/// transaction. Those of a part also with what a merged manifest's text needs. [`unstage`] must follow.
///
/// # Errors
/// Of PostgreSQL alone; the pieces before are staged then.
pub async fn stage(
    store: &Store,
    staging: Uuid,
    part: Option<i32>,
    mut entries: impl Stream<Item = Vec<ManifestEntry>> + Unpin + Send,
) -> Result<()> {
    let statement = match part {
        None => {
            "-- manifests::stage
            copy manifest_staging (staging_id, path, digest, size, md5, reference, extra) from stdin"
        }
        Some(_) => {
            "-- manifests::stage_part
            copy manifest_staging (staging_id, path, digest, size, md5, reference, extra, part, skip_cache, birth_artifact) from stdin"
        }
    };
    let mut lines = String::new();
    while let Some(batch) = entries.next().await {
        lines.clear();
        for entry in &batch {
            copy_line(&mut lines, staging, entry, part);
        }
        let mut connection = store.read().await?;
        let mut copy = connection.copy_in_raw(statement).await?;
        copy.send(lines.as_bytes()).await?;
        let rows_affected = copy.finish().await?;
        // The driver tells of every statement but this kind.
        tracing::debug!(target: "sqlx::query", summary = statement.lines().next(), rows_affected);
    }
    Ok(())
}

/// Staged rows that one statement removes.
const UNSTAGED: i64 = 100_000;

/// Removes some of a commit's staged rows. Whether there may be more.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn unstage(connection: &mut Connection, staging: Uuid) -> Result<bool> {
    let done = sqlx::query!(
        "-- manifests::unstage
        delete from manifest_staging where ctid = any (array(select ctid from manifest_staging where staging_id = $1 limit $2))",
        staging,
        UNSTAGED
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() >= UNSTAGED.unsigned_abs())
}

/// Removes some leftovers of commits that a crash ended, but for those that another server is just removing. Whether there may be more.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn unstage_old(connection: &mut Connection) -> Result<bool> {
    let done = sqlx::query!(
        "-- manifests::unstage_old
        delete from manifest_staging where ctid = any (array(
            select ctid from manifest_staging where staged_at < now() - interval '1 day' limit $1 for update skip locked))",
        UNSTAGED
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() >= UNSTAGED.unsigned_abs())
}

/// How many entries are staged.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn staged_count(tx: &mut Tx, staging: Uuid) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"-- manifests::staged_count
        select count(*) as "count!" from manifest_staging where staging_id = $1"#,
        staging
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// A file of a staged manifest that no blob was found for.
#[derive(Debug)]
pub struct Unresolved {
    /// Its path.
    pub path: String,
    /// Claimed size.
    pub size: i64,
    /// Size of what was uploaded under that path with that MD5, if it was.
    pub uploaded: Option<i64>,
}

/// Finds each staged file's blob: first what was uploaded for this version under this path, then under another path of it,
/// then what its base holds under the same path, if the caller may download that, then what this collection holds there, then
/// what a version that the caller may download holds, if only one blob can be meant (rule 39). Returns the first files without one.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn resolve(
    tx: &mut Tx,
    caller: &Caller,
    project: &Granted<Contribute>,
    version: VersionId,
    base: Option<VersionId>,
    staging: Uuid,
    scope: i64,
) -> Result<Vec<Unresolved>> {
    // A look-up for each row, or in what is grouped by the bytes: nobody has statistics of a staging table, and files with the same
    // bytes would multiply a join.
    // Where to look, and whether the caller may, is found once for all rows: that is what `materialized` is for.
    sqlx::query!(
        "-- manifests::resolve_uploads
        update manifest_staging s set blob_id = (
            select u.blob_id from uploads u join blobs b on b.id = u.blob_id and b.size = s.size
            where u.version_id = $2 and u.purpose = 'file' and u.md5 = s.md5 and md5(u.name) = md5(s.path) and u.name = s.path
            order by u.created_at desc limit 1
        )
        where s.staging_id = $1 and s.md5 is not null",
        staging,
        version.0
    )
    .execute(&mut **tx)
    .await?;
    // Grouped first: any number of announcements may have the same MD5.
    sqlx::query!(
        "-- manifests::resolve_renamed
        with found as materialized (
            select u.md5, b.size, max(u.blob_id) as blob_id from uploads u join blobs b on b.id = u.blob_id
            where u.version_id = $2 and u.purpose = 'file' group by u.md5, b.size
        )
        update manifest_staging s set blob_id = found.blob_id from found
        where s.staging_id = $1 and s.blob_id is null and s.md5 = found.md5 and s.size = found.size",
        staging,
        version.0
    )
    .execute(&mut **tx)
    .await?;
    if let Some(base) = base {
        sqlx::query!(
            "-- manifests::resolve_base
            with base as materialized (
                select v.manifest_id from versions v join manifests f on f.id = v.manifest_id and f.scope_id = $3
                where v.id = $2 and v.state = 'committed' and exists (
                    select 1 from memberships m join collections c on c.id = m.collection_id
                    where m.version_id = v.id and access_level(c.project_id, $4) >= 2
                )
            )
            update manifest_staging s set blob_id = (
                select e.blob_id
                from base
                join manifest_entries e on e.manifest_id = base.manifest_id and md5(e.path) = md5(s.path) and e.path = s.path
                    and e.digest = s.digest and e.size = s.size
            )
            where s.staging_id = $1 and s.md5 is not null and s.blob_id is null",
            staging,
            base.0,
            scope,
            caller.user.0
        )
        .execute(&mut **tx)
        .await?;
    }
    sqlx::query!(
        "-- manifests::resolve_own
        with latest as materialized (
            select v.manifest_id from versions own
            join memberships m on m.collection_id = own.collection_id
            join versions v on v.id = m.version_id and v.state = 'committed'
            where own.id = $2 order by m.index desc limit 20
        )
        update manifest_staging s set blob_id = (
            select e.blob_id
            from latest
            join manifest_entries e on e.manifest_id = latest.manifest_id and md5(e.path) = md5(s.path) and e.path = s.path
                and e.digest = s.digest and e.size = s.size
            limit 1
        )
        where s.staging_id = $1 and s.md5 is not null and s.blob_id is null",
        staging,
        version.0
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "-- manifests::resolve_elsewhere
        with wanted as (
            select distinct md5, size from manifest_staging where staging_id = $1 and md5 is not null and blob_id is null
        ), found as (
            select w.md5, w.size, min(b.id) as blob_id
            from wanted w join blobs b on b.md5 = w.md5 and b.scope_id = $2 and b.size = w.size
            where exists (
                select 1 from (
                    select distinct c.project_id from manifest_entries e
                    join versions v on v.manifest_id = e.manifest_id and v.state = 'committed'
                    join memberships m on m.version_id = v.id
                    join collections c on c.id = m.collection_id
                    where e.blob_id = b.id
                ) holder
                where holder.project_id = $4 or access_level(holder.project_id, $3) >= 2
            )
            group by w.md5, w.size having count(*) = 1
        )
        update manifest_staging s set blob_id = found.blob_id from found
        where s.staging_id = $1 and s.blob_id is null and s.md5 = found.md5 and s.size = found.size",
        staging,
        scope,
        caller.user.0,
        project.target().0
    )
    .execute(&mut **tx)
    .await?;
    Ok(sqlx::query_as!(
        Unresolved,
        r#"-- manifests::resolve_missing
        select s.path, s.size, (
            select max(b.size) from uploads u join blobs b on b.id = u.blob_id
            where u.version_id = $2 and u.md5 = s.md5 and u.name = s.path
        ) as uploaded
        from manifest_staging s where s.staging_id = $1 and s.md5 is not null and s.blob_id is null order by s.path limit 3"#,
        staging,
        version.0
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// A staged entry, for the digests that go over all entries in path order.
#[derive(Debug)]
pub struct StagedRow {
    /// Path.
    pub path: String,
    /// Digest text.
    pub digest: String,
    /// Size in bytes.
    pub size: i64,
    /// SHA-256 of a file's bytes.
    pub sha256: Option<Vec<u8>>,
}

/// The staged entries in path order, streamed.
pub fn staged(tx: &mut Tx, staging: Uuid) -> impl Stream<Item = Result<StagedRow>> + '_ {
    sqlx::query_as!(
        StagedRow,
        r#"-- manifests::staged
        select s.path as "path!", s.digest as "digest!", s.size as "size!", b.sha256 as "sha256?"
        from manifest_staging s left join blobs b on b.id = s.blob_id
        where s.staging_id = $1 order by s.path"#,
        staging
    )
    .fetch(&mut **tx)
    .map_err(Error::from)
}

/// Totals over a staged manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Number of entries.
    pub entries: i64,
    /// Sum of sizes in bytes.
    pub size: i64,
}

/// Keeps a staged manifest, or finds the one that is kept already with the same content.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn keep(
    tx: &mut Tx,
    _: &Granted<Contribute>,
    staging: Uuid,
    scope: i64,
    hash: Sha256,
    file: BlobId,
    totals: Totals,
) -> Result<ManifestId> {
    let id = loop {
        let made = sqlx::query_scalar!(
            "-- manifests::keep
            insert into manifests (scope_id, content_hash, file_blob_id, entry_count, total_size) values ($1, $2, $3, $4, $5)
            on conflict do nothing returning id",
            scope,
            &hash.0[..],
            file.0,
            totals.entries,
            totals.size
        )
        .fetch_optional(&mut **tx)
        .await?;
        if let Some(made) = made {
            break made;
        }
        // Locked, because it may be that no version names it any more: it isn't deleted from now on, or it is gone by now.
        let found = sqlx::query_scalar!(
            "-- manifests::keep_found\nselect id from manifests where scope_id = $1 and content_hash = $2 for key share",
            scope,
            &hash.0[..]
        )
        .fetch_optional(&mut **tx)
        .await?;
        if let Some(found) = found {
            return Ok(ManifestId(found));
        }
    };
    sqlx::query!(
        "-- manifests::keep_entries
        insert into manifest_entries (manifest_id, ordinal, path, digest, size, blob_id, reference, extra)
        select $1, row_number() over (order by path), path, digest, size, blob_id, reference, extra::json
        from manifest_staging where staging_id = $2 order by path",
        id,
        staging
    )
    .execute(&mut **tx)
    .await?;
    Ok(ManifestId(id))
}

/// An entry of a committed manifest.
#[derive(Debug, Clone)]
pub struct EntryRow {
    /// The manifest.
    pub manifest_id: i64,
    /// Place in path order, from 1.
    pub ordinal: i32,
    /// Path.
    pub path: String,
    /// Digest text.
    pub digest: String,
    /// Size in bytes.
    pub size: i64,
    /// The bytes, unless it is a reference.
    pub blob_id: Option<i64>,
    /// A reference's URI.
    pub reference: Option<String>,
}

impl EntryRow {
    /// Bytes of its texts.
    #[must_use]
    pub fn length(&self) -> usize {
        self.path.len() + self.digest.len() + self.reference.as_ref().map_or(0, String::len)
    }
}

/// One page of the entries of each of several manifests by path; none if they have more than `most` bytes together. For manifests
/// whose content the caller was allowed to read.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn entries(
    connection: &mut Connection,
    manifests: &[i64],
    after: i32,
    limit: i64,
    most: usize,
) -> Result<Option<Vec<EntryRow>>> {
    let rows = sqlx::query_as!(
        EntryRow,
        "-- manifests::entries
        select e.manifest_id, e.ordinal, e.path, e.digest, e.size, e.blob_id, e.reference
        from unnest($1::bigint[]) m (id)
        cross join lateral (
            select * from manifest_entries where manifest_id = m.id and ordinal > $2 order by ordinal limit $3
        ) e
        order by e.manifest_id, e.ordinal",
        manifests,
        after,
        limit
    );
    within(rows.fetch(connection), most, EntryRow::length).await
}

/// One page of the entries of some names of each of several manifests by path; none if they have more than `most` bytes together. For
/// manifests whose content the caller was allowed to read.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn entries_named(
    connection: &mut Connection,
    manifests: &[i64],
    names: &[String],
    after: i32,
    limit: i64,
    most: usize,
) -> Result<Option<Vec<EntryRow>>> {
    let rows = sqlx::query_as!(
        EntryRow,
        "-- manifests::entries_named
        select e.manifest_id, e.ordinal, e.path, e.digest, e.size, e.blob_id, e.reference
        from unnest($1::bigint[]) m (id)
        cross join lateral (
            select * from manifest_entries
            where manifest_id = m.id and ordinal > $2 and path = any($4) and md5(path) in (select md5(name) from unnest($4::text[]) name)
            order by ordinal limit $3
        ) e
        order by e.manifest_id, e.ordinal",
        manifests,
        after,
        limit,
        names
    );
    within(rows.fetch(connection), most, EntryRow::length).await
}

/// How many entries of some names each of several manifests has: the manifest's number, and how many; without those that have none.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn count_named(connection: &mut Connection, manifests: &[i64], names: &[String]) -> Result<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"-- manifests::count_named
        select manifest_id, count(*) as "count!" from manifest_entries
        where manifest_id = any($1) and path = any($2) and md5(path) in (select md5(name) from unnest($2::text[]) name)
        group by manifest_id"#,
        manifests,
        names
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.manifest_id, row.count)).collect())
}

/// What a download sends: where the bytes are, and what they are called.
#[derive(Debug, Clone)]
pub struct ContentRow {
    /// The blob.
    pub blob_id: BlobId,
    /// Its scope.
    pub scope_id: i64,
    /// SHA-256 of the bytes.
    pub sha256: Vec<u8>,
    /// Length in bytes.
    pub size: i64,
    /// Path of the entry.
    pub path: String,
}

/// An entry's bytes by a membership's path, if the caller may download there (rule 41).
///
/// # Errors
/// `NotFound`: absent, invisible, or not the right to download.
pub async fn content_by_membership(
    connection: &mut Connection,
    caller: &Caller,
    membership: MembershipId,
    ordinal: i32,
) -> Result<ContentRow> {
    sqlx::query_as!(
        ContentRow,
        "-- manifests::content_by_membership
        select b.id as blob_id, b.scope_id, b.sha256, b.size, e.path
        from memberships m
        join collections c on c.id = m.collection_id
        join versions v on v.id = m.version_id and v.state = 'committed'
        join manifest_entries e on e.manifest_id = v.manifest_id and e.ordinal = $3
        join blobs b on b.id = e.blob_id
        where m.id = $2 and access_level(c.project_id, $1) >= 2",
        caller.user.0,
        membership.0,
        ordinal
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::NotFound)
}

/// The manifest file of a version, if the caller may download it by some path (rule 41).
///
/// # Errors
/// `NotFound`: absent, invisible, or not the right to download.
pub async fn manifest_file(connection: &mut Connection, caller: &Caller, version: VersionId) -> Result<ContentRow> {
    sqlx::query_as!(
        ContentRow,
        r#"-- manifests::manifest_file
        select b.id as blob_id, b.scope_id, b.sha256, b.size, 'wandb_manifest.json' as "path!"
        from versions v join manifests f on f.id = v.manifest_id join blobs b on b.id = f.file_blob_id
        where v.id = $2 and v.state = 'committed' and exists (
            select 1 from memberships m join collections c on c.id = m.collection_id
            where m.version_id = v.id and access_level(c.project_id, $1) >= 2)"#,
        caller.user.0,
        version.0
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::NotFound)
}

/// How a path of `/artifactsV2` names a file.
#[derive(Debug, Clone, Copy)]
pub struct NamedContent<'a> {
    /// The version; absent: any of the collection.
    pub version: Option<VersionId>,
    /// The collection by whose way the caller may download; absent: any way to the version.
    pub collection: Option<CollectionId>,
    /// The version whose upload brought the bytes, as the client says: prefers one of several versions.
    pub birth: Option<VersionId>,
    /// MD5 of the bytes.
    pub md5: &'a [u8; 16],
    /// Last part of the path: prefers one of several entries.
    pub file_name: &'a str,
}

/// A file by its MD5 in a version or in a collection.
///
/// # Errors
/// `NotFound`: absent, invisible, not the right to download, or neither version nor collection is named.
pub async fn content_by_md5(connection: &mut Connection, caller: &Caller, named: NamedContent<'_>) -> Result<ContentRow> {
    if named.version.is_none() && named.collection.is_none() {
        return Err(Error::NotFound);
    }
    sqlx::query_as!(
        ContentRow,
        "-- manifests::content_by_md5
        select b.id as blob_id, b.scope_id, b.sha256, b.size, e.path
        from blobs b
        join manifest_entries e on e.blob_id = b.id
        join versions v on v.manifest_id = e.manifest_id and v.state = 'committed'
        join memberships m on m.version_id = v.id
        join collections c on c.id = m.collection_id
        where b.md5 = $2 and ($3::bigint is null or v.id = $3) and ($4::bigint is null or c.id = $4)
            and access_level(c.project_id, $1) >= 2
        order by v.id is not distinct from $5 desc, not (e.path = $6 or right(e.path, length($6) + 1) = '/' || $6), m.index desc, e.path
        limit 1",
        caller.user.0,
        &named.md5[..],
        named.version.map(|id| id.0),
        named.collection.map(|id| id.0),
        named.birth.map(|id| id.0),
        named.file_name
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::NotFound)
}
