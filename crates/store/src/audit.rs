//! Audit events: the closed list, and the insert that each write's transaction ends with. What must not live here:
//! reading them (`history`), their chain (`chain`), and anything that could fail a write for the sake of its event.

use regalia_domain::ids::{CollectionId, OrganizationId, UserId};
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, Tx};

macro_rules! kinds {
    ($($kind:ident $name:literal,)*) => {
        /// What can happen. Heartbeats, uploads, key use and jobs are not events, but for the end of a version that expired.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Kind { $($kind,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// As stored.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    UserCreated "user.created",
    UserUpdated "user.updated",
    UserDeleted "user.deleted",
    PasswordSet "password.set",
    SessionBegun "session.begun",
    SessionEnded "session.ended",
    KeyCreated "key.created",
    KeyRevoked "key.revoked",
    OrganizationCreated "organization.created",
    OrganizationUpdated "organization.updated",
    OrganizationDeleted "organization.deleted",
    OrganizationMemberSet "organization_member.set",
    OrganizationMemberRemoved "organization_member.removed",
    TeamCreated "team.created",
    TeamDeleted "team.deleted",
    TeamMemberSet "team_member.set",
    TeamMemberRemoved "team_member.removed",
    ProjectCreated "project.created",
    ProjectUpdated "project.updated",
    RegistryCreated "registry.created",
    RegistryUpdated "registry.updated",
    RegistryDeleted "registry.deleted",
    RegistryMemberSet "registry_member.set",
    RegistryMemberRemoved "registry_member.removed",
    CollectionCreated "collection.created",
    CollectionUpdated "collection.updated",
    CollectionDeleted "collection.deleted",
    VersionCommitted "version.committed",
    VersionUpdated "version.updated",
    VersionDeleted "version.deleted",
    VersionLinked "version.linked",
    VersionUnlinked "version.unlinked",
    AliasSet "alias.set",
    AliasRemoved "alias.removed",
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

/// Writes events into the transaction that they tell of, before the collection that one of them is of is deleted: each notes
/// where that was.
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
        insert into audit_events (organization_id, actor_id, request_id, kind, subject, before, after, project_id, collection_id)
        select $1, $2, $3, kind, subject, before, after, audit_project(subject, before, after), audit_collection(subject, before, after)
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
        insert into audit_events (organization_id, actor_id, request_id, kind, subject, project_id, collection_id, before)
        select $1, $2, $3, $4, 'Collection:' || c.id, c.project_id, c.id, jsonb_build_object(
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
