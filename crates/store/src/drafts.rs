//! Announced manifests of pending versions, and versions that several processes make together. What must not live here: the
//! entries in a manifest (`manifests`) and their merging (`merging`).

use regalia_domain::ids::VersionId;
use regalia_domain::metadata::Metadata;
use uuid::Uuid;

use crate::access::{Contribute, Granted};
use crate::collections::Locked;
use crate::{Connection, Error, Result, Tx, one};

/// What a manifest is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it is whole.
    Full,
    /// An earlier version, whose entries it is put on top of.
    Incremental,
    /// Other manifests of the same version.
    Patch,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Patch => "patch",
        }
    }
}

/// How many manifests a version is made of at most: the commit reads all of them at once.
pub const MOST_PATCHES: i64 = 10_000;

/// A manifest to announce.
#[derive(Debug, Clone, Copy)]
pub struct NewDraft<'a> {
    /// What it is relative to.
    pub kind: Kind,
    /// The version that it is based on.
    pub base: Option<VersionId>,
    /// The run that makes a patch, by name, as the client says.
    pub run: &'a str,
    /// The upload that brings it, once its digest is known.
    pub upload: Option<Uuid>,
}

/// Announces the manifest of a pending version, or announces it again; a patch is always a further one. Returns its number.
///
/// # Errors
/// `NotFound` when the version isn't a pending one of this project, has manifests of the other sort, or [`MOST_PATCHES`].
pub async fn announce(tx: &mut Tx, project: &Granted<Contribute>, version: VersionId, draft: NewDraft<'_>) -> Result<i64> {
    // The lock waits for a commit of the version; the state is read behind it.
    let id = match draft.kind {
        Kind::Full | Kind::Incremental => {
            sqlx::query_scalar!(
                "-- drafts::announce
                insert into manifest_drafts (version_id, upload_id, kind, base_id)
                select v.id, $3, $4, $5 from versions v join collections c on c.id = v.collection_id
                where v.id = $1 and c.project_id = $2 and v.state = 'pending' and v.distributed_id is null
                    and not exists (select 1 from manifest_drafts p where p.patch_of = v.id)
                for share of v
                on conflict (version_id) do update set upload_id = coalesce(excluded.upload_id, manifest_drafts.upload_id),
                    kind = excluded.kind, base_id = coalesce(excluded.base_id, manifest_drafts.base_id)
                returning id",
                version.0,
                project.target().0,
                draft.upload,
                draft.kind.word(),
                draft.base.map(|base| base.0)
            )
            .fetch_optional(&mut **tx)
            .await?
        }
        Kind::Patch => {
            sqlx::query_scalar!(
                "-- drafts::announce_patch
                insert into manifest_drafts (patch_of, upload_id, kind, base_id, run_id)
                select v.id, $3, 'patch', $4, (select r.id from runs r where r.project_id = c.project_id and r.name = $5)
                from versions v join collections c on c.id = v.collection_id
                where v.id = $1 and c.project_id = $2 and v.state = 'pending'
                    and not exists (select 1 from manifest_drafts w where w.version_id = v.id)
                    and (select count(*) from manifest_drafts p where p.patch_of = v.id) < $6
                for share of v
                returning id",
                version.0,
                project.target().0,
                draft.upload,
                draft.base.map(|base| base.0),
                draft.run,
                MOST_PATCHES
            )
            .fetch_optional(&mut **tx)
            .await?
        }
    };
    id.ok_or(Error::NotFound)
}

/// Announces a manifest again, now with the upload that brings it.
///
/// # Errors
/// `NotFound` when it isn't one of this version, or the version isn't a pending one of this project.
pub async fn announce_again(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    version: VersionId,
    draft: i64,
    base: Option<VersionId>,
    upload: Uuid,
) -> Result<()> {
    sqlx::query_scalar!(
        "-- drafts::announce_again
        with open as (
            select v.id from versions v join collections c on c.id = v.collection_id
            where v.id = $2 and c.project_id = $3 and v.state = 'pending' for share of v
        )
        update manifest_drafts d set upload_id = $5, base_id = coalesce($4, d.base_id)
        from open where d.id = $1 and coalesce(d.version_id, d.patch_of) = open.id returning d.id",
        draft,
        version.0,
        project.target().0,
        base.map(|base| base.0),
        upload
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(())
}

/// The version of an announced manifest, and whether it is incremental. Asks for no right: whoever calls this does.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn version_of(connection: &mut Connection, draft: i64) -> Result<Option<(VersionId, bool)>> {
    let row = sqlx::query!(
        r#"-- drafts::version_of
        select coalesce(version_id, patch_of) as "version_id!", kind = 'incremental' as "incremental!" from manifest_drafts where id = $1"#,
        draft
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (VersionId(row.version_id), row.incremental)))
}

/// Notes that files are announced for a manifest of the version. Whether there is such a manifest.
///
/// # Errors
/// `NotFound` when the version is gone.
pub async fn note_files(tx: &mut Tx, _: &Granted<Contribute>, version: VersionId, draft: i64) -> Result<bool> {
    // Read first: the batches of one patch come at once, and only the first one has to write. Whoever deletes the version locks it
    // before its manifests go, so it is held before one of them is written.
    let noted = sqlx::query_scalar!(
        r#"-- drafts::files_announced
        select d.files_announced or d.kind <> 'patch' as "noted?"
        from versions v left join manifest_drafts d on d.id = $1 and coalesce(d.version_id, d.patch_of) = v.id
        where v.id = $2 for key share of v"#,
        draft,
        version.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    if noted == Some(false) {
        let done = sqlx::query!("-- drafts::note_files\nupdate manifest_drafts set files_announced = true where id = $1", draft)
            .execute(&mut **tx)
            .await?;
        one("drafts::note_files", &done)?;
    }
    Ok(noted.is_some())
}

/// An announced manifest, as the commit has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftRow {
    /// Number; later ones are higher.
    pub id: i64,
    /// Whether its entries come on top of its base's.
    pub incremental: bool,
    /// Whether the version is made of several.
    pub patch: bool,
    /// The version that it is based on, as its client says.
    pub base_id: Option<i64>,
    /// Whether its manifest or a file of it was announced.
    pub announced: bool,
    /// The manifest, once it has arrived.
    pub blob_id: Option<i64>,
    /// The run that makes it, of a patch.
    pub run: Option<String>,
}

/// The announced manifests of a version, in the order of their announcement.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn of_version(tx: &mut Tx, _: &Granted<Contribute>, version: VersionId) -> Result<Vec<DraftRow>> {
    Ok(sqlx::query_as!(
        DraftRow,
        r#"-- drafts::of_version
        select d.id, d.kind = 'incremental' as "incremental!", d.kind = 'patch' as "patch!", d.base_id,
            d.upload_id is not null or d.files_announced as "announced!", u.blob_id as "blob_id?", r.name as "run?"
        from manifest_drafts d left join uploads u on u.id = d.upload_id left join runs r on r.id = d.run_id
        where d.version_id = $1 or d.patch_of = $1 order by d.id"#,
        version.0
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Notes that the runs which made patches of a version logged it.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn note_outputs(tx: &mut Tx, project: &Granted<Contribute>, version: VersionId) -> Result<()> {
    sqlx::query!(
        "-- drafts::note_outputs
        insert into run_outputs (run_id, version_id)
        select distinct r.id, $1::bigint from manifest_drafts d join runs r on r.id = d.run_id and r.project_id = $2
        where d.patch_of = $1 on conflict do nothing",
        version.0,
        project.target().0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A pending version that is begun once more.
#[derive(Debug)]
pub struct SharedRow {
    /// Number.
    pub id: VersionId,
    /// Aliases that were asked for so far.
    pub requested_aliases: Vec<String>,
}

/// The pending version of a locked collection that several processes call so.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn shared(tx: &mut Tx, collection: &Locked, distributed_id: &str) -> Result<Option<SharedRow>> {
    Ok(sqlx::query_as!(
        SharedRow,
        "-- drafts::shared
        select id, requested_aliases from versions where collection_id = $1 and distributed_id = $2 and state = 'pending'",
        collection.id().0,
        distributed_id
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// Adds what is said once more of a pending version: what is given replaces, aliases are all that are asked for by now.
///
/// # Errors
/// `NotFound` when it isn't a pending version of this collection, because it was forgotten a moment ago.
pub async fn join(
    tx: &mut Tx,
    collection: &Locked,
    version: VersionId,
    aliases: &[String],
    description: Option<&str>,
    metadata: Option<&Metadata>,
) -> Result<()> {
    let done = sqlx::query!(
        "-- drafts::join
        update versions set requested_aliases = $3, description = coalesce($4, description),
            metadata = coalesce($5::text::json, metadata), metadata_index = coalesce($6::text::jsonb, metadata_index),
            updated_at = case when (requested_aliases, description, metadata::text)
                is distinct from ($3, coalesce($4, description), coalesce($5, metadata::text)) then now() else updated_at end
        where id = $1 and collection_id = $2 and state = 'pending'",
        version.0,
        collection.id().0,
        aliases,
        description,
        metadata.map(Metadata::as_text),
        metadata.map(Metadata::index_text)
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}
