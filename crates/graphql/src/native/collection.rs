//! Collections that versions are linked into, and the links in them. What must not live here: the linked version's own fields.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::{CollectionId, MembershipId};
use regalia_domain::names::TagName;
use regalia_service::collections::CollectionChange;
use regalia_service::store::access::ProjectKind;
use regalia_service::store::collections::CollectionRow;
use regalia_service::store::history::Timeline;
use regalia_service::store::memberships::MembershipRow;

use super::history::{self, AliasPeriod, AuditEvent, AuditEventFilter};
use super::lists::{self, Arguments, LinkFilter, LinkOrder};
use super::registry::Registry;
use super::user::Paged;
use super::version::Version;
use crate::context::Reach as _;
use crate::error::{Fail as _, Parsed as _};
use crate::ids;
use crate::loaders::{AliasesOf, CollectionKey, NewestIn, PlaceKey, PlaceNamed, ProjectKey, TagsOfCollection, VersionKey};

/// A named line of versions of one artifact type.
#[derive(Debug, Clone)]
pub struct Collection(pub CollectionRow);

/// A named line of versions of one artifact type: in a registry of published ones, in a project of those that are linked or
/// logged there, whose places count as links here.
#[Object]
impl Collection {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::id("Collection", self.0.id.0)
    }

    /// Name, unique in the registry or project.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Artifact type of all its versions.
    async fn type_name(&self) -> &str {
        &self.0.type_name
    }

    /// What it is for.
    async fn description(&self, context: &Context<'_>) -> Result<Option<&str>> {
        self.0.description.as_deref().map(|text| context.long(text)).transpose()
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When its fields or its list of links last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// The registry that it is in; null when it is in a project.
    async fn registry(&self, context: &Context<'_>) -> Result<Option<Registry>> {
        let home = context.row(ProjectKey(self.0.project_id.0)).await?;
        Ok(home.filter(|home| home.kind == ProjectKind::Registry).map(Registry))
    }

    /// Where it is, as the target of a link: `ORGANIZATION/wandb-registry-REGISTRY/COLLECTION` or `ENTITY/PROJECT/COLLECTION`.
    async fn path(&self, context: &Context<'_>) -> Result<Option<String>> {
        let home = context.row(ProjectKey(self.0.project_id.0)).await?;
        Ok(home.map(|home| format!("{}/{}{}/{}", home.entity_name, home.kind.prefix(), home.name, self.0.name)))
    }

    /// The newest link.
    async fn latest(&self, context: &Context<'_>) -> Result<Option<Link>> {
        Ok(context.row(NewestIn(self.0.id.0)).await?.map(Link))
    }

    /// A link by an alias, such as `production`, or by `vN`; null when there is none.
    async fn link(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "An alias, or `v` and an index.")] alias: String,
    ) -> Result<Option<Link>> {
        Ok(context.row(PlaceNamed(self.0.project_id.0, format!("{}:{alias}", self.0.name))).await?.map(Link))
    }

    /// Its tags, by name.
    async fn tags(&self, context: &Context<'_>) -> Result<Vec<String>> {
        let tags = context.counted(context.page(TagsOfCollection(self.0.id.0)).await?)?;
        Ok(tags.into_iter().map(|row| row.tag).collect())
    }

    /// Its links, newest first if no other order is given.
    async fn links(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many links, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Links after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which links; all if not given.")] filter: Option<LinkFilter>,
        #[graphql(desc = "In which order.", default_with = "LinkOrder::IndexDescending")] order: LinkOrder,
    ) -> Result<Paged<Link>> {
        let arguments = Arguments { filter, order, first, after };
        lists::page(context, self.0.id.0, arguments, PlaceKey, Link).await
    }

    /// Where an alias pointed at a moment; null when it pointed at nothing. A moment to come is answered as the present.
    async fn alias_at(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The alias, such as `production` or `latest`.")] name: String,
        #[graphql(desc = "The moment.")] time: DateTime<Utc>,
    ) -> Result<Option<AliasPeriod>> {
        history::alias_at(context, self.0.id.0, name, time).await
    }

    /// Where an alias has pointed, newest first.
    async fn alias_history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The alias, such as `production` or `latest`.")] name: String,
        #[graphql(desc = "How many times, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Times after this cursor: the `endCursor` of the page before.")] after: Option<String>,
    ) -> Result<Paged<AliasPeriod>> {
        history::alias_history(context, self.0.id.0, name, first, after).await
    }

    /// What happened in it and to it, newest first: to its fields, its versions or links, and its aliases.
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many events, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Events after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which events; all if not given.")] filter: Option<AuditEventFilter>,
    ) -> Result<Paged<AuditEvent>> {
        history::events(context, Timeline::Collections, self.0.id.0, first, after, filter).await
    }
}

/// A version's place in a collection: a pointer with an index and aliases of its own.
#[derive(Debug, Clone)]
pub struct Link(pub MembershipRow);

/// A version's place in a collection: a pointer with an index and aliases of its own.
#[Object]
impl Link {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::id("Link", self.0.id.0)
    }

    /// N of `vN` in this collection: links are counted from 0.
    async fn index(&self) -> i32 {
        self.0.index
    }

    /// Names in this collection that point here, such as `production`. `latest` follows the newest by itself.
    async fn aliases(&self, context: &Context<'_>) -> Result<Vec<String>> {
        let aliases = context.page(AliasesOf(self.0.version_id.0)).await?;
        let own = aliases.into_iter().filter(|alias| alias.collection_id == self.0.collection_id);
        context.counted(own.map(|alias| alias.alias).collect())
    }

    /// When it was linked.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The version that it points at.
    async fn version(&self, context: &Context<'_>) -> Result<Option<Version>> {
        Ok(context.row(VersionKey(self.0.version_id.0)).await?.map(|row| Version { row, place: Some(self.0.clone()) }))
    }

    /// The collection that it is in.
    async fn collection(&self, context: &Context<'_>) -> Result<Option<Collection>> {
        Ok(context.row(CollectionKey(self.0.collection_id.0)).await?.map(Collection))
    }
}

/// What to change of a collection; what isn't given stays.
#[derive(Debug, InputObject)]
pub struct CollectionUpdateInput {
    /// The collection.
    collection: ID,
    /// A new name: 1 to 128 characters without / : \\, unique in the registry or project. The old one is free at once.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Tags that it shall have: words of letters, digits, `_` and `-`, with spaces only between them; at most 20 at once.
    #[graphql(default)]
    add_tags: Vec<String>,
    /// Tags that it shall not have.
    #[graphql(default)]
    remove_tags: Vec<String>,
}

/// The changed collection.
#[derive(Debug, SimpleObject)]
pub struct CollectionUpdatePayload {
    /// The collection.
    collection: Collection,
}

/// The collection to delete.
#[derive(Debug, InputObject)]
pub struct CollectionDeleteInput {
    /// The collection.
    collection: ID,
}

/// The collection that was deleted.
#[derive(Debug, SimpleObject)]
pub struct CollectionDeletePayload {
    /// The name, which is free again.
    name: String,
}

/// What to change of a link.
#[derive(Debug, InputObject)]
pub struct LinkUpdateInput {
    /// The link.
    link: ID,
    /// Aliases to give to it, such as `production`; another link of the collection that has one loses it.
    #[graphql(default)]
    add_aliases: Vec<String>,
    /// Aliases to take from it.
    #[graphql(default)]
    remove_aliases: Vec<String>,
}

/// The changed link.
#[derive(Debug, SimpleObject)]
pub struct LinkUpdatePayload {
    /// The link.
    link: Link,
}

/// The link to remove.
#[derive(Debug, InputObject)]
pub struct LinkDeleteInput {
    /// The link.
    link: ID,
}

/// The link that was removed.
#[derive(Debug, SimpleObject)]
pub struct LinkDeletePayload {
    /// The collection that it was in.
    collection: Collection,
}

/// Changes of collections and links.
#[derive(Debug, Default)]
pub struct CollectionMutation;

/// Changes of collections and links.
#[Object]
impl CollectionMutation {
    /// Changes a collection's name, description and tags. For members of the registry; in a project for those who write there.
    async fn collection_update(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The collection and what to change.")] input: CollectionUpdateInput,
    ) -> Result<CollectionUpdatePayload> {
        let change = CollectionChange {
            name: input.name,
            description: input.description,
            add_tags: tags(&input.add_tags)?,
            remove_tags: tags(&input.remove_tags)?,
        };
        let row = context
            .service()?
            .update_collection(context.request()?, ProjectKind::Registry, id(&input.collection)?, &change)
            .await
            .fail()?;
        context.forget()?;
        Ok(CollectionUpdatePayload { collection: Collection(row) })
    }

    /// Deletes a collection with its links; the versions stay where they were logged. For members of the registry; while a link
    /// has a protected alias, for its admins. In a project for those who write there.
    async fn collection_delete(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The collection to delete.")] input: CollectionDeleteInput,
    ) -> Result<CollectionDeletePayload> {
        let row = context
            .service()?
            .delete_collection(context.request()?, ProjectKind::Registry, id(&input.collection)?)
            .await
            .fail()?;
        context.forget()?;
        Ok(CollectionDeletePayload { name: row.name })
    }

    /// Changes the aliases of a link, or of a version where it was logged. For members of the registry; protected ones for its
    /// admins. In a project for those who write there.
    async fn link_update(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The link and what to change.")] input: LinkUpdateInput,
    ) -> Result<LinkUpdatePayload> {
        let (service, request) = (context.service()?, context.request()?);
        let place = service.link_by_id(context.caller()?, link(&input.link)?).await.fail()?;
        let (add, remove) = (&input.add_aliases, &input.remove_aliases);
        let place = service.change_aliases(request, place.collection_id, place.version_id, add, remove).await.fail()?;
        context.forget()?;
        Ok(LinkUpdatePayload { link: Link(place) })
    }

    /// Removes a link with its aliases; the version stays where it was logged. For members of the registry; if it has a protected
    /// alias, for its admins. In a project for those who write there.
    async fn link_delete(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The link to remove.")] input: LinkDeleteInput,
    ) -> Result<LinkDeletePayload> {
        let (service, request) = (context.service()?, context.request()?);
        let place = service.link_by_id(context.caller()?, link(&input.link)?).await.fail()?;
        let row = service.unlink(request, place.collection_id, place.version_id).await.fail()?;
        context.forget()?;
        Ok(LinkDeletePayload { collection: Collection(row) })
    }
}

// Both sides name the same rows.
pub(super) fn id(id: &ID) -> Result<CollectionId> {
    Ok(CollectionId(ids::number(&["Collection", "ArtifactCollection"], id)?))
}

fn link(id: &ID) -> Result<MembershipId> {
    Ok(MembershipId(ids::number(&["Link", "ArtifactCollectionMembership"], id)?))
}

/// Tags as a client gave them.
pub(super) fn tags(given: &[String]) -> Result<Vec<TagName>> {
    given.iter().map(|tag| TagName::parse(tag).parsed()).collect()
}
