//! How much of the server one account may take at once: its requests to `/graphql` wait for each other in order, so that
//! others' needn't. Each server counts for itself. What must not live here: what a request may ask for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regalia_domain::ids::UserId;
use regalia_service::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most requests of one account that are read, wait or run. 64 processes of one service account with 5 parallel batches each
/// are 320.
pub const AT_ONCE_REQUESTS: usize = 512;

/// Most bytes of their bodies, and of their long answers until they are read.
pub const AT_ONCE_BYTES: usize = 256 * 1024 * 1024;

/// Most bytes of all accounts' bodies together, but for an account that has nothing else under way.
pub const ALL_BYTES: usize = 2 * AT_ONCE_BYTES;

/// Connections to the database that are never one account's, as far as there are more than these.
const FOR_OTHERS: u32 = 2;

/// Most connections that one request is charged with: as many loads run in a round.
const MOST_READS: u32 = 4;

/// Who is there. What a request counts for isn't requests but connections: those that it may keep busy at once, one for each
/// field at the top and each list below, are what others would miss.
#[derive(Debug)]
pub(super) struct Turns {
    accounts: Mutex<HashMap<UserId, Account>>,
    connections: u32,
    patience: Duration,
}

#[derive(Debug)]
struct Account {
    requests: usize,
    bytes: usize,
    connections: Arc<Semaphore>,
}

/// A request's place among those of its account. Dropping it leaves.
pub(super) struct Place {
    turns: Arc<Turns>,
    account: UserId,
    bytes: usize,
    connections: Arc<Semaphore>,
}

impl Turns {
    /// Turns at so many connections.
    pub(super) fn new(connections: u32, patience: Duration) -> Self {
        Self { accounts: Mutex::default(), connections: connections.saturating_sub(FOR_OTHERS).max(1), patience }
    }

    /// Lets a request in whose body has so many bytes.
    ///
    /// # Errors
    /// `TooMany` when the account has too many already.
    pub(super) fn enter(self: &Arc<Self>, account: UserId, bytes: usize) -> Result<Place> {
        let mut accounts = self.accounts();
        let all = accounts.values().fold(bytes, |all, account| all.saturating_add(account.bytes));
        let found = accounts.entry(account).or_insert_with(|| Account {
            requests: 0,
            bytes: 0,
            connections: Arc::new(Semaphore::new(self.connections as usize)),
        });
        // Whoever is alone is let in, so nobody is kept out for good.
        let full = found.bytes.saturating_add(bytes) > AT_ONCE_BYTES || all > ALL_BYTES;
        if found.requests >= AT_ONCE_REQUESTS || (found.requests > 0 && full) {
            return Err(too_many());
        }
        found.requests += 1;
        found.bytes = found.bytes.saturating_add(bytes);
        let connections = Arc::clone(&found.connections);
        Ok(Place { turns: Arc::clone(self), account, bytes, connections })
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<UserId, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_many() -> Error {
    Error::TooMany(format!(
        "Your account has too many requests under way: at most {AT_ONCE_REQUESTS}, with bodies and unread answers of \
         {AT_ONCE_BYTES} bytes, are taken at once. Read the answers, and wait for some to end."
    ))
}

impl Place {
    /// Counts so many bytes of the body from now on, if it didn't count for more.
    ///
    /// # Errors
    /// `TooMany` when the account's others leave no room for them.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<()> {
        let more = bytes.saturating_sub(self.bytes);
        let mut accounts = self.turns.accounts();
        let everybodys = accounts.values().fold(more, |all, account| all.saturating_add(account.bytes));
        if let Some(account) = accounts.get_mut(&self.account) {
            let own = account.bytes.saturating_add(more);
            if more > 0 && account.requests > 1 && (own > AT_ONCE_BYTES || everybodys > ALL_BYTES) {
                return Err(too_many());
            }
            account.bytes = own;
        }
        drop(accounts);
        self.bytes += more;
        Ok(())
    }

    /// Counts so many bytes of the answer instead of those of the body, which is gone.
    pub(super) fn keep(&mut self, bytes: usize) {
        if let Some(account) = self.turns.accounts().get_mut(&self.account) {
            account.bytes = account.bytes.saturating_sub(self.bytes).saturating_add(bytes);
        }
        self.bytes = bytes;
    }

    /// Waits until a request of so many reads at once may run, and then holds what it uses.
    ///
    /// # Errors
    /// `TooMany` when that takes too long.
    pub(super) async fn turn(&self, reads: usize) -> Result<OwnedSemaphorePermit> {
        let uses = u32::try_from(reads).unwrap_or(u32::MAX).clamp(1, MOST_READS.min(self.turns.connections));
        let turn = Arc::clone(&self.connections).acquire_many_owned(uses);
        match tokio::time::timeout(self.turns.patience, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Error::TooMany(format!(
                "Your account's other requests didn't end within {} seconds. Send fewer at once, and this one again.",
                self.turns.patience.as_secs_f32()
            ))),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut accounts = self.turns.accounts();
        if let Some(account) = accounts.get_mut(&self.account) {
            account.requests -= 1;
            account.bytes = account.bytes.saturating_sub(self.bytes);
            if account.requests == 0 {
                accounts.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const ALICE: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    #[tokio::test]
    async fn an_account_waits_for_itself_alone() {
        let turns = Arc::new(Turns::new(10, SHORT));
        let places: Vec<_> = (0..5).map(|_| turns.enter(ALICE, 0).unwrap()).collect();
        let first = places[0].turn(100).await.unwrap();
        let second = places[1].turn(4).await.unwrap();
        assert!(matches!(places[2].turn(0).await, Err(Error::TooMany(_))), "eight of ten connections");
        assert!(turns.enter(BOB, 0).unwrap().turn(4).await.is_ok());
        drop(first);
        let small: Vec<_> = vec![places[2].turn(0).await.unwrap(), places[3].turn(1).await.unwrap()];
        // In order: a small one doesn't overtake a large one for ever.
        let (large, after) = tokio::join!(places[4].turn(4), async {
            tokio::time::sleep(SHORT / 2).await;
            places[0].turn(1).await
        });
        assert!(large.is_err() && after.is_ok());
        drop((second, small));
        assert!(places[4].turn(4).await.is_ok());
        drop(after);
        drop(places);
        assert!(turns.accounts().is_empty(), "nobody is remembered who isn't there");
    }

    #[tokio::test]
    async fn few_connections_are_enough() {
        for connections in 0..5 {
            let turns = Arc::new(Turns::new(connections, SHORT));
            let place = turns.enter(ALICE, 0).unwrap();
            assert!(place.turn(4).await.is_ok(), "{connections}");
        }
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let turns = Arc::new(Turns::new(10, SHORT));
        let places: Vec<_> = (0..AT_ONCE_REQUESTS).map(|_| turns.enter(ALICE, 0).unwrap()).collect();
        assert!(matches!(turns.enter(ALICE, 0), Err(Error::TooMany(_))));
        assert!(turns.enter(BOB, usize::MAX).is_ok(), "alone");
        drop(places);
        let half = turns.enter(ALICE, AT_ONCE_BYTES / 2).unwrap();
        let other = turns.enter(ALICE, AT_ONCE_BYTES / 2).unwrap();
        assert!(turns.enter(ALICE, 1).is_err());
        drop(half);
        assert!(turns.enter(ALICE, AT_ONCE_BYTES / 2).is_ok());
        drop(other);
        assert!(turns.accounts().is_empty());
    }

    #[test]
    fn an_answer_counts_instead_of_its_request_and_all_accounts_together() {
        let turns = Arc::new(Turns::new(10, SHORT));
        let mut slow = turns.enter(ALICE, 1000).unwrap();
        slow.keep(AT_ONCE_BYTES);
        assert!(turns.enter(ALICE, 1).is_err());
        slow.keep(10);
        assert_eq!(turns.accounts()[&ALICE].bytes, 10);
        slow.keep(AT_ONCE_BYTES);
        let mut other = turns.enter(BOB, 0).unwrap();
        other.keep(AT_ONCE_BYTES - 10);
        let carol = UserId(3);
        let first = turns.enter(carol, 100).unwrap();
        assert!(turns.enter(carol, 0).is_err(), "together they have too much");
        drop(other);
        assert!(turns.enter(carol, 0).is_ok());
        drop((first, slow));
        assert!(turns.accounts().is_empty());
    }

    #[test]
    fn who_does_not_say_how_much_counts_for_what_has_come() {
        let turns = Arc::new(Turns::new(10, SHORT));
        let mut alone = turns.enter(ALICE, 0).unwrap();
        assert!(alone.hold(AT_ONCE_BYTES + 1).is_ok(), "alone");
        assert!(turns.enter(ALICE, 0).is_err());
        drop(alone);
        let mut one = turns.enter(ALICE, 0).unwrap();
        let mut other = turns.enter(ALICE, 1000).unwrap();
        assert!(other.hold(400).is_ok() && other.hold(1000).is_ok(), "it has counted for them");
        assert!(one.hold(AT_ONCE_BYTES - 1000).is_ok());
        assert!(one.hold(AT_ONCE_BYTES - 999).is_err());
        assert!(other.hold(1001).is_err());
        drop(one);
        assert!(other.hold(1001).is_ok());
        drop(other);
        assert!(turns.accounts().is_empty());
    }
}
