//! Writes to projects, and what projects and registries share: artifact types. Reads with their permission are in
//! `access`. What must not live here: registry rules.

use regalia_domain::ids::{ArtifactTypeId, ProjectId};
use regalia_domain::names::{ArtifactTypeName, ProjectName, name_key};

use crate::access::{Administer, Contribute, CreateProject, Granted};
use crate::{Connection, Error, Result, Tx};

/// Makes a project; none when one of that name is there already.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn create(
    tx: &mut Tx,
    entity: &Granted<CreateProject>,
    name: &ProjectName,
    description: Option<&str>,
) -> Result<Option<ProjectId>> {
    let id = sqlx::query_scalar!(
        "-- projects::create
        insert into projects (kind, entity_id, name, name_key, description, created_by) values ('project', $1, $2, $3, $4, $5)
        on conflict do nothing returning id",
        entity.target().0,
        name.as_str(),
        name_key(name.as_str()),
        description,
        entity.actor().0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(id.map(ProjectId))
}

/// Changes a project's description. What it was; none when it is so already.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn describe(tx: &mut Tx, project: &Granted<Administer>, description: &str) -> Result<Option<Option<String>>> {
    Ok(sqlx::query_scalar!(
        "-- projects::describe
        update projects p set description = $2, updated_at = now()
        from (select id, description from projects where id = $1 for update) old
        where p.id = old.id and old.description is distinct from $2
        returning old.description",
        project.target().0,
        description
    )
    .fetch_optional(&mut **tx)
    .await?)
}

/// An artifact type of a project or registry.
#[derive(Debug, Clone)]
pub struct TypeRow {
    /// Number.
    pub id: ArtifactTypeId,
    /// The project or registry.
    pub project_id: ProjectId,
    /// Name.
    pub name: String,
    /// On a registry's list.
    pub listed: bool,
    /// When it was first listed or used.
    pub created_at: chrono::DateTime<chrono::Utc>,
}

/// The types of these projects, by name; of registries those that are saved or in use (rule 5). For projects that the caller was
/// already allowed to see.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn types(connection: &mut Connection, projects: &[i64]) -> Result<Vec<TypeRow>> {
    Ok(sqlx::query_as!(
        TypeRow,
        "-- projects::types
        select t.id, t.project_id, t.name, t.listed, t.created_at from artifact_types t join projects p on p.id = t.project_id
        where t.project_id = any($1)
            and (t.listed or p.kind <> 'registry' or exists (select from collections c where c.type_id = t.id))
        order by t.project_id, t.name",
        projects
    )
    .fetch_all(connection)
    .await?)
}

/// The type of that name, made if it is missing, and whether it is new. A type that is there is only read: a lock on it would
/// meet the foreign key checks of those who hold its collections.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn ensure_type(tx: &mut Tx, project: &Granted<Contribute>, name: &ArtifactTypeName) -> Result<(ArtifactTypeId, bool)> {
    if let Some(id) = type_id(tx, project, name).await? {
        return Ok((id, false));
    }
    let made = sqlx::query_scalar!(
        "-- projects::ensure_type
        insert into artifact_types (project_id, name) values ($1, $2) on conflict do nothing returning id",
        project.target().0,
        name.as_str()
    )
    .fetch_optional(&mut **tx)
    .await?;
    match made {
        Some(id) => Ok((ArtifactTypeId(id), true)),
        // Another request has just made it.
        None => Ok((type_id(tx, project, name).await?.ok_or(Error::NotFound)?, false)),
    }
}

async fn type_id(tx: &mut Tx, project: &Granted<Contribute>, name: &ArtifactTypeName) -> Result<Option<ArtifactTypeId>> {
    let id = sqlx::query_scalar!(
        "-- projects::type_id
        select id from artifact_types where project_id = $1 and name = $2",
        project.target().0,
        name.as_str()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(id.map(ArtifactTypeId))
}
