//! Hashing passwords and comparing them with their hashes: argon2id, its parameters, and how many at once. What must not live
//! here: whose a password is, and the form of one (the domain has it).

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use regalia_domain::passwords::Password;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, Result};

/// Memory of one hash in KiB, passes over it, lanes: what OWASP asks of argon2id at least. Stored hashes carry their own, so
/// changing these changes new hashes only.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How long a request waits for a place.
const PATIENCE: Duration = Duration::from_secs(10);

/// The salt of the hash that is computed where there is none to compare with.
const NO_SALT: [u8; 16] = [0; 16];

/// How many are computed at once: each takes its memory and a core.
const PLACES: usize = 2;

/// Computes hashes, so many at once.
#[derive(Debug, Clone)]
pub struct Hasher {
    /// Free places. Whoever takes them all, or closes them, keeps every password from being looked at.
    pub places: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)) }
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The cause without the password, which the library doesn't quote.
fn failed(error: impl std::fmt::Display) -> Error {
    Error::Internal(error.to_string().into())
}

impl Hasher {
    async fn place(&self) -> Result<OwnedSemaphorePermit> {
        match tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // Who waits too long is told to come back.
            Ok(Err(_)) | Err(_) => {
                Err(Error::TooMany("Too many passwords are being checked at the moment. Try again in a minute.".into()))
            }
        }
    }

    /// Waits for a place, then works where it holds up no other request.
    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let place = self.place().await?;
        // The place goes with the work: a client that gives up waiting doesn't free it before its end.
        let worked = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        worked.await.map_err(failed)?
    }

    /// The hash to keep, in PHC form.
    ///
    /// # Errors
    /// `TooMany` when the server is busy with others for too long.
    pub(crate) async fn hash(&self, password: &Password, salt: [u8; 16]) -> Result<String> {
        let password = password.clone();
        self.compute(move || {
            let hash = argon2()?.hash_password_with_salt(password.reveal().as_bytes(), &salt).map_err(failed)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether the password is the one of the hash. Without a hash it isn't, after the same work: the time doesn't tell whether
    /// there is one.
    ///
    /// # Errors
    /// As [`Hasher::hash`].
    pub(crate) async fn matches(&self, password: &Password, hash: Option<&str>) -> Result<bool> {
        let (password, hash) = (password.clone(), hash.map(str::to_owned));
        self.compute(move || match hash {
            Some(hash) => Ok(argon2()?.verify_password(password.reveal().as_bytes(), hash.as_str()).is_ok()),
            None => {
                argon2()?.hash_password_with_salt(password.reveal().as_bytes(), &NO_SALT).map_err(failed)?;
                Ok(false)
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_of_one_password_and_says_how_it_was_made() {
        let hasher = Hasher::default();
        let right = Password::parse("correct horse battery").unwrap();
        let kept = hasher.hash(&right, [7; 16]).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(hasher.matches(&right, Some(&kept)).await.unwrap());
        assert!(!hasher.matches(&Password::parse("correct horse batterx").unwrap(), Some(&kept)).await.unwrap());
        assert!(!hasher.matches(&right, None).await.unwrap());
        assert_ne!(hasher.hash(&right, [8; 16]).await.unwrap(), kept);
    }
}
