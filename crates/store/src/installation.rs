//! What belongs to the installation as a whole: the keys that sign URLs. In the database, so that they survive a restart
//! and every server knows them.

use crate::{Result, Tx};

/// A key that signs URLs.
#[derive(Clone)]
pub struct SigningKey {
    /// Names the key in a URL.
    pub id: i64,
    /// 32 random bytes.
    pub secret: Vec<u8>,
}

/// All signing keys, newest first; the first start makes one from the given random bytes.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn signing_keys(tx: &mut Tx, random: [u8; 32]) -> Result<Vec<SigningKey>> {
    sqlx::query!("-- installation::signing_keys_lock\nlock table signing_keys in share row exclusive mode")
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "-- installation::signing_keys_first
        insert into signing_keys (secret) select $1 where not exists (select 1 from signing_keys)",
        &random[..]
    )
    .execute(&mut **tx)
    .await?;
    Ok(sqlx::query_as!(SigningKey, "-- installation::signing_keys\nselect id, secret from signing_keys order by id desc")
        .fetch_all(&mut **tx)
        .await?)
}
