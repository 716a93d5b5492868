//! Versions whose time is over end by themselves (rule 35). What must not live here: what becomes of their bytes (`garbage`), and
//! when this runs (the server's).

use chrono::{DateTime, Utc};
use regalia_store::audit::Origin;
use regalia_store::ending::{self, Which};
use regalia_store::expiry;

use crate::changes::protected;
use crate::collections::own;
use crate::{Result, Service};

/// What stands in the event of a version that expired.
const REASON: &str = "expired";

impl Service {
    /// Ends all versions whose time is over, and says how many: as a deletion with their aliases would, but that nobody did it. One
    /// that is linked into a registry stays. `now` is the database's time, by which a version's creation is known too, so that a server whose
    /// own clock is wrong ends nothing early.
    ///
    /// Any number of servers may do it at once, and each may die at any moment: a batch is one transaction, and who holds a
    /// collection's lock ends what is due in it. Collections that somebody is at work on are left to the next time.
    ///
    /// # Errors
    /// Of the database; the batches before are done then.
    pub async fn expire(&self, now: DateTime<Utc>) -> Result<usize> {
        let (mut ended, mut busy) = (0, Vec::new());
        loop {
            let mut tx = self.begin().await?;
            let Some(due) = expiry::due(&mut tx, now, &busy).await? else { return Ok(ended) };
            let (locked, batch) = match expiry::lock(&mut tx, due, now).await? {
                Some((locked, batch)) if !batch.is_empty() => (locked, batch),
                // Somebody is at work there, or was a moment ago.
                _ => {
                    busy.push(due.collection.0);
                    continue;
                }
            };
            let source = own(&locked, due.collection)?;
            let (origin, which) = (Origin { actor: None, request: self.random_uuid() }, Which::These(&batch));
            ending::end(&mut tx, origin, due.organization, source, which, &locked, Some(REASON)).await.map_err(protected)?;
            regalia_store::commit(tx).await?;
            ended += batch.len();
            tracing::info!(request = %origin.request, collection = due.collection.0, versions = batch.len(), "expired");
        }
    }
}
