//! Collections of both kinds and their lock. What must not live here: what stands in them (`memberships`, `aliases`).

use chrono::{DateTime, Utc};
use regalia_domain::alias::ProtectedAliases;
use regalia_domain::ids::{ArtifactTypeId, CollectionId, ProjectId, UserId, VersionId};
use regalia_domain::roles::{RegistryRole, Right};

use crate::access::{Administer, Caller, Contribute, Granted, ProjectKind, ProjectPermission};
use crate::{Connection, Error, Result, Tx, one, within};

/// A collection.
#[derive(Debug, Clone)]
pub struct CollectionRow {
    /// Number.
    pub id: CollectionId,
    /// The project or registry.
    pub project_id: ProjectId,
    /// `source` or `registry`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Type's number.
    pub type_id: ArtifactTypeId,
    /// Type's name.
    pub type_name: String,
    /// The card.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its fields or its list of versions last changed.
    pub updated_at: DateTime<Utc>,
    /// Whether this is what it was before it was deleted: no row of the table is.
    pub deleted: bool,
}

impl CollectionRow {
    /// Whether versions are born here.
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.kind == "source"
    }
}

macro_rules! select_collection {
    ($name:literal, $rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            CollectionRow,
            "-- collections::" + $name + "
            select c.id, c.project_id, c.kind, c.name, c.type_id, t.name as type_name, c.description, c.created_at, c.updated_at,
                false as \"deleted!\"
            from collections c join artifact_types t on t.id = c.type_id
            " + $rest,
            $($argument),+
        )
    };
}

/// Collections by their projects and names, in any order. For projects that the caller was allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn by_names(connection: &mut Connection, projects: &[i64], names: &[&str]) -> Result<Vec<CollectionRow>> {
    Ok(select_collection!(
        "by_names",
        "where (c.project_id, c.name) in (select * from unnest($1::bigint[], $2::text[]))",
        projects,
        names as &[&str]
    )
    .fetch_all(connection)
    .await?)
}

/// A collection by number, if the caller sees its project.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn visible(connection: &mut Connection, caller: &Caller, id: CollectionId) -> Result<Option<CollectionRow>> {
    Ok(select_collection!("visible", "where c.id = $1 and access_level(c.project_id, $2) >= 1", id.0, caller.user.0)
        .fetch_optional(connection)
        .await?)
}

/// Collections by number, in any order; none if their descriptions have more than `most` bytes together. The caller of this checks
/// their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn collections(connection: &mut Connection, ids: &[i64], most: usize) -> Result<Option<Vec<CollectionRow>>> {
    let rows = select_collection!("collections", "where c.id = any($1)", ids);
    within(rows.fetch(connection), most, |row| row.description.as_ref().map_or(0, String::len)).await
}

/// A collection whose row is locked until the transaction ends: what writes to its versions and aliases demand.
#[derive(Debug)]
pub struct Locked {
    id: CollectionId,
    /// `source` or `registry`.
    pub kind: String,
    /// Its type's name.
    pub type_name: String,
    /// The role of whoever took the lock, where there are protected aliases.
    role: Option<RegistryRole>,
    protected: ProtectedAliases,
}

impl Locked {
    /// The collection.
    #[must_use]
    pub fn id(&self) -> CollectionId {
        self.id
    }

    /// Refuses a change of aliases that whoever took the lock may not set, move or remove. Everything that changes aliases
    /// comes through here, with those that it really changes.
    ///
    /// # Errors
    /// `Protected` (rule 32).
    pub(crate) fn may_change(&self, aliases: &[String]) -> Result<()> {
        match self.protected.refused(self.role, aliases) {
            Some(alias) => Err(Error::Protected(alias.to_owned())),
            None => Ok(()),
        }
    }
}

/// Locks a collection by name; none when there is none.
///
/// # Errors
/// `NotFound` and `Forbidden` when the right was taken away while this waited for the lock.
pub async fn lock(tx: &mut Tx, project: &Granted<Contribute>, name: &str) -> Result<Option<Locked>> {
    let id = sqlx::query_scalar!(
        "-- collections::lock\nselect id from collections where project_id = $1 and name = $2 for update",
        project.target().0,
        name
    )
    .fetch_optional(&mut **tx)
    .await?;
    match id {
        Some(id) => Ok(Some(locked(tx, project, id).await?)),
        None => Ok(None),
    }
}

/// Locks a collection of the project by number.
///
/// # Errors
/// `NotFound` when the project has none of this number, also that of [`lock`]; `Forbidden` as there.
pub async fn lock_by_id<P: ProjectPermission>(tx: &mut Tx, project: &Granted<P>, id: CollectionId) -> Result<Locked> {
    let id = sqlx::query_scalar!(
        "-- collections::lock_by_id\nselect id from collections where project_id = $1 and id = $2 for update",
        project.target().0,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    locked(tx, project, id).await
}

/// Collections that have just been locked or made, as they are by now: what is read in the statement that waits for a lock may be
/// older than the lock. `level` is what the actor may do there.
struct Row {
    id: i64,
    kind: String,
    project_id: i64,
    project_kind: String,
    type_name: String,
    protected_aliases: Vec<String>,
    level: i16,
}

async fn by_now(tx: &mut Tx, actor: UserId, ids: &[i64]) -> Result<Vec<Row>> {
    Ok(sqlx::query_as!(
        Row,
        r#"-- collections::locked
        select c.id, c.kind, c.project_id, p.kind as project_kind, t.name as type_name, p.protected_aliases, access_level(p.id, $1) as "level!"
        from collections c join artifact_types t on t.id = c.type_id join projects p on p.id = c.project_id
        where c.id = any($2) order by c.id"#,
        actor.0,
        ids
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Whoever waited for the lock may have lost the right that he came with.
fn still<P: ProjectPermission>(row: &Row) -> Result<()> {
    if row.level < Right::See.level() {
        return Err(Error::NotFound);
    }
    if row.level < P::RIGHT.level() { Err(Error::Forbidden) } else { Ok(()) }
}

impl Row {
    fn locked(self, role: Option<RegistryRole>) -> Locked {
        Locked {
            id: CollectionId(self.id),
            kind: self.kind,
            type_name: self.type_name,
            role,
            protected: ProtectedAliases::stored(self.protected_aliases),
        }
    }
}

async fn locked<P: ProjectPermission>(tx: &mut Tx, project: &Granted<P>, id: i64) -> Result<Locked> {
    let row = by_now(tx, project.actor(), &[id]).await?.pop().ok_or(Error::NotFound)?;
    still::<P>(&row)?;
    let role = RegistryRole::of_level(row.level);
    Ok(row.locked(role))
}

/// Locks every collection in which a version of a source collection stands (or all of its versions, if none is named), and that
/// source collection itself: in the order of their numbers, after the rules of the registries that they are in. Nobody's role
/// in those registries counts, so an alias that one of them protects can't be taken away under these locks (rule 32). None, when
/// one of them is in a registry whose rules weren't locked yet: then begin anew.
///
/// # Errors
/// `NotFound` when the project has no such source collection; `Forbidden` as [`lock`].
pub async fn lock_holding(
    tx: &mut Tx,
    project: &Granted<Administer>,
    source: CollectionId,
    version: Option<VersionId>,
) -> Result<Option<Vec<Locked>>> {
    let rules = sqlx::query_scalar!(
        "-- collections::lock_holding_rules
        select p.id from projects p where p.kind = 'registry' and p.id in (
            select c.project_id from versions v join memberships m on m.version_id = v.id join collections c on c.id = m.collection_id
            where v.collection_id = $1 and ($2::bigint is null or v.id = $2)
        ) order by p.id for share",
        source.0,
        version.map(|version| version.0)
    )
    .fetch_all(&mut **tx)
    .await?;
    let ids = sqlx::query_scalar!(
        "-- collections::lock_holding
        select c.id from collections c where c.id = $1 or c.id in (
            select m.collection_id from versions v join memberships m on m.version_id = v.id
            where v.collection_id = $1 and ($2::bigint is null or v.id = $2)
        ) order by c.id for update",
        source.0,
        version.map(|version| version.0)
    )
    .fetch_all(&mut **tx)
    .await?;
    let rows = by_now(tx, project.actor(), &ids).await?;
    let own = rows.iter().find(|row| row.id == source.0 && row.project_id == project.target().0 && row.kind == "source");
    still::<Administer>(own.ok_or(Error::NotFound)?)?;
    if rows.iter().any(|row| row.project_kind == "registry" && !rules.contains(&row.project_id)) {
        return Ok(None);
    }
    Ok(Some(rows.into_iter().map(|row| row.locked(None)).collect()))
}

/// Locks collections for what nobody asks for at the moment, in the order of their numbers; none when somebody else is at work on one
/// of them. Nobody's role counts, so protected aliases stay.
///
/// # Errors
/// Of PostgreSQL alone.
pub(crate) async fn lock_unasked(tx: &mut Tx, ids: &[i64]) -> Result<Option<Vec<Locked>>> {
    let free = sqlx::query_scalar!(
        "-- collections::lock_unasked\nselect id from collections where id = any($1) order by id for update skip locked",
        ids
    )
    .fetch_all(&mut **tx)
    .await?;
    if free.len() < ids.len() {
        return Ok(None);
    }
    // The account of the number 0 is nobody's.
    Ok(Some(by_now(tx, UserId(0), &free).await?.into_iter().map(|row| row.locked(None)).collect()))
}

/// A locked collection's own fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// Name.
    pub name: String,
    /// The card.
    pub description: Option<String>,
}

/// The fields of a locked collection.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn fields(tx: &mut Tx, collection: &Locked) -> Result<Fields> {
    Ok(sqlx::query_as!(
        Fields,
        "-- collections::fields\nselect name, description from collections where id = $1",
        collection.id.0
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// Changes the fields of a locked collection.
///
/// # Errors
/// `Exists` when another collection of the project has the name.
pub async fn update(tx: &mut Tx, collection: &Locked, fields: &Fields) -> Result<()> {
    let done = sqlx::query!(
        "-- collections::update\nupdate collections set name = $2, description = $3, updated_at = now() where id = $1",
        collection.id.0,
        fields.name,
        fields.description
    )
    .execute(&mut **tx)
    .await?;
    one("collections::update", &done)
}

/// Changes the type of a locked source collection, unless one of its versions is linked (rule 25); whether it was changed. Who links
/// one meanwhile waits, and then sees the new type.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn set_type(tx: &mut Tx, collection: &Locked, type_id: ArtifactTypeId) -> Result<bool> {
    sqlx::query!(
        "-- collections::set_type_lock\nselect id from versions where collection_id = $1 order by id for update",
        collection.id.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let done = sqlx::query!(
        "-- collections::set_type
        update collections set type_id = $2, updated_at = now()
        where id = $1 and kind = 'source' and not exists (
            select 1 from versions v join memberships m on m.version_id = v.id where v.collection_id = $1 and m.collection_id <> $1)",
        collection.id.0,
        type_id.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes a locked collection. Versions of its own must be deleted before.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn delete(tx: &mut Tx, collection: &Locked) -> Result<()> {
    let done =
        sqlx::query!("-- collections::delete\ndelete from collections where id = $1", collection.id.0).execute(&mut **tx).await?;
    one("collections::delete", &done)
}

/// Makes a collection; none when one of that name is there already. The new row is locked by being new.
///
/// # Errors
/// As [`lock`].
pub async fn create(
    tx: &mut Tx,
    project: &Granted<Contribute>,
    kind: ProjectKind,
    name: &str,
    type_id: ArtifactTypeId,
) -> Result<Option<Locked>> {
    let kind = match kind {
        ProjectKind::Project => "source",
        ProjectKind::Registry => "registry",
    };
    let id = sqlx::query_scalar!(
        "-- collections::create
        insert into collections (project_id, kind, name, type_id, created_by) values ($1, $2, $3, $4, $5)
        on conflict do nothing returning id",
        project.target().0,
        kind,
        name,
        type_id.0,
        project.actor().0
    )
    .fetch_optional(&mut **tx)
    .await?;
    match id {
        Some(id) => Ok(Some(locked(tx, project, id).await?)),
        None => Ok(None),
    }
}

/// Takes the next index of a collection: dense, because the lock orders the takers, and never given again.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn take_index(tx: &mut Tx, collection: &Locked) -> Result<i32> {
    Ok(sqlx::query_scalar!(
        r#"-- collections::take_index
        update collections set next_index = next_index + 1, updated_at = now() where id = $1 returning next_index - 1 as "index!""#,
        collection.id.0
    )
    .fetch_one(&mut **tx)
    .await?)
}
