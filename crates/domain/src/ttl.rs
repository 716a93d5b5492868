//! When a version expires (rule 35). What must not live here: the clock, and what becomes of what has expired.

/// The longest expiry, in seconds: a hundred years.
const LONGEST: i64 = 36_525 * 24 * 60 * 60;

/// After how long a version expires: as the W&B protocol and the database say it, -1 inherits, -2 is off, and more than 0 are
/// seconds from its creation, at most a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl(i64);

/// What is no expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TtlError {
    /// Zero, or a negative number without a meaning.
    #[error("{0} seconds is no expiry (`ttl`): it is more than 0 seconds from the version's creation, or off.")]
    NotPositive(i64),
    /// More than a hundred years.
    #[error(
        "An expiry (`ttl`) of {0} seconds is too long: at most a hundred years are possible, which are {LONGEST} seconds. Turn it \
         off to keep the version for ever."
    )]
    TooLong(i64),
}

impl Ttl {
    /// Whatever applies where the version was logged: nothing, as long as nothing can be set there.
    pub const INHERIT: Self = Self(-1);
    /// Never.
    pub const OFF: Self = Self(-2);

    /// Reads the number of the W&B protocol.
    ///
    /// # Errors
    /// As [`TtlError`].
    pub fn parse(seconds: i64) -> Result<Self, TtlError> {
        match seconds {
            -2 | -1 | 1..=LONGEST => Ok(Self(seconds)),
            i64::MIN..=0 => Err(TtlError::NotPositive(seconds)),
            _ => Err(TtlError::TooLong(seconds)),
        }
    }

    /// The number, as it was read.
    #[must_use]
    pub fn as_seconds(self) -> i64 {
        self.0
    }

    /// Whether a version with it ends by itself.
    #[must_use]
    pub fn expires(self) -> bool {
        self.0 > 0
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Ttl, TtlError};

    #[test]
    fn rule_35_what_an_expiry_is() {
        for (seconds, expires) in [(-2, false), (-1, false), (1, true), (86_400, true), (LONGEST, true)] {
            let ttl = Ttl::parse(seconds).unwrap();
            assert_eq!((ttl.as_seconds(), ttl.expires()), (seconds, expires));
        }
        assert_eq!((Ttl::parse(-1), Ttl::parse(-2)), (Ok(Ttl::INHERIT), Ok(Ttl::OFF)));
        for seconds in [0, -3, i64::MIN] {
            assert_eq!(Ttl::parse(seconds), Err(TtlError::NotPositive(seconds)));
        }
        for seconds in [LONGEST + 1, i64::MAX] {
            assert_eq!(Ttl::parse(seconds), Err(TtlError::TooLong(seconds)));
        }
    }
}
