//! Writes to registries: creation, their own fields, deletion, and the locks that keep visibility and the list of types true.
//! What must not live here: which change is allowed (rules 4, 5 and 8 are in the domain crate), members.

use regalia_domain::alias::ProtectedAliases;
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
    /// Name.
    pub name: String,
    /// Null and empty differ (rule 7).
    pub description: Option<String>,
    /// organization or restricted; none for a project.
    pub visibility: Option<String>,
    /// The aliases that only admins change (rule 32).
    pub protected: ProtectedAliases,
    /// The types on the list.
    pub listed: Vec<String>,
    /// The types of its collections.
    pub in_use: Vec<String>,
}

struct Row {
    id: i64,
    name: String,
    description: Option<String>,
    allow_all_types: bool,
    visibility: Option<String>,
    protected_aliases: Vec<String>,
}

macro_rules! lock {
    ($name:literal, $mode:literal, $id:expr, $tx:expr) => {
        sqlx::query_as!(
            Row,
            "-- registries::"
                + $name
                + "
            select id, name, description, allow_all_types, visibility, protected_aliases from projects where id = $1 "
                + $mode,
            $id
        )
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
    rules(tx, row).await
}

/// Locks the registry for a change of its rules.
///
/// # Errors
/// `NotFound` when the registry has gone.
pub async fn lock(tx: &mut Tx, registry: &Granted<Administer>) -> Result<Rules> {
    let row = lock!("lock", "for update", registry.target().0, tx);
    rules(tx, row).await
}

async fn rules(tx: &mut Tx, row: Row) -> Result<Rules> {
    let types = sqlx::query!(
        r#"-- registries::rules
        select t.name, t.listed, exists (select 1 from collections c where c.type_id = t.id) as "in_use!"
        from artifact_types t where t.project_id = $1 order by t.name"#,
        row.id
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(Rules {
        name: row.name,
        description: row.description,
        allow_all_types: row.allow_all_types,
        visibility: row.visibility,
        protected: ProtectedAliases::stored(row.protected_aliases),
        listed: types.iter().filter(|row| row.listed).map(|row| row.name.clone()).collect(),
        in_use: types.into_iter().filter(|row| row.in_use).map(|row| row.name).collect(),
    })
}

/// A registry's fields as they shall be.
#[derive(Debug)]
pub struct Fields<'a> {
    /// Name without the prefix.
    pub name: &'a RegistryName,
    /// Null and empty differ (rule 7).
    pub description: Option<&'a str>,
    /// Who sees it.
    pub visibility: Visibility,
    /// Any type may be linked.
    pub allow_all_types: bool,
    /// The types on its list; none is taken off it.
    pub listed: &'a [ArtifactTypeName],
    /// The aliases that only admins change (rule 32).
    pub protected: &'a ProtectedAliases,
}

/// Writes a registry's fields. Whoever asks for the registry by its old name finds nothing from the commit on (rule 9).
///
/// # Errors
/// `Exists` when the name, or a twin of it, is taken (rule 2).
pub async fn update(tx: &mut Tx, registry: &Granted<Administer>, fields: &Fields<'_>) -> Result<()> {
    let done = sqlx::query!(
        "-- registries::update
        update projects set name = $2, name_key = $3, description = $4, visibility = $5, allow_all_types = $6,
            protected_aliases = $7, updated_at = now()
        where id = $1 and kind = 'registry'",
        registry.target().0,
        fields.name.as_str(),
        name_key(fields.name.as_str()),
        fields.description,
        fields.visibility.as_str(),
        fields.allow_all_types,
        fields.protected.names()
    )
    .execute(&mut **tx)
    .await?;
    one("registries::update", &done)?;
    insert_listed(tx, registry.target().0, fields.listed).await
}

/// Deletes a locked registry with its collections and links; the linked versions stay where they were born (rule 10).
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn delete(tx: &mut Tx, registry: &Granted<Administer>) -> Result<()> {
    // Their places and aliases, with the aliases' history, go with the collections.
    sqlx::query!("-- registries::delete_collections\ndelete from collections where project_id = $1", registry.target().0)
        .execute(&mut **tx)
        .await?;
    let done =
        sqlx::query!("-- registries::delete\ndelete from projects where id = $1 and kind = 'registry'", registry.target().0)
            .execute(&mut **tx)
            .await?;
    one("registries::delete", &done)
}
