//! Announced files and their arrival. What must not live here: the bytes, and which file belongs into which manifest
//! (`manifests::resolve`).

use regalia_domain::digest::Md5;
use regalia_domain::ids::{BlobId, CollectionId, RunId, UserId, VersionId};
use uuid::Uuid;

use crate::access::{Caller, Contribute, Granted};
use crate::{Connection, Error, Result, Tx};

/// A file that a client announces.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Becomes part of the URL.
    pub id: Uuid,
    /// Path in the manifest, or name of the run's file.
    pub name: String,
    /// Announced MD5.
    pub md5: Option<Md5>,
    /// The bytes, when they are stored already and needn't be sent: so they stay named until the commit.
    pub stored: Option<BlobId>,
}

/// What an announced file belongs to.
#[derive(Debug, Clone, Copy)]
pub enum Owner {
    /// A file of a pending version.
    File(VersionId),
    /// The manifest of a pending version.
    Manifest(VersionId),
    /// A file of a run.
    Run(RunId),
}

/// Announces files in one statement. The service has checked that the owner belongs to the granted project.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn announce(tx: &mut Tx, project: &Granted<Contribute>, owner: Owner, scope: i64, files: &[NewUpload]) -> Result<()> {
    let (purpose, version, run) = match owner {
        Owner::File(version) => ("file", Some(version.0), None),
        Owner::Manifest(version) => ("manifest", Some(version.0), None),
        Owner::Run(run) => ("run_file", None, Some(run.0)),
    };
    let ids: Vec<Uuid> = files.iter().map(|file| file.id).collect();
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let md5s: Vec<Option<Vec<u8>>> = files.iter().map(|file| file.md5.map(|md5| md5.0.to_vec())).collect();
    let stored: Vec<Option<i64>> = files.iter().map(|file| file.stored.map(|blob| blob.0)).collect();
    let done = sqlx::query!(
        "-- uploads::announce
        insert into uploads (id, purpose, version_id, run_id, scope_id, actor_id, name, md5, blob_id)
        select file.id, $1, $2, $3, $4, $5, file.name, file.md5, file.blob_id
        from unnest($7::uuid[], $8::text[], $9::bytea[], $10::bigint[]) as file (id, name, md5, blob_id)
        where exists (select 1 from versions v join collections c on c.id = v.collection_id
                where v.id = $2 and v.state = 'pending' and c.project_id = $6)
            or exists (select 1 from runs r where r.id = $3 and r.project_id = $6)",
        purpose,
        version,
        run,
        scope,
        project.actor().0,
        project.target().0,
        &ids,
        &names,
        &md5s as &[Option<Vec<u8>>],
        &stored as &[Option<i64>]
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == files.len() as u64 { Ok(()) } else { Err(Error::NotFound) }
}

/// A file that is stored already, with the version that brought it.
#[derive(Debug)]
pub struct StoredRow {
    /// Path.
    pub path: String,
    /// Announced MD5.
    pub md5: Vec<u8>,
    /// The first version of the collection that holds it.
    pub version_id: i64,
    /// The bytes that the newest of them holds.
    pub blob_id: i64,
}

/// Which announced files the committed versions of the same source collection hold under the same path and MD5, so that
/// they needn't be sent again. Looks nowhere else: the answer tells nobody what others have (rule 39).
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn stored(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    collection: CollectionId,
    files: &[NewUpload],
) -> Result<Vec<StoredRow>> {
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let md5s: Vec<Option<Vec<u8>>> = files.iter().map(|file| file.md5.map(|md5| md5.0.to_vec())).collect();
    Ok(sqlx::query_as!(
        StoredRow,
        r#"-- uploads::stored
        select file.path as "path!", file.md5 as "md5!", min(v.id) as "version_id!",
            (array_agg(e.blob_id order by v.index desc))[1] as "blob_id!"
        from unnest($1::text[], $2::bytea[]) as file (path, md5)
        cross join (
            select v.id, v.manifest_id, m.index from versions v
            join memberships m on m.version_id = v.id and m.collection_id = v.collection_id
            join collections c on c.id = v.collection_id
            where v.collection_id = $3 and c.project_id = $4 and v.state = 'committed' order by m.index desc limit 20
        ) v
        join manifest_entries e on e.manifest_id = v.manifest_id and md5(e.path) = md5(file.path) and e.path = file.path
            and e.digest = encode(file.md5, 'base64')
        where e.blob_id is not null
        group by file.path, file.md5"#,
        &names,
        &md5s as &[Option<Vec<u8>>],
        collection.0,
        project.target().0
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// An announced file, for the request that brings its bytes.
#[derive(Debug, Clone)]
pub struct UploadRow {
    /// Number.
    pub id: Uuid,
    /// Announced MD5.
    pub md5: Option<Vec<u8>>,
    /// Whose bytes they will be.
    pub scope_id: i64,
    /// The bytes, once they have arrived.
    pub blob_id: Option<i64>,
    /// Whether the version is committed already; never for a run's file.
    pub closed: bool,
    /// The run, for a run's file.
    pub run_id: Option<i64>,
    /// Name.
    pub name: String,
}

/// An announced file, if the actor who announced it may still write there.
///
/// # Errors
/// `NotFound`: unknown, somebody else's, or the right has gone.
pub async fn find(connection: &mut Connection, caller: &Caller, id: Uuid) -> Result<UploadRow> {
    sqlx::query_as!(
        UploadRow,
        r#"-- uploads::find
        select u.id as "id!", u.md5 as "md5?", u.scope_id as "scope_id!", u.blob_id as "blob_id?", coalesce(v.state <> 'pending', false) as "closed!",
            u.run_id as "run_id?", u.name as "name!"
        from uploads u
        left join versions v on v.id = u.version_id left join collections c on c.id = v.collection_id
        left join runs r on r.id = u.run_id
        where u.id = $2 and u.actor_id = $1 and access_level(coalesce(c.project_id, r.project_id), $1) >= 3"#,
        caller.user.0,
        id
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::NotFound)
}

/// Notes that an upload's bytes are there: once, or again with the same blob, and never after the commit (rule 40); by who may still
/// write there, for the bytes may have taken long (rule 18).
///
/// # Errors
/// `Exists` when other bytes came before or the version is committed.
pub async fn complete(tx: &mut Tx, actor: UserId, id: Uuid, blob: BlobId) -> Result<()> {
    let done = sqlx::query!(
        "-- uploads::complete
        update uploads u set blob_id = $3
        where u.id = $1 and u.actor_id = $2 and (u.blob_id is null or u.blob_id = $3) and access_level(coalesce(
                (select c.project_id from versions v join collections c on c.id = v.collection_id where v.id = u.version_id),
                (select r.project_id from runs r where r.id = u.run_id)), $2) >= 3
            and not exists (select 1 from versions v where v.id = u.version_id and v.state <> 'pending')",
        id,
        actor.0,
        blob.0
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Exists) }
}
