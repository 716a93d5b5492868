//! Registries: an organization's homes for published versions. What must not live here: what stands in their collections.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::alias::ProtectedAliases;
use regalia_domain::ids::ProjectId;
use regalia_domain::names::RegistryName;
use regalia_domain::roles::{RegistryRole as Role, Visibility as DomainVisibility};
use regalia_domain::types::listed_type;
use regalia_service::registries::RegistryFields;
use regalia_service::registry_members::may_ask_for;
use regalia_service::store::access::{ProjectKind, ProjectRow};
use regalia_service::store::history::Timeline;
use regalia_service::store::organizations::OrganizationRow;

use super::collection::Collection;
use super::history::{self, AuditEvent, AuditEventFilter};
use super::lists::{self, Arguments, CollectionFilter, CollectionOrder, RegistryFilter, RegistryOrder};
use super::registry_member::{RegistryAccess, RegistryTeamMember, RegistryUserMember};
use super::user::Paged;
use crate::ahead;
use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::loaders::{CollectionKey, CollectionNamed, ProjectKey, ProjectNamed, TypesOf};
use crate::member_keys::{AccessOf, RegistryTeams, RegistryUsers};
use crate::paging::{connection, page, probe};
use crate::shared::Organization;

/// Who sees a registry.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "regalia_domain::roles::Visibility")]
pub enum Visibility {
    /// Everyone in the organization.
    Organization,
    /// Its members only. A restricted registry stays restricted.
    Restricted,
}

/// What a user may do in a registry; each role includes those before it.
#[derive(Debug, Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "regalia_domain::roles::RegistryRole")]
pub enum RegistryRole {
    /// Sees everything but content.
    RestrictedViewer,
    /// Also uses and downloads versions.
    Viewer,
    /// Also links versions and sets aliases.
    Member,
    /// Also manages the registry itself.
    Admin,
}

/// An organization's home for published versions.
#[derive(Debug, Clone)]
pub struct Registry(pub ProjectRow);

/// An organization's home for published versions.
#[Object]
impl Registry {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::id("Registry", self.0.id.0)
    }

    /// Name, unique in the organization.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The name that W&B clients use in paths: `wandb-registry-<name>`.
    async fn full_name(&self) -> String {
        format!("{}{}", regalia_domain::names::REGISTRY_PREFIX, self.0.name)
    }

    /// What it is for. Null and empty differ.
    async fn description(&self, context: &Context<'_>) -> Result<Option<&str>> {
        self.0.description.as_deref().map(|text| context.long(text)).transpose()
    }

    /// Who sees it.
    async fn visibility(&self) -> Result<Visibility> {
        let visibility: DomainVisibility = self.0.visibility.as_deref().unwrap_or_default().parse().parsed()?;
        Ok(visibility.into())
    }

    /// Whether versions of any artifact type may be linked.
    async fn allows_all_types(&self) -> bool {
        self.0.allow_all_types
    }

    /// The artifact types on its list, and while all are allowed also those in use.
    async fn types(&self, context: &Context<'_>) -> Result<Vec<String>> {
        let rows = context.page(TypesOf(self.0.id.0)).await?;
        let shown = rows.into_iter().filter(|row| self.0.allow_all_types || row.listed);
        context.counted(shown.map(|row| row.name).collect())
    }

    /// The aliases that only admins set, move or remove, in any of its collections.
    async fn protected_aliases(&self) -> &[String] {
        &self.0.protected_aliases
    }

    /// What you may do in it.
    async fn your_role(&self) -> Option<RegistryRole> {
        Role::of_level(self.0.level).map(Into::into)
    }

    /// What a user may do in it and through what: yourself, or if you are its admin anybody whom you see or who has a role in
    /// it. Null if there is no such user.
    async fn effective_access(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user's name; yours if not given.")] user: Option<String>,
    ) -> Result<Option<RegistryAccess>> {
        let caller = context.caller()?;
        let user = user.unwrap_or_else(|| caller.name.clone());
        may_ask_for(&self.0, caller, &user).fail()?;
        Ok(context.row(AccessOf(self.0.id.0, user)).await?.map(RegistryAccess))
    }

    /// The users that are its members themselves, by name. Whom the organization's visibility or a team brings is not among
    /// them.
    async fn user_members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many members, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Members after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<RegistryUserMember>> {
        let page = page(first, after.as_deref())?;
        let rows = context.page(RegistryUsers::new(self.0.id.0, &probe(&page))).await?;
        Ok(connection(&page, rows, |row| row.name.clone(), RegistryUserMember))
    }

    /// The teams that are its members, by name.
    async fn team_members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many members, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Members after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<RegistryTeamMember>> {
        let page = page(first, after.as_deref())?;
        let rows = context.page(RegistryTeams::new(self.0.id.0, &probe(&page))).await?;
        Ok(connection(&page, rows, |row| row.name.clone(), RegistryTeamMember))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When its own fields last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Its owner.
    async fn organization(&self, context: &Context<'_>) -> Result<Option<Organization>> {
        let row = context.row(regalia_domain::ids::OrganizationId(self.0.entity_id)).await?;
        Ok(row.map(|row: OrganizationRow| row.into()))
    }

    /// What happened in it and to it, newest first. All of it for its admins; for others who see it what happened in the
    /// collections that are there.
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many events, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Events after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which events; all if not given.")] filter: Option<AuditEventFilter>,
    ) -> Result<Paged<AuditEvent>> {
        history::events(context, Timeline::Projects, self.0.id.0, first, after, filter).await
    }

    /// A collection by name; null when there is none.
    async fn collection(&self, context: &Context<'_>, #[graphql(desc = "Its name.")] name: String) -> Result<Option<Collection>> {
        Ok(context.row(CollectionNamed(self.0.id.0, name)).await?.map(Collection))
    }

    /// Its collections, by name if no other order is given.
    async fn collections(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many collections, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Collections after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which collections; all if not given.")] filter: Option<CollectionFilter>,
        #[graphql(desc = "In which order.", default_with = "CollectionOrder::NameAscending")] order: CollectionOrder,
    ) -> Result<Paged<Collection>> {
        let arguments = Arguments { filter, order, first, after };
        lists::page(context, self.0.id.0, arguments, CollectionKey, Collection).await
    }
}

/// The registries of an organization: the part of `Organization` that this file adds.
#[derive(Debug, Clone)]
pub struct OrganizationRegistries(pub OrganizationRow);

/// The registries of an organization.
#[Object]
impl OrganizationRegistries {
    /// A registry by name; null when there is none or you may not see it.
    async fn registry(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Its name, without the prefix.")] name: String,
    ) -> Result<Option<Registry>> {
        Ok(context.row(ProjectNamed(self.0.id.0, ProjectKind::Registry, name)).await?.map(Registry))
    }

    /// The registries that you see, by name if no other order is given.
    async fn registries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many registries, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Registries after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which registries; all if not given.")] filter: Option<RegistryFilter>,
        #[graphql(desc = "In which order.", default_with = "RegistryOrder::NameAscending")] order: RegistryOrder,
    ) -> Result<Paged<Registry>> {
        let arguments = Arguments { filter, order, first, after };
        lists::page(context, self.0.id.0, arguments, ProjectKey, Registry).await
    }
}

/// A registry to make.
#[derive(Debug, InputObject)]
pub struct RegistryCreateInput {
    /// The organization's entity name, or its name if only one has it.
    organization: String,
    /// 1 to 113 characters, none of / \ # ? % : and no control characters. It is refused when it differs from another only by case.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Who sees it; the whole organization if not given.
    #[graphql(default_with = "Visibility::Organization")]
    visibility: Visibility,
    /// The artifact types that may be linked; any if not given.
    types: Option<Vec<String>>,
}

/// The new registry.
#[derive(Debug, SimpleObject)]
pub struct RegistryCreatePayload {
    /// The new registry.
    registry: Registry,
}

/// What to change in a registry; what is not given stays.
#[derive(Debug, InputObject)]
pub struct RegistryUpdateInput {
    /// The registry.
    id: ID,
    /// A new name. The id stays, and the old name is free at once.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Who sees it. Restricted is for good.
    visibility: Option<Visibility>,
    /// Whether versions of any type may be linked. Turning it off puts the types in use on the list.
    allow_all_types: Option<bool>,
    /// Types to add to the list; nothing takes one off it.
    add_types: Option<Vec<String>>,
    /// The aliases that only admins set, move or remove, in any of its collections: the whole list, at most 100.
    protected_aliases: Option<Vec<String>>,
}

/// The changed registry.
#[derive(Debug, SimpleObject)]
pub struct RegistryUpdatePayload {
    /// The changed registry.
    registry: Registry,
}

/// The registry to delete.
#[derive(Debug, InputObject)]
pub struct RegistryDeleteInput {
    /// The registry.
    id: ID,
}

/// The registry that was deleted.
#[derive(Debug, SimpleObject)]
pub struct RegistryDeletePayload {
    /// The name, which is free again.
    name: String,
}

/// Reads of registries.
#[derive(Debug, Default)]
pub struct RegistryQuery;

/// Reads of registries.
#[Object]
impl RegistryQuery {
    /// A registry by its organization and name; null when there is none or you may not see it.
    async fn registry(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The organization's entity name, or its name if only one has it.")] organization: String,
        #[graphql(desc = "The registry's name, without the prefix.")] name: String,
    ) -> Result<Option<Registry>> {
        Ok(ahead::project(context, &organization, ProjectKind::Registry, &name).await?.map(Registry))
    }
}

/// Writes to registries.
#[derive(Debug, Default)]
pub struct RegistryMutation;

/// Writes to registries.
#[Object]
impl RegistryMutation {
    /// Makes a registry; you become its admin.
    async fn registry_create(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The new registry.")] input: RegistryCreateInput,
    ) -> Result<RegistryCreatePayload> {
        let name = RegistryName::parse(&input.name).parsed()?;
        let types = input.types.map(|types| types.iter().map(|name| listed_type(name)).collect()).transpose().parsed()?;
        let fields = RegistryFields {
            description: input.description,
            visibility: Some(input.visibility.into()),
            types,
            ..RegistryFields::default()
        };
        let row = context.service()?.create_registry(context.request()?, &input.organization, &name, &fields).await.fail()?;
        context.forget()?;
        Ok(RegistryCreatePayload { registry: Registry(row) })
    }

    /// Changes a registry.
    async fn registry_update(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The registry and what to change.")] input: RegistryUpdateInput,
    ) -> Result<RegistryUpdatePayload> {
        let id = ProjectId(ids::number(&["Registry"], &input.id)?);
        let types = input.add_types.map(|types| types.iter().map(|name| listed_type(name)).collect()).transpose().parsed()?;
        let protected_aliases = input
            .protected_aliases
            .map(|names| ProtectedAliases::parse(names.iter().map(String::as_str)))
            .transpose()
            .parsed()?;
        let fields = RegistryFields {
            name: input.name.as_deref().map(RegistryName::parse).transpose().parsed()?,
            description: input.description,
            visibility: input.visibility.map(Into::into),
            allow_all_types: input.allow_all_types,
            types,
            protected_aliases,
        };
        let row = context.service()?.update_registry(context.request()?, id, &fields).await.fail()?;
        context.forget()?;
        Ok(RegistryUpdatePayload { registry: Registry(row) })
    }

    /// Deletes a registry with its collections and links. The linked versions stay where they were logged. For its admins.
    async fn registry_delete(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The registry to delete.")] input: RegistryDeleteInput,
    ) -> Result<RegistryDeletePayload> {
        let id = ProjectId(ids::number(&["Registry"], &input.id)?);
        let row = context.service()?.delete_registry(context.request()?, id).await.fail()?;
        context.forget()?;
        Ok(RegistryDeletePayload { name: row.name })
    }
}
