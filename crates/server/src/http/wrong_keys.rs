//! Tries of wrong API keys and of wrong sessions. Neither can be guessed; what whoever tries could take is the database's time. So after many wrong
//! ones an address has only a few a second looked up. Keys that opened something lately are looked up whatever happens,
//! because a whole cluster may share one address. Each server counts for itself, in bounded memory. What must not live here:
//! passwords (`regalia_service::sessions`).

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use hashlink::LruCache;
use regalia_domain::digest::Sha256;
use regalia_domain::keys::ApiKey;
use regalia_service::store::access::Caller;
use regalia_service::{Error, Result, Service};

use super::session::Address;

/// Most wrong keys of one address that are looked up without a pause, within [`WINDOW_MINUTES`].
pub const MOST_WRONG: u32 = 100;

/// For how long wrong keys count, in minutes.
pub const WINDOW_MINUTES: i64 = 15;

/// How many unknown keys a second are looked up after that, each once.
pub const LOOKUPS_A_SECOND: usize = 10;

/// How many addresses and how many good keys are remembered.
const REMEMBERED: usize = 10_000;

/// Who tried what.
#[derive(Debug)]
pub(super) struct WrongKeys(Mutex<Tries>);

#[derive(Debug)]
struct Tries {
    /// Hashes of keys and sessions that opened something.
    good: LruCache<[u8; 32], ()>,
    addresses: LruCache<IpAddr, Wrong>,
}

#[derive(Debug)]
struct Wrong {
    since: DateTime<Utc>,
    keys: u32,
    /// The second in which keys were looked up last, and which.
    second: i64,
    looked_up: Vec<[u8; 32]>,
}

impl Default for WrongKeys {
    fn default() -> Self {
        Self(Mutex::new(Tries { good: LruCache::new(REMEMBERED), addresses: LruCache::new(REMEMBERED) }))
    }
}

impl WrongKeys {
    /// Whom a key stands for.
    ///
    /// # Errors
    /// As [`Service::authenticate`]; `TooMany` after too many wrong ones.
    pub(super) async fn authenticate(&self, service: &Service, key: &str, address: &Address) -> Result<Caller> {
        // What is no key isn't looked up.
        let Ok(hash) = ApiKey::parse(key).map(|key| key.hash()) else { return service.authenticate(key).await };
        let network = network(address);
        let wrong = |error: &Error| matches!(error, Error::UnknownKey);
        self.looked_up(service, &hash, network, service.authenticate(key), wrong).await
    }

    /// Whom a session's secret stands for.
    ///
    /// # Errors
    /// As [`Service::of_session`]; `TooMany` after too many wrong ones.
    pub(super) async fn of_session(&self, service: &Service, token: &str, address: &Address) -> Result<Caller> {
        let hash = Sha256::of(token.as_bytes());
        // Its error doesn't tell whether it ever was one.
        let wrong = |error: &Error| matches!(error, Error::Unauthenticated(_));
        self.looked_up(service, &hash, network(address), service.of_session(token), wrong).await
    }

    async fn looked_up(
        &self,
        service: &Service,
        hash: &Sha256,
        network: IpAddr,
        look: impl Future<Output = Result<Caller>>,
        wrong: impl Fn(&Error) -> bool,
    ) -> Result<Caller> {
        self.admit(hash, network, service.clock.now())?;
        let outcome = look.await;
        match &outcome {
            Ok(_) => self.opened(hash),
            Err(error) if wrong(error) => self.wrong(hash, network, service.clock.now()),
            Err(_) => {}
        }
        outcome
    }

    /// Whether a key may be looked up now.
    fn admit(&self, hash: &Sha256, network: IpAddr, now: DateTime<Utc>) -> Result<()> {
        let mut tries = self.tries();
        if tries.good.get(&hash.0).is_some() {
            return Ok(());
        }
        let Some(wrong) = tries.addresses.get_mut(&network) else { return Ok(()) };
        if now - wrong.since > TimeDelta::minutes(WINDOW_MINUTES) {
            tries.addresses.remove(&network);
            return Ok(());
        }
        if wrong.keys < MOST_WRONG {
            return Ok(());
        }
        let second = now.timestamp();
        if wrong.second != second {
            wrong.second = second;
            wrong.looked_up.clear();
        }
        // One program that goes on and on with its old key leaves the others' turns alone.
        if wrong.looked_up.len() < LOOKUPS_A_SECOND && !wrong.looked_up.contains(&hash.0) {
            wrong.looked_up.push(hash.0);
            return Ok(());
        }
        Err(Error::TooMany(format!(
            "More than {MOST_WRONG} API keys or sessions that open nothing came from your address within {WINDOW_MINUTES} minutes, so \
             only a few a \
             second are looked at. Try again in a moment, and find the program that uses an old key."
        )))
    }

    fn opened(&self, hash: &Sha256) {
        self.tries().good.insert(hash.0, ());
    }

    fn wrong(&self, hash: &Sha256, network: IpAddr, now: DateTime<Utc>) {
        let mut tries = self.tries();
        // It was revoked.
        tries.good.remove(&hash.0);
        match tries.addresses.get_mut(&network) {
            Some(wrong) => wrong.keys = wrong.keys.saturating_add(1),
            None => drop(tries.addresses.insert(network, Wrong { since: now, keys: 1, second: 0, looked_up: Vec::new() })),
        }
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one address: of IPv6 the network, because each machine has that many.
fn network(address: &Address) -> IpAddr {
    match address.text().parse() {
        Ok(IpAddr::V6(address)) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        Ok(address) => address,
        // One for all who have none.
        Err(_) => IpAddr::V6(0.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn networks() {
        let of = |text: &str| network(&Address::of(text));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("unknown"), of("unknown"));
    }

    #[test]
    fn wrong_keys_slow_down_unknown_keys_alone() {
        let tries = WrongKeys::default();
        let (good, wrong) = (Sha256([1; 32]), Sha256([2; 32]));
        let (here, there) = (network(&Address::of("192.0.2.1")), network(&Address::of("192.0.2.2")));
        tries.opened(&good);
        for _ in 0..MOST_WRONG {
            assert!(tries.admit(&wrong, here, now(0)).is_ok());
            tries.wrong(&wrong, here, now(0));
        }
        for second in [0, 1] {
            for number in 0..LOOKUPS_A_SECOND {
                let other = Sha256([10 + number as u8; 32]);
                assert!(tries.admit(&other, here, now(second)).is_ok());
                assert!(tries.admit(&other, here, now(second)).is_err(), "once a second");
            }
            assert!(matches!(tries.admit(&wrong, here, now(second)), Err(Error::TooMany(_))));
            assert!(tries.admit(&good, here, now(second)).is_ok());
            assert!(tries.admit(&wrong, there, now(second)).is_ok());
        }
        // A key that is good no longer is like any other.
        tries.wrong(&good, here, now(1));
        assert!(tries.admit(&good, here, now(1)).is_err());
        assert!(tries.admit(&wrong, here, now(WINDOW_MINUTES * 60 + 1)).is_ok());
        assert!(tries.tries().addresses.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let tries = WrongKeys::default();
        for number in 0..REMEMBERED as u32 + 500 {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&number.to_be_bytes());
            tries.opened(&Sha256(hash));
            tries.wrong(&Sha256([9; 32]), IpAddr::V4(number.into()), now(0));
        }
        let tries = tries.tries();
        assert_eq!((tries.good.len(), tries.addresses.len()), (REMEMBERED, REMEMBERED));
    }
}
