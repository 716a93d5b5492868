//! The chain of audit events: the bytes of an event, the hash that seals it, and what a chain that was tampered with is found
//! by. `docs/audit.md` says the same for whoever verifies without this program. What must not live here: where events, hashes
//! and checkpoints are kept.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, FixedOffset, TimeDelta};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::digest::Sha256;

/// How much earlier than those before it an event may say that it was done: events are sealed within a second of their commit, and
/// a commit takes minutes at most.
const SLACK: TimeDelta = TimeDelta::days(1);

/// What stands for the hash before the first event of a chain.
pub const BEGINNING: Sha256 = Sha256([0; 32]);

/// An event at its place in a chain: everything that is kept of it but its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the chain, from 1 without a gap.
    pub position: i64,
    /// Its number in the whole installation.
    pub id: i64,
    /// When, as `2026-01-31T23:59:59.123456Z`.
    pub at: String,
    /// Whose chain it is: an organization's, or the installation's.
    pub organization: Option<i64>,
    /// Who did it.
    pub actor: Option<i64>,
    /// The request that did it, as 36 lowercase characters.
    pub request: String,
    /// What happened, such as `alias.set`.
    pub kind: String,
    /// What it happened to, as `Kind:<number>`.
    pub subject: String,
    /// The project or registry.
    pub project: Option<i64>,
    /// The collection.
    pub collection: Option<i64>,
    /// The changed fields before, as PostgreSQL prints a `jsonb`.
    pub before: Option<String>,
    /// The changed fields after, likewise.
    pub after: Option<String>,
}

/// An event with its hash: a line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// Its hash in lowercase hexadecimal.
    pub hash: String,
}

impl Event {
    /// The bytes that are hashed: each field in the order of the struct as its length in bytes in decimal, `:` and its text in
    /// UTF-8; a field that isn't there is `-`. So different events have different bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut add = |field: Option<&str>| match field {
            None => bytes.push(b'-'),
            Some(text) => {
                bytes.extend_from_slice(text.len().to_string().as_bytes());
                bytes.push(b':');
                bytes.extend_from_slice(text.as_bytes());
            }
        };
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        add(Some(&self.position.to_string()));
        add(Some(&self.id.to_string()));
        add(Some(&self.at));
        add(number(self.organization).as_deref());
        add(number(self.actor).as_deref());
        add(Some(&self.request));
        add(Some(&self.kind));
        add(Some(&self.subject));
        add(number(self.project).as_deref());
        add(number(self.collection).as_deref());
        add(self.before.as_deref());
        add(self.after.as_deref());
        bytes
    }

    /// The hash that seals it behind another: SHA-256 over the 32 bytes of that one's hash and [`Event::bytes`].
    #[must_use]
    pub fn hash(&self, previous: &Sha256) -> Sha256 {
        let mut state = sha2::Sha256::new();
        state.update(previous.0);
        state.update(self.bytes());
        Sha256(state.finalize().into())
    }
}

/// Where a chain had got to at some time, written down outside the database: a line of the file of checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whose chain.
    pub organization: Option<i64>,
    /// The position of its last event.
    pub position: i64,
    /// The hash of that event in lowercase hexadecimal.
    pub hash: String,
    /// When this was written.
    pub at: String,
}

/// Where a chain ends, as the sealer keeps it beside the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Whose chain.
    pub organization: Option<i64>,
    /// The position of its last event.
    pub position: i64,
    /// Its hash.
    pub hash: Sha256,
}

impl End {
    /// What is written down of it at a time.
    #[must_use]
    pub fn checkpoint(&self, at: String) -> Checkpoint {
        Checkpoint { organization: self.organization, position: self.position, hash: self.hash.to_hex(), at }
    }
}

/// The first thing that is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// An event isn't what was sealed at its place, or what was sealed before it isn't what it follows.
    Changed(Event),
    /// The events of these positions are gone.
    Removed {
        /// The first that is gone.
        from: i64,
        /// The last that is gone.
        to: i64,
    },
    /// An event stands where another stands already, or before the first.
    Added(Event),
    /// The chain ends before a place that it had got to.
    Cut {
        /// The first position that is gone.
        from: i64,
        /// The last that is known of.
        to: i64,
        /// When that was written down; none: it is the end that the sealer keeps beside the events.
        at: Option<String>,
    },
    /// An event stands behind the last one that was sealed.
    Behind(Event),
    /// The end that the sealer keeps beside the events was taken away or moved: the chain holds beyond it.
    End {
        /// Where it is; none: it is kept nowhere.
        at: Option<i64>,
        /// How far the chain holds.
        holds: i64,
    },
    /// The hashes hold, but they aren't those that were written down elsewhere.
    Rewritten {
        /// The position of the checkpoint.
        position: i64,
        /// When it was written; none: it is the end that the sealer keeps beside the events.
        at: Option<String>,
        /// The last checkpoint before it that is as it was; 0 for none.
        sound: i64,
    },
    /// An event isn't sealed that a sealer at work would have sealed long ago.
    Unsealed(Event),
}

/// What a reader is told of an event.
#[must_use]
pub fn told(event: &Event) -> String {
    format!("event {} ({} of {}, {})", event.id, event.kind, event.subject, event.at)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let positions = |from: i64, to: i64| {
            if from == to { format!("the event at position {from}") } else { format!("the events at positions {from} to {to}") }
        };
        match self {
            Self::Changed(event) => write!(
                f,
                "{} at position {} isn't what was sealed there: it was changed, moved or put there, or the hash before it was",
                told(event),
                event.position
            ),
            Self::Removed { from, to } => {
                write!(f, "{} removed: the chain goes on behind it", gone(&positions(*from, *to), from == to))
            }
            Self::Added(event) => {
                write!(f, "{} was added: its position {} isn't the one that follows", told(event), event.position)
            }
            Self::Cut { from, to, at: None } => {
                write!(f, "{} removed from the chain's end", gone(&positions(*from, *to), from == to))
            }
            Self::Cut { from, to, at: Some(at) } => write!(
                f,
                "{} removed from the chain's end, which had got to position {to} by the checkpoint of {at}",
                gone(&positions(*from, *to), from == to)
            ),
            Self::Behind(event) => {
                write!(f, "{} was added behind the chain's end, at position {}", told(event), event.position)
            }
            Self::End { at: None, holds } => write!(
                f,
                "its end isn't kept any more, and its events hold up to position {holds}: its row of audit_chains was removed"
            ),
            Self::End { at: Some(at), holds } => write!(
                f,
                "its end is kept as position {at}, and by the checkpoints its events hold up to position {holds}: its row of \
                 audit_chains was changed"
            ),
            Self::Rewritten { position, at, sound } => {
                write!(f, "the chain was rewritten at or before position {position}")?;
                if *sound > 0 {
                    write!(f, ", after position {sound}")?;
                }
                match at {
                    Some(at) => write!(f, ": the checkpoint of {at} has another hash there"),
                    None => write!(f, ": its last event was sealed with another hash"),
                }
            }
            Self::Unsealed(event) => {
                write!(
                    f,
                    "{} was added behind the chain: it isn't sealed, though later events are; either it was put in there, or it was \
                     written just before a server was killed, and the next server seals it",
                    told(event)
                )
            }
        }
    }
}

fn gone(what: &str, one: bool) -> String {
    format!("{what} {}", if one { "was" } else { "were" })
}

/// What was found of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose chain; none for the installation's.
    pub organization: Option<i64>,
    /// How many events were looked at.
    pub events: u64,
    /// The position of the last event that holds.
    pub position: i64,
    /// Its hash.
    pub hash: Sha256,
    /// How many checkpoints agree with it.
    pub checkpoints: u64,
    /// The first thing that is wrong.
    pub problem: Option<Problem>,
    /// The first event that says that it was done over a day before one that was sealed earlier. The chain holds with it: somebody
    /// put it behind the chain's end while a server was at work, or the database's clock was put back.
    pub backdated: Option<Event>,
}

impl Report {
    /// Whether nothing is wrong, and nothing odd.
    #[must_use]
    pub fn sound(&self) -> bool {
        self.problem.is_none() && self.backdated.is_none()
    }
}

/// Goes along chains, event by event, and keeps the first thing that is wrong with each. Needs memory for the chains and the
/// checkpoints, not for the events.
#[derive(Debug, Default)]
pub struct Verifier {
    chains: BTreeMap<i64, State>,
    /// Whether each chain's end is known.
    ends: bool,
}

#[derive(Debug)]
struct State {
    report: Report,
    /// Where it had got to by what is written elsewhere: position, hash and time, in the order of the positions.
    known: Vec<(i64, String, Option<String>)>,
    /// The next of them.
    next: usize,
    sound: i64,
    end: i64,
    /// The first event behind that end.
    behind: Option<Event>,
    /// The latest time that an event has said so far.
    latest: Option<DateTime<FixedOffset>>,
}

impl Verifier {
    /// A verifier that compares with checkpoints, and with the end of each chain as the sealer keeps it, if that is known.
    #[must_use]
    pub fn new(checkpoints: Vec<Checkpoint>, ends: Option<Vec<End>>) -> Self {
        let mut verifier = Self { ends: ends.is_some(), ..Self::default() };
        for checkpoint in checkpoints {
            let known = (checkpoint.position, checkpoint.hash, Some(checkpoint.at));
            verifier.chain(checkpoint.organization).known.push(known);
        }
        for end in ends.into_iter().flatten() {
            let state = verifier.chain(end.organization);
            state.end = end.position;
            state.known.push((end.position, end.hash.to_hex(), None));
        }
        for state in verifier.chains.values_mut() {
            state.known.sort();
        }
        verifier
    }

    fn chain(&mut self, organization: Option<i64>) -> &mut State {
        self.chains.entry(organization.unwrap_or(0)).or_insert_with(|| State {
            report: Report {
                organization,
                events: 0,
                position: 0,
                hash: BEGINNING,
                checkpoints: 0,
                problem: None,
                backdated: None,
            },
            known: Vec::new(),
            next: 0,
            sound: 0,
            end: 0,
            behind: None,
            latest: None,
        })
    }

    /// Takes the next event of its chain. Those of one chain come in the order of their positions.
    pub fn event(&mut self, sealed: &Sealed) {
        let ends = self.ends;
        let event = &sealed.event;
        let State { report, known, next, sound, end, behind, latest } = self.chain(event.organization);
        report.events += 1;
        if report.problem.is_some() {
            return;
        }
        if ends && event.position > *end && behind.is_none() {
            *behind = Some(event.clone());
        }
        let hash = event.hash(&report.hash);
        report.problem = if event.position <= report.position {
            Some(Problem::Added(event.clone()))
        } else if event.position > report.position + 1 {
            Some(Problem::Removed { from: report.position + 1, to: event.position - 1 })
        } else if hash.to_hex() != sealed.hash {
            Some(Problem::Changed(event.clone()))
        } else {
            (report.position, report.hash) = (event.position, hash);
            if let Ok(at) = DateTime::parse_from_rfc3339(&event.at) {
                if report.backdated.is_none() && latest.is_some_and(|latest| latest - at > SLACK) {
                    report.backdated = Some(event.clone());
                }
                *latest = (*latest).max(Some(at));
            }
            None
        };
        while report.problem.is_none()
            && let Some((position, expected, at)) = known.get(*next)
            && *position <= report.position
        {
            *next += 1;
            if *position == report.position && *expected == sealed.hash {
                report.checkpoints += u64::from(at.is_some());
                *sound = *position;
            } else {
                report.problem = Some(Problem::Rewritten { position: *position, at: at.clone(), sound: *sound });
            }
        }
    }

    /// Takes an event that belongs to a chain and should have been sealed.
    pub fn unsealed(&mut self, event: Event) {
        let report = &mut self.chain(event.organization).report;
        report.problem.get_or_insert(Problem::Unsealed(event));
    }

    /// What was found, chain by chain: that of the installation first.
    #[must_use]
    pub fn finish(self) -> Vec<Report> {
        let reports = self.chains.into_values().map(|state| {
            let mut report = state.report;
            if let Some(event) = state.behind {
                let holds = report.position;
                if state.sound > state.end || state.end == 0 {
                    // A checkpoint knows better, or there is nothing to be behind of.
                    let at = (state.end > 0).then_some(state.end);
                    report.problem.get_or_insert(Problem::End { at, holds });
                } else {
                    report.problem = Some(Problem::Behind(event));
                }
            }
            if report.problem.is_none()
                && let Some((position, _, at)) = state.known.last()
                && *position > report.position
            {
                report.problem = Some(Problem::Cut { from: report.position + 1, to: *position, at: at.clone() });
            }
            report
        });
        reports.collect()
    }
}

#[cfg(test)]
mod tests;
