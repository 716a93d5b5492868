//! API keys: their form and their hash. A key is a secret; nothing here prints one.

use std::fmt;

use crate::digest::Sha256;

/// The length of a key without its prefix, in characters. Clients check it before they send anything.
const SECRET_CHARS: usize = 40;
/// The longest prefix, in characters.
const PREFIX_CHARS: usize = 64;

/// An API key: 40 of `[A-Za-z0-9_]`, optionally after a prefix of 1 to 64 of `[A-Za-z0-9_.]` and a `-`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApiKey(String);

/// A text that isn't a key. The sentence doesn't repeat it, because it may be a mistyped secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "This is not an API key. A key is 40 letters, digits or underscores, optionally after a prefix \
     of up to 64 letters, digits, underscores or dots and a \"-\"."
)]
pub struct KeyError;

impl ApiKey {
    /// Reads a key as a client sends it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let (prefix, secret) = match text.split_once('-') {
            Some((prefix, secret)) => (Some(prefix), secret),
            None => (None, text),
        };
        let prefix_fits = prefix
            .is_none_or(|prefix| (1..=PREFIX_CHARS).contains(&prefix.len()) && prefix.bytes().all(|b| word(b) || b == b'.'));
        if prefix_fits && secret.len() == SECRET_CHARS && secret.bytes().all(word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyError)
        }
    }

    /// A new key: 160 random bits as 40 lowercase hexadecimal digits.
    pub fn from_random(bytes: [u8; 20]) -> Self {
        Self(hex::encode(bytes))
    }

    /// What is stored instead of the key: the SHA-256 of its full text, prefix included.
    pub fn hash(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }

    /// The key itself, for the one time that it is shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn accepted() {
        for key in [
            SECRET.to_owned(),
            format!("local-{SECRET}"),
            format!("user_gw0-{SECRET}"),
            format!("a.b_C9-{SECRET}"),
            format!("{}-{SECRET}", "p".repeat(64)),
            "A_".repeat(20),
        ] {
            assert_eq!(ApiKey::parse(&key).unwrap().reveal(), key);
        }
    }

    #[test]
    fn refused() {
        for key in [
            String::new(),
            "-".to_owned(),
            SECRET[1..].to_owned(),
            format!("{SECRET}0"),
            format!("-{SECRET}"),
            format!("{}-{SECRET}", "p".repeat(65)),
            format!("a-b-{SECRET}"),
            format!("a b-{SECRET}"),
            format!("é-{SECRET}"),
            format!("{SECRET}\n"),
            format!(" {SECRET}"),
            format!("{}-{}", &SECRET[..20], &SECRET[..19]),
            format!("{}.", &SECRET[1..]),
            "é".repeat(20),
        ] {
            assert_eq!(ApiKey::parse(&key), Err(KeyError), "{key:?}");
        }
    }

    #[test]
    fn the_hash_is_of_the_full_text() {
        let bare = ApiKey::parse(SECRET).unwrap();
        let prefixed = ApiKey::parse(&format!("local-{SECRET}")).unwrap();
        assert_eq!(bare.hash(), Sha256::of(SECRET.as_bytes()));
        assert_ne!(bare.hash(), prefixed.hash());
    }

    proptest! {
        #[test]
        fn a_new_key_is_a_key_and_is_never_printed(bytes in any::<[u8; 20]>()) {
            let key = ApiKey::from_random(bytes);
            prop_assert_eq!(&ApiKey::parse(key.reveal()).unwrap(), &key);
            prop_assert!(key.reveal().bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
            let printed = format!("{key:?} {:#?} {:?}", Some(&key), ApiKey::parse(&format!("{}x", key.reveal())));
            prop_assert!(!printed.contains(key.reveal()));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = ApiKey::parse(&text);
        }
    }
}
