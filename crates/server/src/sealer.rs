//! The task that has audit events sealed within a second of their commit, and writes checkpoints. Any number of servers may run
//! it. What must not live here: how events are sealed (the service), and the file (`checkpoints`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regalia_domain::chain::{Checkpoint, End};
use regalia_service::Service;
use regalia_service::sealer::Sealing;
use regalia_service::store::chain::time;
use tokio::sync::watch;

use crate::checkpoints;

/// How often events are looked for.
const EVERY: Duration = Duration::from_millis(500);

/// Checkpoints are written at most so often.
const CHECKPOINTS: Duration = Duration::from_secs(60);

/// Errors that come again and again are logged so often.
const REMIND: Duration = Duration::from_secs(60);

/// Events that can't be sealed for so long stand in a chain that somebody broke. One moment may come between two statements.
const PATIENCE: Duration = Duration::from_secs(5);

/// The task's state.
#[derive(Debug)]
pub struct Sealer {
    service: Arc<Service>,
    file: PathBuf,
    /// Ends that aren't written yet, by chain.
    unwritten: BTreeMap<i64, End>,
    written: Option<Instant>,
    complained: Option<Instant>,
    /// Since when there are events that can't be sealed.
    stuck: Option<Instant>,
}

impl Sealer {
    /// A sealer that writes its checkpoints into this file.
    #[must_use]
    pub fn new(service: Arc<Service>, file: PathBuf) -> Self {
        Self { service, file, unwritten: BTreeMap::new(), written: None, complained: None, stuck: None }
    }

    /// Seals until the sender is gone; then once more, and writes what is to be written.
    pub async fn run(mut self, mut stop: watch::Receiver<()>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.catch_up().await;
        loop {
            let stopping = tokio::select! {
                _ = ticks.tick() => false,
                _ = stop.changed() => true,
            };
            self.seal().await;
            if stopping || self.written.is_none_or(|written| written.elapsed() >= CHECKPOINTS) {
                self.write().await;
            }
            if stopping {
                return;
            }
        }
    }

    /// What a server sealed and had no time to write down is written now.
    async fn catch_up(&mut self) {
        let file = self.file.clone();
        let last = tokio::task::spawn_blocking(move || checkpoints::last(&file)).await.map_err(std::io::Error::other);
        let last = last.flatten().unwrap_or_else(|error| {
            self.complain(&format!("the file of checkpoints can't be read: {error}"));
            BTreeMap::new()
        });
        match self.service.chain_ends().await {
            Ok(ends) => {
                let key = |end: &End| end.organization.unwrap_or(0);
                let new = ends.into_iter().filter(|end| last.get(&key(end)).is_none_or(|position| *position < end.position));
                self.unwritten.extend(new.map(|end| (key(&end), end)));
            }
            Err(error) => self.complain(&told(&error)),
        }
    }

    async fn seal(&mut self) {
        let unwritten = &mut self.unwritten;
        let grown = |end: End| {
            unwritten.insert(end.organization.unwrap_or(0), end);
        };
        match self.service.seal(grown).await {
            Ok(Sealing::Done) => (self.complained, self.stuck) = (None, None),
            Ok(Sealing::Elsewhere) => {}
            Ok(Sealing::Stuck) => {
                if self.stuck.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                    self.complain("something stands in a chain behind its end");
                }
            }
            Err(error) => {
                self.stuck = None;
                self.complain(&told(&error));
            }
        }
    }

    async fn write(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        let at = time(self.service.clock.now());
        let lines: Vec<Checkpoint> = self.unwritten.values().map(|end| end.checkpoint(at.clone())).collect();
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || checkpoints::append(&file, &lines)).await;
        self.written = Some(Instant::now());
        match written.map_err(std::io::Error::other).flatten() {
            Ok(()) => self.unwritten.clear(),
            // They are written next time.
            Err(error) => self.complain(&format!("checkpoints can't be written to {}: {error}", self.file.display())),
        }
    }

    fn complain(&mut self, error: &str) {
        if self.complained.is_none_or(|last| last.elapsed() >= REMIND) {
            tracing::warn!(error, "audit events can't be sealed, or written down as sealed; `regalia audit verify` may say why");
            self.complained = Some(Instant::now());
        }
    }
}

/// An error with its cause, which is for the log alone.
fn told(error: &regalia_service::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error} {cause}"),
        None => error.to_string(),
    }
}
