//! What happened: timelines of events, where aliases pointed, and moving one back. What must not live here: who sees which event
//! (the store's statements ask).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use regalia_domain::ids::decode_id;
use regalia_domain::paths::TargetPath;
use regalia_service::Error;
use regalia_service::history::known_kinds;
use regalia_service::store::access::ProjectKind;
use regalia_service::store::history::{self, EventRow, PeriodRow, Texts, Timeline};
use regalia_service::store::organizations::OrganizationRow;

use super::collection::{self, Collection, Link};
use super::lists::TimeFilter;
use super::user::Paged;
use super::version::Version;
use crate::context::Reach as _;
use crate::error::{Fail as _, OrNull as _, Parsed as _};
use crate::ids;
use crate::loaders::{CollectionKey, CollectionNamed, Key, PlaceKey, Source, VersionKey, grouped};
use crate::paging::{connection, numbered, probe};
use crate::scalars::JsonString;

/// An event of a timeline.
#[derive(Debug, Clone)]
pub struct AuditEvent(pub EventRow);

/// Something that somebody did: written together with what it tells of, and never changed. `regalia audit verify` proves that.
#[Object]
impl AuditEvent {
    /// Opaque id.
    async fn id(&self) -> ID {
        ids::id("AuditEvent", self.0.id)
    }

    /// When it was done.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// What was done, such as `alias.set` or `version.linked`.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The name of the account that did it. Null for what the installation did itself, when the account is gone, and when you
    /// neither see it nor administer what it was done in.
    async fn actor(&self) -> Option<&str> {
        self.0.actor.as_deref()
    }

    /// The id of the account that did it, also when it is gone.
    async fn actor_id(&self) -> Option<ID> {
        self.0.actor_id.map(|id| ids::id("User", id))
    }

    /// The request that did it, as its answer's `x-request-id` and the server's log name it.
    async fn request_id(&self) -> String {
        self.0.request_id.to_string()
    }

    /// The id of what it was done to; of an alias its collection. It may be gone.
    async fn subject(&self) -> ID {
        let (kind, number) = self.0.subject.split_once(':').unwrap_or((&self.0.subject, "0"));
        // Projects and registries share their numbers.
        let kind = if kind == "Project" && self.0.kind.starts_with("registry") { "Registry" } else { kind };
        ids::id(kind, number.parse().unwrap_or(0))
    }

    /// The changed fields before, as recorded; null where there was nothing. Things are named by the numbers in their ids.
    async fn before(&self, context: &Context<'_>) -> Result<Option<JsonString>> {
        Ok(match told(context, &self.0).await?.and_then(|texts| texts.before.clone()) {
            Some(text) => Some(JsonString(context.long(text)?)),
            None => None,
        })
    }

    /// The changed fields after, as recorded; null where nothing is left.
    async fn after(&self, context: &Context<'_>) -> Result<Option<JsonString>> {
        Ok(match told(context, &self.0).await?.and_then(|texts| texts.after.clone()) {
            Some(text) => Some(JsonString(context.long(text)?)),
            None => None,
        })
    }

    /// The collection that it was done in or to; null when there was none or it is gone.
    async fn collection(&self, context: &Context<'_>) -> Result<Option<Collection>> {
        match self.0.collection_id {
            Some(id) => Ok(context.row(CollectionKey(id)).await?.map(Collection)),
            None => Ok(None),
        }
    }

    /// The version that it was done to, or that an alias was set to or taken from; null when there was none or it is gone.
    async fn version(&self, context: &Context<'_>) -> Result<Option<Version>> {
        match version_of(&self.0) {
            Some(id) => Ok(context.row(VersionKey(id)).await?.map(|row| Version { row, place: None })),
            None => Ok(None),
        }
    }
}

fn version_of(event: &EventRow) -> Option<i64> {
    if let Some(number) = event.subject.strip_prefix("Version:") {
        return number.parse().ok();
    }
    event.version.as_ref()?.parse().ok()
}

/// What an event tells, which is long, so it is read where it is asked for; the loader doesn't check who sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct TextsOf {
    event: i64,
    partly: bool,
}

impl Key for TextsOf {
    type Value = Arc<Texts>;

    async fn load(source: &Source, keys: &[Self]) -> regalia_service::Result<HashMap<Self, Self::Value>> {
        let (ids, partly): (Vec<i64>, Vec<bool>) = keys.iter().map(|key| (key.event, key.partly)).unzip();
        let rows = source.service.event_texts(&ids, &partly, source.room.left()).await?;
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        source.room.fill(rows.iter().map(|(_, texts)| length(&texts.before) + length(&texts.after)).sum());
        Ok(rows.into_iter().map(|((event, partly), texts)| (Self { event, partly }, Arc::new(texts))).collect())
    }
}

async fn told(context: &Context<'_>, event: &EventRow) -> Result<Option<Arc<Texts>>> {
    context.row(TextsOf { event: event.id, partly: event.partly }).await
}

/// Which events are wanted. Everything that is given must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct AuditEventFilter {
    /// One of these kinds, such as `alias.set`.
    kinds: Option<Vec<String>>,
    /// Done by the account of this name, as far as you see the name.
    actor: Option<String>,
    /// Done to what has this id.
    subject: Option<ID>,
    /// Done in the registry of this id, which may be gone.
    registry: Option<ID>,
    /// Done in the collection of this id, which may be gone.
    collection: Option<ID>,
    /// Done at such moments.
    at: Option<TimeFilter>,
}

impl AuditEventFilter {
    fn read(self) -> Result<history::EventFilter> {
        known_kinds(self.kinds.as_deref().unwrap_or_default()).fail()?;
        if self.actor.as_ref().is_some_and(|actor| actor.contains('\0')) {
            return Err(Error::Invalid("`actor` has a NUL character, and no name has.".into())).fail();
        }
        let (from, before) = self.at.map_or((None, None), TimeFilter::bounds);
        Ok(history::EventFilter {
            kinds: self.kinds,
            actor: self.actor,
            subject: self.subject.as_ref().map(subject).transpose()?,
            project: self.registry.as_ref().map(|id| ids::number(&["Registry"], id)).transpose()?,
            collection: self.collection.as_ref().map(|id| Ok::<_, async_graphql::Error>(collection::id(id)?.0)).transpose()?,
            from,
            before,
        })
    }
}

/// An id as events name their subjects.
fn subject(id: &ID) -> Result<String> {
    /// The kinds of our ids, and of the wire's that are of the same rows.
    const KINDS: [(&str, &str); 11] = [
        ("ApiKey", "ApiKey"),
        ("Artifact", "Version"),
        ("ArtifactCollection", "Collection"),
        ("Collection", "Collection"),
        ("Organization", "Organization"),
        ("Project", "Project"),
        ("Registry", "Project"),
        ("Session", "Session"),
        ("Team", "Team"),
        ("User", "User"),
        ("Version", "Version"),
    ];
    let found = KINDS.iter().find_map(|(kind, stored)| Some(format!("{stored}:{}", decode_id(&[kind], id).ok()?)));
    match found {
        Some(subject) => Ok(subject),
        // For the sentence.
        None => ids::number(&KINDS.map(|(kind, _)| kind), id).map(|number| number.to_string()),
    }
}

/// A page of the events of one parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct EventsOf {
    parent: i64,
    part: EventPart,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct EventPart {
    of: Timeline,
    filter: history::EventFilter,
    after: Option<i64>,
    first: i64,
}

impl Key for EventsOf {
    type Value = Vec<EventRow>;

    async fn load(source: &Source, keys: &[Self]) -> regalia_service::Result<HashMap<Self, Self::Value>> {
        let mut rows = Vec::new();
        for (part, parents) in alike(keys, |key| (&key.part, key.parent)) {
            let EventPart { of, filter, after, first } = part;
            let loaded = source.service.events(&source.caller, *of, &parents, filter, *after, *first).await?;
            rows.extend(loaded.into_iter().map(|(parent, row)| (EventsOf { parent, part: part.clone() }, row)));
        }
        Ok(grouped(keys, rows))
    }
}

/// The parents of those keys that are alike otherwise.
fn alike<'k, K, P: Hash + Eq + ?Sized>(keys: &'k [K], split: impl Fn(&'k K) -> (&'k P, i64)) -> HashMap<&'k P, Vec<i64>> {
    let mut parents: HashMap<&P, Vec<i64>> = HashMap::new();
    for key in keys {
        let (part, parent) = split(key);
        parents.entry(part).or_default().push(parent);
    }
    parents
}

/// A page of a timeline, newest first.
pub(super) async fn events(
    context: &Context<'_>,
    of: Timeline,
    parent: i64,
    first: Option<i32>,
    after: Option<String>,
    filter: Option<AuditEventFilter>,
) -> Result<Paged<AuditEvent>> {
    let page = numbered(first, after.as_deref())?;
    let filter = filter.unwrap_or_default().read()?;
    let part = EventPart { of, filter, after: page.after.parse().ok(), first: probe(&page).first };
    let rows = context.page(EventsOf { parent, part }).await?;
    Ok(connection(&page, rows, |row| row.id.to_string(), AuditEvent))
}

/// A time during which an alias pointed at one version.
#[derive(Debug, Clone)]
pub struct AliasPeriod(pub PeriodRow);

/// A time during which an alias pointed at one version: from a moment on until just before another.
#[Object]
impl AliasPeriod {
    /// The alias.
    async fn alias(&self) -> &str {
        &self.0.alias
    }

    /// From this moment on.
    async fn from(&self) -> DateTime<Utc> {
        self.0.from
    }

    /// Until just before this moment; null when it still points there.
    async fn until(&self) -> Option<DateTime<Utc>> {
        self.0.until
    }

    /// The name of the account that set it. Null when the account is gone, and when you neither see it nor administer the registry or
    /// project.
    async fn set_by(&self) -> Option<&str> {
        self.0.set_by.as_deref()
    }

    /// The id of the account that set it, also when it is gone.
    async fn set_by_id(&self) -> Option<ID> {
        self.0.set_by_id.map(|id| ids::id("User", id))
    }

    /// The id of the version that it pointed at, also when that is deleted.
    async fn version_id(&self) -> ID {
        ids::id("Version", self.0.version_id.0)
    }

    /// The version that it pointed at; null when it is deleted.
    async fn version(&self, context: &Context<'_>) -> Result<Option<Version>> {
        Ok(context.row(VersionKey(self.0.version_id.0)).await?.map(|row| Version { row, place: None }))
    }

    /// The version's index in the collection then, the number in `vN`, also when it has left. Null when it had left before this
    /// server's version kept that, and no event tells it.
    async fn index(&self) -> Option<i32> {
        self.0.index
    }

    /// The place that the version had in the collection; null when it has left, also when it was linked anew since.
    async fn link(&self, context: &Context<'_>) -> Result<Option<Link>> {
        match self.0.membership_id {
            Some(id) => Ok(context.row(PlaceKey(id)).await?.map(Link)),
            None => Ok(None),
        }
    }
}

/// Where an alias pointed at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AliasAt {
    collection: i64,
    alias: String,
    at: DateTime<Utc>,
}

impl Key for AliasAt {
    type Value = PeriodRow;

    fn text(&self) -> Option<&str> {
        Some(&self.alias)
    }

    async fn load(source: &Source, keys: &[Self]) -> regalia_service::Result<HashMap<Self, Self::Value>> {
        let collections: Vec<i64> = keys.iter().map(|key| key.collection).collect();
        let aliases: Vec<&str> = keys.iter().map(|key| key.alias.as_str()).collect();
        let times: Vec<DateTime<Utc>> = keys.iter().map(|key| key.at).collect();
        let rows = source.service.aliases_at(&source.caller, &collections, &aliases, &times).await?;
        Ok(at_moments(keys, &rows))
    }
}

/// The period of each key, by name first: keys and rows may be a hundred thousand each.
fn at_moments(keys: &[AliasAt], rows: &[PeriodRow]) -> HashMap<AliasAt, PeriodRow> {
    let mut periods: HashMap<(i64, &str), Vec<&PeriodRow>> = HashMap::new();
    for row in rows {
        periods.entry((row.collection_id.0, &row.alias)).or_default().push(row);
    }
    let found = keys.iter().filter_map(|key| {
        let mut periods = periods.get(&(key.collection, key.alias.as_str()))?.iter();
        let then = periods.find(|row| row.from <= key.at && row.until.is_none_or(|until| key.at < until))?;
        Some((key.clone(), (*then).clone()))
    });
    found.collect()
}

/// Where an alias of a collection pointed at a moment.
pub(super) async fn alias_at(
    context: &Context<'_>,
    collection: i64,
    alias: String,
    at: DateTime<Utc>,
) -> Result<Option<AliasPeriod>> {
    Ok(context.row(AliasAt { collection, alias, at }).await?.map(AliasPeriod))
}

/// A page of where an alias of a collection pointed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AliasHistory {
    collection: i64,
    part: AliasPart,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AliasPart {
    alias: String,
    after: Option<DateTime<Utc>>,
    first: i64,
}

impl Key for AliasHistory {
    type Value = Vec<PeriodRow>;

    fn text(&self) -> Option<&str> {
        Some(&self.part.alias)
    }

    async fn load(source: &Source, keys: &[Self]) -> regalia_service::Result<HashMap<Self, Self::Value>> {
        let mut rows = Vec::new();
        for (part, collections) in alike(keys, |key| (&key.part, key.collection)) {
            let AliasPart { alias, after, first } = part;
            let loaded = source.service.alias_periods(&source.caller, &collections, alias, *after, *first).await?;
            rows.extend(
                loaded.into_iter().map(|row| (AliasHistory { collection: row.collection_id.0, part: part.clone() }, row)),
            );
        }
        Ok(grouped(keys, rows))
    }
}

/// A page of where an alias of a collection pointed, newest first.
pub(super) async fn alias_history(
    context: &Context<'_>,
    collection: i64,
    alias: String,
    first: Option<i32>,
    after: Option<String>,
) -> Result<Paged<AliasPeriod>> {
    let page = numbered(first, after.as_deref())?;
    let after = page.after.parse().ok().and_then(DateTime::from_timestamp_micros);
    let part = AliasPart { alias, after, first: probe(&page).first };
    let rows = context.page(AliasHistory { collection, part }).await?;
    Ok(connection(&page, rows, |row| row.from.timestamp_micros().to_string(), AliasPeriod))
}

/// An organization's half that tells its history.
#[derive(Debug, Clone)]
pub struct OrganizationHistory(pub OrganizationRow);

#[Object]
impl OrganizationHistory {
    /// What happened in it, newest first, also in registries, projects and collections that are gone. All of it for its admins;
    /// for site administrators what happened to accounts, teams and members; nothing for anybody else.
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many events, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Events after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which events; all if not given.")] filter: Option<AuditEventFilter>,
    ) -> Result<Paged<AuditEvent>> {
        events(context, Timeline::Organizations, self.0.id.0, first, after, filter).await
    }
}

/// Reads of what happened.
#[derive(Debug, Default)]
pub struct HistoryQuery;

/// Reads of what happened.
#[Object]
impl HistoryQuery {
    /// A collection of a registry or a project by its path; null when there is none or you may not see it.
    async fn collection(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "`ORGANIZATION/wandb-registry-REGISTRY/COLLECTION`, or `ENTITY/PROJECT/COLLECTION`.")] path: String,
    ) -> Result<Option<Collection>> {
        let (owner, kind, project, name) = match TargetPath::parse(&path).parsed()? {
            TargetPath::Registry { organization: Some(owner), registry, collection } => {
                (owner, ProjectKind::Registry, registry.as_str().to_owned(), collection.as_str().to_owned())
            }
            TargetPath::Project { entity: Some(owner), project: Some(project), collection } => {
                (owner.as_str().to_owned(), ProjectKind::Project, project.as_str().to_owned(), collection.as_str().to_owned())
            }
            _ => return Err(Error::Invalid("`path` has three parts, such as `acme/wandb-registry-model/Line`.".into())).fail(),
        };
        let Some(project) = context.service()?.project(context.caller()?, &owner, kind, &project).await.or_null()? else {
            return Ok(None);
        };
        Ok(context.row(CollectionNamed(project.id.0, name)).await?.map(Collection))
    }

    /// What happened to accounts, their keys and sessions, newest first. For site administrators.
    async fn account_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many events, at most 1000; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Events after this cursor: the `endCursor` of the page before.")] after: Option<String>,
        #[graphql(desc = "Which events; all if not given.")] filter: Option<AuditEventFilter>,
    ) -> Result<Paged<AuditEvent>> {
        events(context, Timeline::Accounts, 0, first, after, filter).await
    }
}

/// An alias to move back.
#[derive(Debug, InputObject)]
pub struct AliasRestoreInput {
    /// The collection that it is an alias of.
    collection: ID,
    /// The alias, such as `production`; not `latest`.
    alias: String,
    /// The moment.
    at: DateTime<Utc>,
}

/// The alias that was moved back.
#[derive(Debug, SimpleObject)]
pub struct AliasRestorePayload {
    /// Where it points now.
    period: AliasPeriod,
}

/// Writes that go back in history.
#[derive(Debug, Default)]
pub struct HistoryMutation;

/// Writes that go back in history.
#[Object]
impl HistoryMutation {
    /// Points an alias at the version that it pointed at at a moment. For whoever may set it. Refused when it pointed at nothing
    /// then, or when that version has left the collection since.
    async fn alias_restore(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The alias and the moment.")] input: AliasRestoreInput,
    ) -> Result<AliasRestorePayload> {
        let id = collection::id(&input.collection)?;
        let row = context.service()?.restore_alias(context.request()?, id, &input.alias, input.at).await.fail()?;
        context.forget()?;
        Ok(AliasRestorePayload { period: AliasPeriod(row) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use regalia_domain::ids::{CollectionId, VersionId};

    use super::*;

    /// As many as one document may ask for. Each compared with each would take minutes.
    #[test]
    fn a_hundred_thousand_moments_are_found_at_once() {
        let moment = |second| DateTime::from_timestamp(second, 0).unwrap();
        let keys: Vec<AliasAt> =
            (0..100_000).map(|i| AliasAt { collection: i / 100, alias: "production".into(), at: moment(i % 100) }).collect();
        let row = |key: &AliasAt| PeriodRow {
            collection_id: CollectionId(key.collection),
            alias: key.alias.clone(),
            version_id: VersionId(1),
            from: key.at,
            until: Some(key.at + Duration::from_secs(1)),
            set_by_id: None,
            set_by: None,
            index: None,
            membership_id: None,
        };
        let rows: Vec<PeriodRow> = keys.iter().map(row).collect();
        let begin = Instant::now();
        let found = at_moments(&keys, &rows);
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
        assert_eq!(found.len(), keys.len());
        assert!(keys.iter().all(|key| found[key].from == key.at));
    }
}
