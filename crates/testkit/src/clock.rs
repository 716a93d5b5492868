//! A clock that stands still until a test moves it.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use regalia_service::Clock;

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct SetClock(Mutex<DateTime<Utc>>);

impl Default for SetClock {
    fn default() -> Self {
        Self(Mutex::new(Utc::now()))
    }
}

impl SetClock {
    /// Moves it on.
    ///
    /// # Panics
    /// If another test thread panicked while moving it.
    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}
