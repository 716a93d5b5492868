//! Versions: pending rows, the commit, and reads with the caller's rights. What must not live here: entries (see
//! `manifests`) and places in collections (see `memberships`).

use chrono::{DateTime, Utc};
use regalia_domain::digest::Md5;
use regalia_domain::ids::{ManifestId, ProjectId, RunId, VersionId};
use regalia_domain::metadata::Metadata;
use regalia_domain::roles::Right;
use regalia_domain::ttl::Ttl;

use crate::access::{Caller, Contribute, Granted};
use crate::collections::Locked;
use crate::{Connection, Error, Result, Tx, one, within};

/// A version with what the caller may do with it.
#[derive(Debug, Clone)]
pub struct VersionRow {
    /// Number.
    pub id: VersionId,
    /// pending, committed or deleted.
    pub state: String,
    /// MD5 of the manifest, hexadecimal.
    pub digest: String,
    /// Free text.
    pub description: Option<String>,
    /// -1 inherits, -2 is off, else seconds from `created_at`.
    pub ttl_seconds: i64,
    /// From when on it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// The run's step.
    pub history_step: Option<i64>,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When a field last changed.
    pub updated_at: DateTime<Utc>,
    /// The manifest, once committed.
    pub manifest_id: Option<i64>,
    /// Number of entries.
    pub entry_count: i64,
    /// Sum of the entries' sizes in bytes.
    pub total_size: i64,
    /// Type's name.
    pub type_name: String,
    /// The source collection.
    pub collection_id: i64,
    /// The source collection's name.
    pub collection_name: String,
    /// The source collection's project.
    pub project_id: ProjectId,
    /// The source project's entity.
    pub entity_name: String,
    /// The source project's organization; none for a personal project.
    pub organization_id: Option<i64>,
    /// Index in the source collection, once committed.
    pub index: Option<i32>,
    /// The run that made it.
    pub run_id: Option<i64>,
    /// Who made it.
    pub created_by: Option<i64>,
    /// What the caller may do in the source project.
    pub source_level: i16,
    /// The highest of what the caller may do over all paths (rule 41).
    pub level: i16,
}

impl VersionRow {
    /// Whether the caller has a right by some path.
    #[must_use]
    pub fn allows(&self, right: Right) -> bool {
        self.level >= right.level()
    }

    /// Whether the caller may know where it comes from (rule 22).
    #[must_use]
    pub fn source_visible(&self) -> bool {
        self.source_level >= Right::See.level()
    }
}

/// Versions by number that the caller sees by some path, in any order; none if their descriptions have more than `most` bytes
/// together. Deleted ones are gone.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn versions(connection: &mut Connection, caller: &Caller, ids: &[i64], most: usize) -> Result<Option<Vec<VersionRow>>> {
    let rows = sqlx::query_as!(
        VersionRow,
        r#"-- versions::versions
        with wanted as materialized (
            select v.id, c.project_id from versions v join collections c on c.id = v.collection_id
            -- Behind a `select`, so that these joins are planned once (see CONTRIBUTING).
            where v.id = any((select $2::bigint[])::bigint[]) and v.state <> 'deleted'
        ), path as materialized (
            select id, project_id from wanted
            union
            select w.id, c.project_id from wanted w
            join memberships m on m.version_id = w.id join collections c on c.id = m.collection_id
        ), decided as materialized (
            -- Once for each project, however many versions there are.
            select p.project_id, coalesce((select max(s.level) from role_sources(p.project_id, $1) s), 0)::smallint as level
            from (select distinct project_id from path) p
        ), best as materialized (
            select path.id, max(d.level) as level from path join decided d using (project_id) group by path.id
        )
        select v.id as "id!", v.state as "state!", v.digest as "digest!", v.description as "description?",
            v.ttl_seconds as "ttl_seconds!", v.expires_at as "expires_at?", v.history_step as "history_step?",
            v.created_at as "created_at!", v.updated_at as "updated_at!", v.manifest_id as "manifest_id?",
            coalesce(f.entry_count, 0) as "entry_count!", coalesce(f.total_size, 0) as "total_size!", t.name as "type_name!",
            v.collection_id as "collection_id!", c.name as "collection_name!", c.project_id as "project_id!",
            e.name as "entity_name!", team.organization_id as "organization_id?", s.index as "index?", v.run_id as "run_id?",
            v.created_by as "created_by?", source.level as "source_level!", best.level as "level!"
        from best
        join versions v on v.id = best.id
        join collections c on c.id = v.collection_id
        join decided source on source.project_id = c.project_id
        join artifact_types t on t.id = c.type_id
        join projects p on p.id = c.project_id
        join entities e on e.id = p.entity_id
        left join teams team on team.id = e.id
        left join manifests f on f.id = v.manifest_id
        left join memberships s on s.version_id = v.id and s.collection_id = v.collection_id"#,
        caller.user.0,
        ids
    );
    let rows = within(rows.fetch(connection), most, |row| row.description.as_ref().map_or(0, String::len)).await?;
    Ok(rows.map(|rows| rows.into_iter().filter(|row| row.allows(Right::See)).collect()))
}

/// The metadata of versions as it was given, in the order of their numbers, and none where those before leave no room within
/// `most` bytes: whoever asks for much finds that out before it is in memory. For versions that the caller was allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn metadata(connection: &mut Connection, ids: &[i64], most: i64) -> Result<Vec<(i64, Option<String>)>> {
    let rows = sqlx::query!(
        r#"-- versions::metadata
        with measured as (
            select id, metadata, sum(octet_length(metadata::text)) over (order by id) as total from versions where id = any($1)
        )
        select id as "id!", case when total <= $2 then metadata::text end as "metadata?" from measured order by id"#,
        ids,
        most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.metadata)).collect())
}

/// One version, as [`versions`].
///
/// # Errors
/// `NotFound`: absent, deleted or invisible.
pub async fn version(connection: &mut Connection, caller: &Caller, id: VersionId) -> Result<VersionRow> {
    versions(connection, caller, &[id.0], usize::MAX).await?.and_then(|mut rows| rows.pop()).ok_or(Error::NotFound)
}

/// What a pending version is made with.
#[derive(Debug)]
pub struct NewVersion<'a> {
    /// Claimed digest, checked at commit.
    pub digest: &'a Md5,
    /// Free text.
    pub description: Option<&'a str>,
    /// JSON object.
    pub metadata: &'a Metadata,
    /// When it expires (rule 35).
    pub ttl: Ttl,
    /// The run's step.
    pub history_step: Option<i64>,
    /// Aliases to set at commit.
    pub aliases: &'a [String],
    /// The run that makes it.
    pub run: Option<RunId>,
    /// What several processes that make it together call it.
    pub distributed_id: Option<&'a str>,
}

/// Begins a version in a locked source collection.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn insert(tx: &mut Tx, project: &Granted<Contribute>, collection: &Locked, new: &NewVersion<'_>) -> Result<VersionId> {
    let id = sqlx::query_scalar!(
        "-- versions::insert
        insert into versions (collection_id, state, digest, description, metadata, metadata_index, ttl_seconds, history_step,
            requested_aliases, run_id, created_by, distributed_id)
        values ($1, 'pending', $2, $3, $4::text::json, $5::text::jsonb, $6, $7, $8, $9, $10, $11) returning id",
        collection.id().0,
        new.digest.to_hex(),
        new.description,
        new.metadata.as_text(),
        new.metadata.index_text(),
        new.ttl.as_seconds(),
        new.history_step,
        new.aliases,
        new.run.map(|run| run.0),
        project.actor().0,
        new.distributed_id
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(VersionId(id))
}

/// The newest committed version of a collection.
#[derive(Debug)]
pub struct Newest {
    /// Number.
    pub id: VersionId,
    /// Its digest.
    pub digest: String,
    /// Whether it has expired, and is deleted in a moment.
    pub over: bool,
}

/// The newest committed version of a locked collection.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn newest(tx: &mut Tx, collection: &Locked) -> Result<Option<Newest>> {
    Ok(sqlx::query_as!(
        Newest,
        r#"-- versions::newest
        select v.id, v.digest, coalesce(v.expires_at <= now(), false) as "over!"
        from memberships m join versions v on v.id = m.version_id
        where m.collection_id = $1 order by m.index desc limit 1"#,
        collection.id().0
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// The newest committed version of a locked collection with this digest, if it hasn't expired.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn by_digest(tx: &mut Tx, collection: &Locked, digest: &str) -> Result<Option<VersionId>> {
    let id = sqlx::query_scalar!(
        "-- versions::by_digest
        select v.id from memberships m join versions v on v.id = m.version_id
        where m.collection_id = $1 and v.digest = $2 and (v.expires_at <= now()) is not true order by m.index desc limit 1",
        collection.id().0,
        digest
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(id.map(VersionId))
}

/// What a client's own name for a version means.
#[derive(Debug)]
pub struct ClientIdRow {
    /// The version.
    pub version_id: VersionId,
    /// Its source collection.
    pub collection_id: i64,
    /// The digest that was claimed with the name.
    pub digest: String,
    /// What the processes that make the version together call it.
    pub distributed_id: Option<String>,
    /// Whether it is committed; else pending.
    pub committed: bool,
    /// Aliases that were asked for until the commit.
    pub requested_aliases: Vec<String>,
    /// Whether other versions are called so, too.
    pub shared: bool,
}

/// The version that the caller's client named so, if it isn't deleted.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn by_client_id(connection: &mut Connection, caller: &Caller, client_id: &str) -> Result<Option<ClientIdRow>> {
    Ok(sqlx::query_as!(
        ClientIdRow,
        r#"-- versions::by_client_id
        select v.id as version_id, v.collection_id as "collection_id!", coalesce(n.digest, v.digest) as "digest!", v.distributed_id,
            v.state = 'committed' as "committed!", v.requested_aliases, n.shared
        from client_ids n join versions v on v.id = n.version_id
        where n.user_id = $1 and n.client_id = $2 and v.state <> 'deleted'"#,
        caller.user.0,
        client_id
    )
    .fetch_optional(connection)
    .await?)
}

/// Remembers what the caller's client calls a version of the project. A name that has come to mean something else than `before`
/// keeps that meaning, unless that version was deleted; then it is shared by several versions, as when `before` is another one.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn set_client_id(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    version: VersionId,
    client_id: &str,
    digest: &str,
    before: Option<VersionId>,
    other: bool,
) -> Result<()> {
    sqlx::query!(
        "-- versions::set_client_id
        insert into client_ids (user_id, client_id, version_id, digest)
        select $4, $3, v.id, $5 from versions v join collections c on c.id = v.collection_id where v.id = $1 and c.project_id = $2
        on conflict (user_id, client_id) do update set (version_id, digest, named_at, shared) = (
            select case when moves then excluded.version_id else client_ids.version_id end,
                case when moves then excluded.digest else client_ids.digest end,
                case when moves then now() else client_ids.named_at end,
                not ended and (client_ids.shared or $7 or not moves)
            from (select exists (select 1 from versions old where old.id = client_ids.version_id and old.state = 'deleted') as ended) old,
                lateral (select ended or client_ids.version_id is not distinct from $6 as moves) name
        )
        where (client_ids.version_id, client_ids.digest) is distinct from (excluded.version_id, excluded.digest)",
        version.0,
        project.target().0,
        client_id,
        project.actor().0,
        digest,
        before.map(|before| before.0),
        other
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A pending version under its lock: what the commit has to know.
#[derive(Debug)]
pub struct PendingRow {
    /// pending, committed or deleted.
    pub state: String,
    /// Claimed digest.
    pub digest: String,
    /// The source collection.
    pub collection_id: i64,
    /// The run that made it.
    pub run_id: Option<i64>,
}

/// A version of a project, pending or not.
///
/// # Errors
/// `NotFound` when it isn't one of this project's.
pub async fn pending(connection: &mut Connection, project: &Granted<Contribute>, version: VersionId) -> Result<PendingRow> {
    sqlx::query_as!(
        PendingRow,
        r#"-- versions::pending
        select v.state as "state!", v.digest as "digest!", v.collection_id as "collection_id!",
            v.run_id as "run_id?"
        from versions v join collections c on c.id = v.collection_id
        where v.id = $1 and c.project_id = $2 and v.state <> 'deleted'"#,
        version.0,
        project.target().0
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::NotFound)
}

/// Makes a pending version visible: the last step of a commit, under its collection's lock. The digest is the manifest's.
///
/// # Errors
/// `AffectedRows` when somebody else committed it.
pub async fn commit(tx: &mut Tx, collection: &Locked, version: VersionId, manifest: ManifestId, digest: &str) -> Result<()> {
    let done = sqlx::query!(
        "-- versions::commit
        update versions set state = 'committed', manifest_id = $3, digest = $4, committed_at = clock_timestamp(), updated_at = now()
        where id = $1 and collection_id = $2 and state = 'pending'",
        version.0,
        collection.id().0,
        manifest.0,
        digest
    )
    .execute(&mut **tx)
    .await?;
    one("versions::commit", &done)
}

/// Locks a version's row against a second commit at the same time: its state, and the aliases that were asked for by now.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn lock_pending(tx: &mut Tx, collection: &Locked, version: VersionId) -> Result<Option<(String, Vec<String>)>> {
    let row = sqlx::query!(
        "-- versions::lock_pending
        select state, requested_aliases from versions where id = $1 and collection_id = $2 for update",
        version.0,
        collection.id().0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| (row.state, row.requested_aliases)))
}

/// What can be changed of a committed version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// Free text.
    pub description: Option<String>,
    /// JSON object as it was given.
    pub metadata: String,
    /// -1 inherits, -2 is off, else seconds from the creation.
    pub ttl_seconds: i64,
}

/// The fields of a version of the project, which nobody else changes until the commit.
///
/// # Errors
/// `NotFound` when the project has no such version that is committed.
pub async fn lock_fields(tx: &mut Tx, project: &Granted<Contribute>, version: VersionId) -> Result<Fields> {
    sqlx::query_as!(
        Fields,
        r#"-- versions::lock_fields
        select v.description, v.metadata::text as "metadata!", v.ttl_seconds from versions v join collections c on c.id = v.collection_id
        where v.id = $1 and c.project_id = $2 and v.state = 'committed' for no key update of v"#,
        version.0,
        project.target().0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)
}

/// Whether a version is linked into a registry.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn in_registry(tx: &mut Tx, version: VersionId) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"-- versions::in_registry
        select in_registry($1) as "linked!""#,
        version.0
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Changes the fields of a version whose fields are locked.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn update(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    version: VersionId,
    fields: &Fields,
    metadata: Option<&Metadata>,
) -> Result<()> {
    let done = sqlx::query!(
        "-- versions::update
        update versions v set description = $3, ttl_seconds = $4, updated_at = now(),
            metadata = coalesce($5::text::json, v.metadata), metadata_index = coalesce($6::text::jsonb, v.metadata_index)
        from collections c where c.id = v.collection_id and v.id = $1 and c.project_id = $2",
        version.0,
        project.target().0,
        fields.description,
        fields.ttl_seconds,
        metadata.map(Metadata::as_text),
        metadata.map(Metadata::index_text)
    )
    .execute(&mut **tx)
    .await?;
    one("versions::update", &done)
}

/// Keeps a version from being deleted and changed, and its source collection from changing its type, until the commit: for a
/// link, which reads the version after this.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn hold(tx: &mut Tx, version: VersionId) -> Result<()> {
    sqlx::query!("-- versions::hold\nselect id from versions where id = $1 for no key update", version.0)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets the versions of a locked source collection that were begun and never committed.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn forget_pending(tx: &mut Tx, source: &Locked) -> Result<()> {
    sqlx::query!(
        "-- versions::forget_pending\ndelete from versions where collection_id = $1 and state = 'pending'",
        source.id().0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes that a user's run logged a version: also one that was there already.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn note_output(tx: &mut Tx, project: &Granted<Contribute>, run: RunId, version: VersionId) -> Result<()> {
    sqlx::query!(
        "-- versions::note_output
        insert into run_outputs (run_id, version_id) select r.id, $3 from runs r where r.id = $1 and r.project_id = $2
        on conflict do nothing",
        run.0,
        project.target().0,
        version.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes that a run used a version.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn note_input(tx: &mut Tx, project: &Granted<Contribute>, run: RunId, version: VersionId) -> Result<()> {
    sqlx::query!(
        "-- versions::note_input
        insert into run_inputs (run_id, version_id) select r.id, $3 from runs r where r.id = $1 and r.project_id = $2
        on conflict do nothing",
        run.0,
        project.target().0,
        version.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
