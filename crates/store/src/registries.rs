//! Writes to registries: creation, visibility, the list of types, and the locks that keep both true. What must not live
//! here: which change is allowed (rules 4, 5 and 8 are in the domain crate).

use regalia_domain::ids::ProjectId;
use regalia_domain::names::{ArtifactTypeName, RegistryName, name_key};
use regalia_domain::roles::Visibility;

use crate::access::{Administer, Contribute, CreateRegistry, Granted};
use crate::{Error, Result, Tx, one};

/// What a registry is made with.
#[derive(Debug)]
pub struct NewRegistry<'a> {
    /// Name without the prefix.
    pub name: &'a RegistryName,
    /// Null and empty differ (rule 7).
    pub description: Option<&'a str>,
    /// Who sees it.
    pub visibility: Visibility,
    /// The types that may be linked; empty: all (rule 4).
    pub types: &'a [ArtifactTypeName],
}

/// Makes a registry with its creator as direct admin (rule 3); none when the name, or a twin of it, is taken (rule 2).
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn create(tx: &mut Tx, organization: &Granted<CreateRegistry>, new: &NewRegistry<'_>) -> Result<Option<ProjectId>> {
    let id = sqlx::query_scalar!(
        "-- registries::create
        insert into projects (kind, entity_id, name, name_key, description, visibility, allow_all_types, created_by)
        values ('registry', $1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning id",
        organization.target().0,
        new.name.as_str(),
        name_key(new.name.as_str()),
        new.description,
        new.visibility.as_str(),
        new.types.is_empty(),
        organization.actor().0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(id) = id else { return Ok(None) };
    sqlx::query!(
        "-- registries::create_admin\ninsert into registry_user_members (registry_id, user_id, role) values ($1, $2, 'admin')",
        id,
        organization.actor().0
    )
    .execute(&mut **tx)
    .await?;
    insert_listed(tx, id, new.types).await?;
    Ok(Some(ProjectId(id)))
}

async fn insert_listed(tx: &mut Tx, registry: i64, types: &[ArtifactTypeName]) -> Result<()> {
    let names: Vec<String> = types.iter().map(|name| name.as_str().to_owned()).collect();
    sqlx::query!(
        "-- registries::insert_listed
        insert into artifact_types (project_id, name, listed) select $1, name, true from unnest($2::text[]) name
        on conflict (project_id, name) do update set listed = true",
        registry,
        &names
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A registry's rules, true until the transaction ends.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Any type may be linked.
    pub allow_all_types: bool,
    /// organization or restricted; none for a project.
    pub visibility: Option<String>,
    /// The types on the list.
    pub listed: Vec<String>,
    /// The types of its collections.
    pub in_use: Vec<String>,
}

macro_rules! lock {
    ($name:literal, $mode:literal, $id:expr, $tx:expr) => {
        sqlx::query!("-- registries::" + $name + "\nselect allow_all_types, visibility from projects where id = $1 " + $mode, $id)
            .fetch_optional(&mut **$tx)
            .await?
            .ok_or(Error::NotFound)?
    };
}

/// Locks the rules against change, for a link.
///
/// # Errors
/// `NotFound` when the registry has gone.
pub async fn lock_shared(tx: &mut Tx, registry: &Granted<Contribute>) -> Result<Rules> {
    let row = lock!("lock_shared", "for share", registry.target().0, tx);
    rules(tx, registry.target(), row.allow_all_types, row.visibility).await
}

/// Locks the registry for a change of its rules.
///
/// # Errors
/// `NotFound` when the registry has gone.
pub async fn lock(tx: &mut Tx, registry: &Granted<Administer>) -> Result<Rules> {
    let row = lock!("lock", "for update", registry.target().0, tx);
    rules(tx, registry.target(), row.allow_all_types, row.visibility).await
}

async fn rules(tx: &mut Tx, registry: ProjectId, allow_all_types: bool, visibility: Option<String>) -> Result<Rules> {
    let types = sqlx::query!(
        r#"-- registries::rules
        select t.name, t.listed, exists (select 1 from collections c where c.type_id = t.id) as "in_use!"
        from artifact_types t where t.project_id = $1 order by t.name"#,
        registry.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(Rules {
        allow_all_types,
        visibility,
        listed: types.iter().filter(|row| row.listed).map(|row| row.name.clone()).collect(),
        in_use: types.into_iter().filter(|row| row.in_use).map(|row| row.name).collect(),
    })
}

/// Writes a registry's fields as they shall be; `None` leaves the description as it is.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn update(
    tx: &mut Tx,
    registry: &Granted<Administer>,
    description: Option<&str>,
    visibility: Visibility,
    allow_all_types: bool,
    listed: &[ArtifactTypeName],
) -> Result<()> {
    let done = sqlx::query!(
        "-- registries::update
        update projects set description = coalesce($2, description), visibility = $3, allow_all_types = $4, updated_at = now()
        where id = $1 and kind = 'registry'",
        registry.target().0,
        description,
        visibility.as_str(),
        allow_all_types
    )
    .execute(&mut **tx)
    .await?;
    one("registries::update", &done)?;
    insert_listed(tx, registry.target().0, listed).await
}
