//! Passwords: their form. A password is a secret; nothing here prints one. What must not live here: how they are hashed
//! (that takes time and randomness: the service does it).

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

/// The shortest password, in characters.
pub const MIN_CHARS: usize = 12;
/// The longest password, in characters: a hash of more would only cost time.
pub const MAX_CHARS: usize = 256;

/// A password: 12 to 256 characters of any kind, in Unicode's NFC, so that every keyboard types the same one.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// A text that can't be a password. The sentence doesn't repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A password is {MIN_CHARS} to {MAX_CHARS} characters long. Choose another one: several words make a good password.")]
pub struct PasswordError;

impl Password {
    /// Reads a password as a person types it. No kind of character is asked for: length is what makes it hard to guess.
    ///
    /// # Errors
    /// It is too short or too long.
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        // Before any work on it: a character of NFC is made of a few at most, so nothing that fits is refused here.
        if text.len() > MAX_CHARS * 16 {
            return Err(PasswordError);
        }
        let normal: String = text.nfc().collect();
        let length = normal.chars().count();
        if (MIN_CHARS..=MAX_CHARS).contains(&length) { Ok(Self(normal)) } else { Err(PasswordError) }
    }

    /// The password itself, for hashing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_alone_counts() {
        for good in ["correct horse", "aaaaaaaaaaaa", &"é".repeat(256), " 12 spaces  "] {
            assert_eq!(Password::parse(good).unwrap().reveal(), good);
        }
        for bad in ["", "eleven char", &"é".repeat(11), &"a".repeat(257), &"a".repeat(100_000)] {
            assert_eq!(Password::parse(bad), Err(PasswordError), "{bad}");
        }
    }

    #[test]
    fn every_keyboard_types_the_same() {
        assert_eq!(Password::parse("passworde\u{301}xyz"), Password::parse("password\u{e9}xyz"));
    }

    #[test]
    fn it_is_never_printed() {
        let password = Password::parse("correct horse battery").unwrap();
        assert!(!format!("{password:?} {:?}", Some(&password)).contains("horse"));
        assert!(!format!("{:?} {0}", PasswordError).contains("horse"));
    }
}
