//! Versions whose time is over end by themselves (rule 35). What must not live here: what becomes of their bytes (`garbage`), and
//! when this runs (the server's).

use chrono::{DateTime, Utc};
use regalia_store::Tx;
use regalia_store::audit::Origin;
use regalia_store::ending::{self, Which};
use regalia_store::expiry::{self, Due};

use crate::changes::protected;
use crate::collections::own;
use crate::{Result, Service};

/// What stands in the event of a version that expired.
const REASON: &str = "expired";

impl Service {
    /// Ends all versions whose time is over, and says how many: as a deletion with their aliases would, but that nobody did it. One
    /// that is linked into a registry stays. `now` is the database's time, by which a version's creation is known too, so that a
    /// server whose own clock is wrong ends nothing early.
    ///
    /// Any number of servers may do it at once, and each may die at any moment: a batch is one transaction, and who holds a
    /// collection's lock ends what is due in it. Collections that somebody is at work on are left to the next time.
    ///
    /// # Errors
    /// Of the database: the first that a collection met. What is due in the others has ended then.
    pub async fn expire(&self, now: DateTime<Utc>) -> Result<usize> {
        let (mut ended, mut passed_over, mut failed) = (0, Vec::new(), None);
        loop {
            let mut tx = self.begin().await?;
            let Some(due) = expiry::due(&mut tx, now, &passed_over).await? else { break };
            match self.expire_batch(tx, due, now).await {
                // Somebody is at work there, or was a moment ago.
                Ok(0) => passed_over.push(due.collection.0),
                Ok(versions) => ended += versions,
                Err(error) => {
                    tracing::warn!(?error, collection = due.collection.0, "versions whose time is over could not be ended");
                    failed.get_or_insert(error);
                    passed_over.push(due.collection.0);
                }
            }
        }
        failed.map_or(Ok(ended), Err)
    }

    /// Ends a batch of what is due in a collection, and says how many.
    async fn expire_batch(&self, mut tx: Tx, due: Due, now: DateTime<Utc>) -> Result<usize> {
        let Some((locked, batch)) = expiry::lock(&mut tx, due, now).await? else { return Ok(0) };
        if batch.is_empty() {
            return Ok(0);
        }
        let source = own(&locked, due.collection)?;
        let (origin, which) = (Origin { actor: None, request: self.random_uuid() }, Which::These(&batch));
        ending::end(&mut tx, origin, due.organization, source, which, &locked, Some(REASON)).await.map_err(protected)?;
        regalia_store::commit(tx).await?;
        tracing::info!(request = %origin.request, collection = due.collection.0, versions = batch.len(), "expired");
        Ok(batch.len())
    }
}
