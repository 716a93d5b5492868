//! Rule 24: a user, a team or an organization isn't deleted while a version of theirs is linked under a protected alias, and by
//! force only by a site administrator, with all that they hold. What must not live here: who may delete what without force.

use std::fmt::Write as _;

use regalia_domain::ids::OrganizationId;
use regalia_store::access::{self, Caller, Granted, ManageSite};
use regalia_store::audit::{self, Event, Kind};
use regalia_store::removal::{self, Going, Protected};
use regalia_store::{Error as StoreError, Tx};
use serde_json::{Map, Value, json};

use crate::accounts::site_only;
use crate::{Error, Request, Result};

/// How many protected aliases a refusal names, and how long they are together at most, in bytes.
const NAMED: usize = 20;
const NAMED_BYTES: usize = 300;

/// How many an event names.
const TOLD: i64 = 10_000;

/// The right to delete by force, if that is asked for.
pub(crate) fn by_force(caller: &Caller, force: bool) -> Result<Option<Granted<ManageSite>>> {
    force.then(|| access::site(caller).map_err(site_only("delete by `force`"))).transpose()
}

/// Refuses the deletion of an entity that holds a version under a protected alias. Not by force: then it returns who goes with it.
pub(crate) async fn unprotected(
    tx: &mut Tx,
    caller: &Caller,
    site: Option<&Granted<ManageSite>>,
    what: &str,
    entity: i64,
) -> Result<Removal> {
    let going = removal::going(tx, entity).await?;
    let ids: Vec<i64> = going.iter().map(|going| going.id).collect();
    let (protected, count) = removal::protected(tx, caller, &ids, TOLD).await?;
    if site.is_none() && count > 0 {
        return Err(Error::Conflict(format!(
            "The {what} can't be deleted, because versions are linked under protected aliases: {}. Have an admin of the registry \
             remove these aliases or the links, or a site administrator delete it by `force`, with all that it holds.",
            listed(&protected, count)
        )));
    }
    Ok(Removal { going, ids, protected, count })
}

/// What a refusal says of the aliases: those that the caller may see, and how many more there are.
fn listed(protected: &[Protected], count: i64) -> String {
    let mut text = String::new();
    let mut named = 0;
    for one in protected.iter().filter(|one| one.seen).take(NAMED) {
        let next = format!("{}/{}:{}", one.registry, one.collection, one.alias);
        if named > 0 && text.len() + next.len() > NAMED_BYTES {
            break;
        }
        let separator = if named == 0 { "" } else { ", " };
        // Writing to a String can't fail.
        let _ = write!(text, "{separator}{next}");
        named += 1;
    }
    let rest = count - named;
    match (named, rest) {
        (_, 0) => text,
        (0, rest) => format!("{rest} in registries that you don't see"),
        (_, rest) => format!("{text} and {rest} more"),
    }
}

/// An entity that is deleted, with all that goes with it.
pub(crate) struct Removal {
    going: Vec<Going>,
    ids: Vec<i64>,
    protected: Vec<Protected>,
    count: i64,
}

impl Removal {
    /// Deletes everything, and records it: an event for each collection, registry and account, and one that has the aliases.
    /// Under the locks that the entity's own deletion takes, and for an organization's under [`removal::lock_registries`].
    ///
    /// # Errors
    /// `Conflict` when something came meanwhile.
    pub(crate) async fn execute(
        self,
        tx: &mut Tx,
        request: &Request,
        site: &Granted<ManageSite>,
        organization: Option<OrganizationId>,
    ) -> Result<()> {
        let projects = removal::projects(tx, &self.ids).await?;
        let numbers: Vec<i64> = projects.iter().map(|project| project.id).collect();
        audit::collections_deleted(tx, request.origin(), organization, &numbers).await?;
        removal::delete_content(tx, request.origin(), site, &self.ids).await.map_err(busy)?;
        let mut events = Vec::new();
        if let Some(organization) = organization {
            removal::restore_latest(tx, request.origin(), site, organization).await.map_err(busy)?;
        }
        for registry in projects.iter().filter(|project| project.kind == "registry") {
            let before = json!({ "name": registry.name, "forced": true });
            events.push(gone(Kind::RegistryDeleted, format!("Project:{}", registry.id), before));
        }
        removal::leave_by_force(tx, request.origin(), site, &self.ids).await.map_err(busy)?;
        removal::delete(tx, site, &self.ids).await.map_err(busy)?;
        let all: Vec<String> =
            self.protected.iter().map(|one| format!("{}/{}:{}", one.registry, one.collection, one.alias)).collect();
        for (at, going) in self.going.iter().enumerate() {
            let (kind, noun) = match going.kind.as_str() {
                "user" => (Kind::UserDeleted, "User"),
                "team" => (Kind::TeamDeleted, "Team"),
                _ => (Kind::OrganizationDeleted, "Organization"),
            };
            let owned: Vec<&str> = projects
                .iter()
                .filter(|project| project.kind == "project" && project.entity_name == going.name)
                .map(|project| project.name.as_str())
                .collect();
            let mut before = Map::from_iter([
                ("name".to_owned(), json!(going.name)),
                ("forced".to_owned(), json!(true)),
                ("projects".to_owned(), json!(owned)),
            ]);
            // The last is who was asked for.
            if at + 1 == self.going.len() {
                before.insert("protected".into(), json!(all));
                before.insert("protected_count".into(), json!(self.count));
            }
            events.push(gone(kind, format!("{noun}:{}", going.id), Value::Object(before)));
        }
        Ok(audit::record(tx, request.origin(), organization, &events).await?)
    }
}

fn gone(kind: Kind, subject: String, before: Value) -> Event {
    Event { kind, subject, before: Some(before), after: None }
}

fn busy(error: StoreError) -> Error {
    if error.is_deadlock() || matches!(error, StoreError::Exists | StoreError::AffectedRows { .. }) {
        Error::Conflict("Something was written there at the same moment, so nothing was deleted. Try again.".into())
    } else {
        error.into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Protected, listed};

    #[test]
    fn a_refusal_names_what_may_be_seen_and_counts_the_rest() {
        let one = |number: usize, seen| Protected {
            registry: format!("registry{number}"),
            collection: "Line".into(),
            alias: "best".into(),
            seen,
        };
        assert_eq!(listed(&[one(1, true)], 1), "registry1/Line:best");
        assert_eq!(
            listed(&[one(1, true), one(2, true), one(3, false)], 3),
            "registry1/Line:best, registry2/Line:best and 1 more"
        );
        assert_eq!(listed(&[one(1, false)], 1), "1 in registries that you don't see");
        let many: Vec<_> = (0..50).map(|number| one(number, true)).collect();
        let text = listed(&many, 70);
        assert!(text.len() < 340 && text.contains("registry0/") && text.ends_with(" more"), "{text}");
        let long = Protected { registry: "r".repeat(400), ..one(1, true) };
        assert!(listed(&[long], 1).starts_with("rrr"), "one at least");
    }
}
