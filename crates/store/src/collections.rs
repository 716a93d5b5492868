//! Collections of both kinds and their lock. What must not live here: what stands in them (`memberships`, `aliases`).

use chrono::{DateTime, Utc};
use regalia_domain::alias::ProtectedAliases;
use regalia_domain::ids::{ArtifactTypeId, CollectionId, ProjectId};
use regalia_domain::roles::{RegistryRole, Right};

use crate::access::{Caller, Contribute, Granted, ProjectKind};
use crate::{Connection, Error, Result, Tx};

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
            select c.id, c.project_id, c.kind, c.name, c.type_id, t.name as type_name, c.description, c.created_at, c.updated_at
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

/// Collections by number, in any order. The caller of this checks their projects.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn collections(connection: &mut Connection, ids: &[i64]) -> Result<Vec<CollectionRow>> {
    Ok(select_collection!("collections", "where c.id = any($1)", ids).fetch_all(connection).await?)
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
    let row = sqlx::query!(
        r#"-- collections::lock
        select c.id, c.kind, t.name as type_name from collections c join artifact_types t on t.id = c.type_id
        where c.project_id = $1 and c.name = $2 for update of c"#,
        project.target().0,
        name
    )
    .fetch_optional(&mut **tx)
    .await?;
    match row {
        Some(row) => Ok(Some(locked(tx, project, row.id, row.kind, row.type_name).await?)),
        None => Ok(None),
    }
}

/// A collection that has just been locked or made, with what whoever waited for it may do by now: the right that he came with may
/// have been taken away meanwhile.
async fn locked(tx: &mut Tx, project: &Granted<Contribute>, id: i64, kind: String, type_name: String) -> Result<Locked> {
    let now = sqlx::query!(
        r#"-- collections::locked
        select protected_aliases, access_level(id, $2) as "level!" from projects where id = $1"#,
        project.target().0,
        project.actor().0
    )
    .fetch_optional(&mut **tx)
    .await?
    .filter(|now| now.level >= Right::See.level())
    .ok_or(Error::NotFound)?;
    if now.level < Right::Contribute.level() {
        return Err(Error::Forbidden);
    }
    Ok(Locked {
        id: CollectionId(id),
        kind,
        type_name,
        role: RegistryRole::of_level(now.level),
        protected: ProtectedAliases::stored(now.protected_aliases),
    })
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
    type_name: &str,
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
        Some(id) => Ok(Some(locked(tx, project, id, kind.to_owned(), type_name.to_owned()).await?)),
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
