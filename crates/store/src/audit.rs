//! Audit events: the closed list, and the insert that each write's transaction ends with. What must not live here:
//! reading them (a later door) and anything that could fail a write for the sake of its event.

use regalia_domain::ids::{CollectionId, OrganizationId, UserId};
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, Tx};

/// What can happen. Heartbeats, uploads, key use and jobs are not events, but for the end of a version that expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    UserCreated,
    UserUpdated,
    UserDeleted,
    PasswordSet,
    SessionBegun,
    SessionEnded,
    KeyCreated,
    KeyRevoked,
    OrganizationCreated,
    OrganizationUpdated,
    OrganizationDeleted,
    OrganizationMemberSet,
    OrganizationMemberRemoved,
    TeamCreated,
    TeamDeleted,
    TeamMemberSet,
    TeamMemberRemoved,
    ProjectCreated,
    ProjectUpdated,
    RegistryCreated,
    RegistryUpdated,
    RegistryDeleted,
    RegistryMemberSet,
    RegistryMemberRemoved,
    CollectionCreated,
    CollectionUpdated,
    CollectionDeleted,
    VersionCommitted,
    VersionUpdated,
    VersionDeleted,
    VersionLinked,
    VersionUnlinked,
    AliasSet,
    AliasRemoved,
}

impl Kind {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserCreated => "user.created",
            Self::UserUpdated => "user.updated",
            Self::UserDeleted => "user.deleted",
            Self::PasswordSet => "password.set",
            Self::SessionBegun => "session.begun",
            Self::SessionEnded => "session.ended",
            Self::KeyCreated => "key.created",
            Self::KeyRevoked => "key.revoked",
            Self::OrganizationCreated => "organization.created",
            Self::OrganizationUpdated => "organization.updated",
            Self::OrganizationDeleted => "organization.deleted",
            Self::OrganizationMemberSet => "organization_member.set",
            Self::OrganizationMemberRemoved => "organization_member.removed",
            Self::TeamCreated => "team.created",
            Self::TeamDeleted => "team.deleted",
            Self::TeamMemberSet => "team_member.set",
            Self::TeamMemberRemoved => "team_member.removed",
            Self::ProjectCreated => "project.created",
            Self::ProjectUpdated => "project.updated",
            Self::RegistryCreated => "registry.created",
            Self::RegistryUpdated => "registry.updated",
            Self::RegistryDeleted => "registry.deleted",
            Self::RegistryMemberSet => "registry_member.set",
            Self::RegistryMemberRemoved => "registry_member.removed",
            Self::CollectionDeleted => "collection.deleted",
            Self::CollectionCreated => "collection.created",
            Self::VersionCommitted => "version.committed",
            Self::CollectionUpdated => "collection.updated",
            Self::VersionUpdated => "version.updated",
            Self::VersionDeleted => "version.deleted",
            Self::VersionLinked => "version.linked",
            Self::VersionUnlinked => "version.unlinked",
            Self::AliasSet => "alias.set",
            Self::AliasRemoved => "alias.removed",
        }
    }
}

/// One event, before it has a number and a time.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// `Kind:<id>` of what it happened to.
    pub subject: String,
    /// The changed fields before.
    pub before: Option<Value>,
    /// The changed fields after.
    pub after: Option<Value>,
}

/// Who writes, and in which request: goes with every audited write.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The actor; none for the first start, and for what expires.
    pub actor: Option<UserId>,
    /// The request, as in the log.
    pub request: Uuid,
}

/// Writes events into the transaction that they tell of.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn record(tx: &mut Tx, origin: Origin, organization: Option<OrganizationId>, events: &[Event]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let kinds: Vec<String> = events.iter().map(|event| event.kind.as_str().to_owned()).collect();
    let subjects: Vec<String> = events.iter().map(|event| event.subject.clone()).collect();
    let before: Vec<Option<Value>> = events.iter().map(|event| event.before.clone()).collect();
    let after: Vec<Option<Value>> = events.iter().map(|event| event.after.clone()).collect();
    sqlx::query!(
        "-- audit::record
        insert into audit_events (organization_id, actor_id, request_id, kind, subject, before, after)
        select $1, $2, $3, kind, subject, before, after
        from unnest($4::text[], $5::text[], $6::jsonb[], $7::jsonb[]) as event (kind, subject, before, after)",
        organization.map(|id| id.0),
        origin.actor.map(|id| id.0),
        origin.request,
        &kinds,
        &subjects,
        &before as &[Option<Value>],
        &after as &[Option<Value>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes an event for each collection of registries and projects that are about to be deleted: what was there, and under which
/// aliases. Whoever deletes the rows afterwards leaves no other trace of them (rule 10).
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn collections_deleted(
    tx: &mut Tx,
    origin: Origin,
    organization: Option<OrganizationId>,
    projects: &[i64],
) -> Result<()> {
    tell_deleted(tx, origin, organization, projects, None).await
}

/// The same of one collection.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn collection_deleted(
    tx: &mut Tx,
    origin: Origin,
    organization: Option<OrganizationId>,
    collection: CollectionId,
) -> Result<()> {
    tell_deleted(tx, origin, organization, &[], Some(collection)).await
}

async fn tell_deleted(
    tx: &mut Tx,
    origin: Origin,
    organization: Option<OrganizationId>,
    projects: &[i64],
    collection: Option<CollectionId>,
) -> Result<()> {
    sqlx::query!(
        "-- audit::collections_deleted
        insert into audit_events (organization_id, actor_id, request_id, kind, subject, before)
        select $1, $2, $3, $4, 'Collection:' || c.id, jsonb_build_object(
            'project', c.project_id, 'name', c.name, 'type', t.name,
            'links', (select coalesce(jsonb_object_agg('v' || m.index, m.version_id), '{}')
                from memberships m where m.collection_id = c.id),
            'aliases', (select coalesce(jsonb_object_agg(a.alias, a.version_id), '{}')
                from aliases a where a.collection_id = c.id and upper_inf(a.valid)))
        from collections c join artifact_types t on t.id = c.type_id where c.project_id = any($5) or c.id = $6 order by c.id",
        organization.map(|id| id.0),
        origin.actor.map(|id| id.0),
        origin.request,
        Kind::CollectionDeleted.as_str(),
        projects,
        collection.map(|collection| collection.0)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
