//! Versions whose time is over end by themselves (rule 35). What must not live here: what becomes of their bytes (`garbage`), and
//! when this runs (the server's).

use chrono::{DateTime, Utc};
use regalia_store::audit::Origin;
use regalia_store::ending::{self, Which};
use regalia_store::{collections, expiry};

use crate::changes::protected;
use crate::{Result, Service};

/// What stands in the event of a version that expired.
const REASON: &str = "expired";

impl Service {
    /// Ends all versions whose time is over, and says how many: as a deletion with their aliases would, but that nobody did it. One
    /// that is linked stays. `now` is the database's time, by which a version's creation is known too, so that a server whose
    /// own clock is wrong ends nothing early.
    ///
    /// Any number of servers may do it at once, and each may die at any moment: a batch is one transaction, and who holds a
    /// collection's lock ends what is due in it. What another one is at work on is left to it, or to the next time.
    ///
    /// # Errors
    /// Of the database; the batches before are done then.
    pub async fn expire(&self, now: DateTime<Utc>) -> Result<usize> {
        let mut ended = 0;
        loop {
            let mut tx = self.begin().await?;
            let Some((source, organization)) = collections::lock_expiring(&mut tx, now).await? else { return Ok(ended) };
            let due = expiry::lock(&mut tx, &source, now).await?;
            if due.is_empty() {
                // What was due has been linked, changed or deleted a moment ago.
                continue;
            }
            let origin = Origin { actor: None, request: self.random_uuid() };
            let own = std::slice::from_ref(&source);
            ending::end(&mut tx, origin, organization, &source, Which::These(&due), own, Some(REASON))
                .await
                .map_err(protected)?;
            regalia_store::commit(tx).await?;
            ended += due.len();
            tracing::info!(request = %origin.request, collection = source.id().0, versions = due.len(), "expired");
        }
    }
}
