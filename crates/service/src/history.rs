//! What happened: timelines of events, where aliases pointed, and moving one back to where it pointed. What must not live here:
//! who sees which event (the store's statements ask), and the chain of events (`sealer`).

use chrono::{DateTime, Utc};
use regalia_domain::ids::CollectionId;
use regalia_store::access::{self, Caller};
use regalia_store::aliases;
use regalia_store::audit::{self, Kind};
use regalia_store::chain::time;
use regalia_store::history::{self, EventFilter, EventRow, PeriodRow, Texts, Timeline};
use regalia_store::memberships;
use serde_json::json;

use crate::accounts::site_only;
use crate::collections::{contribute, found};
use crate::versions::{alias_event, custom_aliases};
use crate::{Error, Request, Result, Service};

/// Refuses kinds that no event has.
///
/// # Errors
/// `Invalid`.
pub fn known_kinds(kinds: &[String]) -> Result<()> {
    let all = || Kind::ALL.iter().map(|kind| kind.as_str());
    let Some(kind) = kinds.iter().find(|kind| all().all(|known| known != kind.as_str())) else { return Ok(()) };
    let noun = |kind: &'static str| kind.split_once('.').map_or(kind, |(noun, _)| noun);
    let alike: Vec<&str> = all().filter(|known| kind.split('.').next() == Some(noun(known))).collect();
    let kind: String = kind.chars().take(64).collect();
    let there = if alike.is_empty() {
        let mut nouns: Vec<&str> = all().map(noun).collect();
        nouns.dedup();
        format!("They begin with one of: {}", nouns.join(", "))
    } else {
        format!("There are: {}", alike.join(", "))
    };
    Err(Error::Invalid(format!("There is no kind of event \"{}\". {there}.", kind.escape_debug())))
}

impl Service {
    /// One page of the events of each parent, newest first: at most `first` before the number `after`.
    ///
    /// # Errors
    /// `Forbidden` for the installation's, but to site administrators; `TooSlow`.
    pub async fn events(
        &self,
        caller: &Caller,
        of: Timeline,
        parents: &[i64],
        filter: &EventFilter,
        after: Option<i64>,
        first: i64,
    ) -> Result<Vec<(i64, EventRow)>> {
        if of == Timeline::Accounts {
            access::site(caller).map_err(site_only("see the events of accounts"))?;
        }
        let mut connection = self.store.read().await?;
        Ok(history::events(&mut connection, caller, of, parents, filter, after, first).await?)
    }

    /// What events tell that the caller was allowed to see, wholly or partly, if it has no more than `most` bytes together.
    ///
    /// # Errors
    /// `TooLarge`.
    pub async fn event_texts(&self, ids: &[i64], partly: &[bool], most: usize) -> Result<Vec<((i64, bool), Texts)>> {
        let mut connection = self.store.read().await?;
        let rows = history::texts(&mut connection, ids, partly, i64::try_from(most).unwrap_or(i64::MAX)).await?;
        rows.into_iter().map(|(key, texts)| Some((key, texts?))).collect::<Option<_>>().ok_or_else(|| {
            Error::TooLarge(format!(
                "What {} events tell is more than one request may bring. Ask for less in one request, with a smaller `first` or \
                 without `before` and `after`.",
                ids.len()
            ))
        })
    }

    /// Where aliases of collections pointed at moments, in any order.
    ///
    /// # Errors
    /// Of the store alone.
    pub async fn aliases_at(
        &self,
        caller: &Caller,
        collections: &[i64],
        aliases: &[&str],
        times: &[DateTime<Utc>],
    ) -> Result<Vec<PeriodRow>> {
        let mut connection = self.store.read().await?;
        Ok(history::at(&mut connection, caller, collections, aliases, times).await?)
    }

    /// One page of where an alias of each collection pointed, newest first.
    ///
    /// # Errors
    /// Of the store alone.
    pub async fn alias_periods(
        &self,
        caller: &Caller,
        collections: &[i64],
        alias: &str,
        after: Option<DateTime<Utc>>,
        first: i64,
    ) -> Result<Vec<PeriodRow>> {
        let mut connection = self.store.read().await?;
        Ok(history::periods(&mut connection, caller, collections, alias, after, first).await?)
    }

    /// Moves an alias back to the version that it pointed at, with the rights, locks and rules of setting it there (rules 29, 30
    /// and 32). What it points at then.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Invalid` for `latest`, what is no alias and a time to come; `Conflict` when it pointed at nothing, or at a version that has
    /// left the collection since.
    pub async fn restore_alias(
        &self,
        request: &Request,
        collection: CollectionId,
        alias: &str,
        at: DateTime<Utc>,
    ) -> Result<PeriodRow> {
        let caller = request.caller()?;
        let names = custom_aliases(&[alias.to_owned()])?;
        let Some(name) = names.first() else {
            return Err(Error::Invalid("`latest` follows the newest version by itself, so it can't be moved back.".into()));
        };
        if at > self.store.clock().await? {
            return Err(Error::Invalid(format!("{} is yet to come. Name the moment that the alias shall go back to.", time(at))));
        }
        let mut tx = self.begin().await?;
        let (row, project) = found(&mut tx, caller, collection).await?;
        let (granted, locked) = contribute(&mut tx, caller, &row, &project).await?;
        let then = history::at(&mut tx, caller, &[collection.0], &[name], &[at]).await?.pop().ok_or_else(|| {
            Error::Conflict(format!(
                "The alias \"{name}\" pointed at nothing in the collection \"{}\" at that time. If it shall point at nothing \
                 again, take it away from the version that has it.",
                row.name
            ))
        })?;
        let version = then.version_id;
        if memberships::of_version_in(&mut tx, &locked, version).await?.is_none() {
            return Err(Error::Conflict(format!(
                "The version that the alias \"{name}\" pointed at then has left the collection \"{}\" since: it was deleted or \
                 unlinked. Link it again, if it is still there.",
                row.name
            )));
        }
        let moved = aliases::set(&mut tx, &locked, version, &names, caller.user).await?;
        let mut events: Vec<audit::Event> = moved.iter().map(|moved| alias_event(&locked, version, moved)).collect();
        for event in &mut events {
            event.after = Some(json!({ "alias": name, "version": version.0, "as_of": time(at) }));
        }
        audit::record(&mut tx, request.origin(), granted.organization(), &events).await?;
        let now = history::periods(&mut tx, caller, &[collection.0], name, None, 1).await?.pop();
        regalia_store::commit(tx).await?;
        Ok(now.ok_or(regalia_store::Error::NotFound)?)
    }
}
