//! Signed URLs of ours: narrow (method, target, actor, purpose, expiry), good on every server of the installation and after
//! a restart, and never enough alone: whoever serves one authorizes the actor again. What must not live here: routes.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use regalia_domain::ids::UserId;
use regalia_store::installation::SigningKey;

/// How long an upload URL is good: uploads of thousands of files queue behind each other.
pub const UPLOAD_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// How long a download URL is good.
pub const DOWNLOAD_LIFETIME: TimeDelta = TimeDelta::hours(6);

/// What a URL lets its bearer do. The text is part of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// PUT the bytes of one announced file.
    Upload,
    /// GET one file of a version by way of one membership.
    Download,
    /// GET a version's manifest.
    Manifest,
    /// GET one file of a run.
    RunFile,
}

impl Purpose {
    fn text(self) -> &'static str {
        match self {
            Self::Upload => "PUT upload",
            Self::Download => "GET file",
            Self::Manifest => "GET manifest",
            Self::RunFile => "GET run file",
        }
    }
}

/// What stands in a URL's query beside its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// In whose name it is used.
    pub actor: UserId,
    /// Until when, in seconds since 1970.
    pub expires: i64,
    /// Which key signed it.
    pub key: i64,
    /// Hexadecimal HMAC-SHA-256.
    pub code: String,
}

impl Signature {
    /// As a query string.
    #[must_use]
    pub fn query(&self) -> String {
        format!("actor={}&expires={}&key={}&signature={}", self.actor, self.expires, self.key, self.code)
    }
}

/// Why a signature opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Not made by this installation for this target, or altered.
    Altered,
    /// It was good once.
    Expired,
}

/// Signs and verifies. The keys are the database's.
#[derive(Clone)]
pub struct Signer {
    keys: Vec<SigningKey>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("keys", &self.keys.len()).finish()
    }
}

impl Signer {
    /// `keys`: newest first; the newest signs, all verify.
    #[must_use]
    pub fn new(keys: Vec<SigningKey>) -> Self {
        Self { keys }
    }

    /// Signs a target, such as an upload's number.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, target: &str, actor: UserId, expires: DateTime<Utc>) -> Signature {
        let expires = expires.timestamp();
        let key = self.keys.first();
        let code =
            key.map(|key| hex::encode(mac(key, purpose, target, actor, expires).finalize().into_bytes())).unwrap_or_default();
        Signature { actor, expires, key: key.map_or(0, |key| key.id), code }
    }

    /// Whether a signature is ours, for this target and purpose, and not yet expired.
    ///
    /// # Errors
    /// As [`Refused`].
    pub fn verify(&self, purpose: Purpose, target: &str, signature: &Signature, now: DateTime<Utc>) -> Result<(), Refused> {
        let key = self.keys.iter().find(|key| key.id == signature.key).ok_or(Refused::Altered)?;
        let code = hex::decode(&signature.code).map_err(|_| Refused::Altered)?;
        // Compares in constant time.
        mac(key, purpose, target, signature.actor, signature.expires).verify_slice(&code).map_err(|_| Refused::Altered)?;
        if signature.expires < now.timestamp() { Err(Refused::Expired) } else { Ok(()) }
    }
}

fn mac(key: &SigningKey, purpose: Purpose, target: &str, actor: UserId, expires: i64) -> Hmac<sha2::Sha256> {
    #[allow(clippy::expect_used)] // HMAC takes keys of any length.
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key.secret).expect("HMAC takes keys of any length");
    mac.update(format!("{}\n{target}\n{actor}\n{expires}", purpose.text()).as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::new(vec![SigningKey { id: 2, secret: vec![7; 32] }, SigningKey { id: 1, secret: vec![9; 32] }])
    }

    #[test]
    fn a_signature_is_good_for_its_purpose_target_actor_and_time_alone() {
        let signer = signer();
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let good = signer.sign(Purpose::Upload, "a", UserId(1), now + UPLOAD_LIFETIME);
        assert_eq!(signer.verify(Purpose::Upload, "a", &good, now), Ok(()));
        assert_eq!(signer.verify(Purpose::Download, "a", &good, now), Err(Refused::Altered));
        assert_eq!(signer.verify(Purpose::Upload, "b", &good, now), Err(Refused::Altered));
        assert_eq!(
            signer.verify(Purpose::Upload, "a", &Signature { actor: UserId(2), ..good.clone() }, now),
            Err(Refused::Altered)
        );
        assert_eq!(
            signer.verify(Purpose::Upload, "a", &Signature { expires: good.expires + 1, ..good.clone() }, now),
            Err(Refused::Altered)
        );
        assert_eq!(signer.verify(Purpose::Upload, "a", &Signature { key: 1, ..good.clone() }, now), Err(Refused::Altered));
        assert_eq!(
            signer.verify(Purpose::Upload, "a", &Signature { code: "zz".into(), ..good.clone() }, now),
            Err(Refused::Altered)
        );
        let later = now + UPLOAD_LIFETIME + TimeDelta::seconds(1);
        assert_eq!(signer.verify(Purpose::Upload, "a", &good, later), Err(Refused::Expired));
    }

    #[test]
    fn an_older_key_still_verifies() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let old = Signer::new(vec![SigningKey { id: 1, secret: vec![9; 32] }]).sign(Purpose::Manifest, "1", UserId(1), now);
        assert_eq!(signer().verify(Purpose::Manifest, "1", &old, now), Ok(()));
    }
}
