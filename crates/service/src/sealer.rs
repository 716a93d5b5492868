//! Sealing audit events: one batch at a time, by whichever server comes first. What must not live here: when (`server/sealer.rs`),
//! and what is hashed (the domain crate).

use regalia_domain::chain::End;
use regalia_store::{Error as StoreError, chain};

use crate::{Result, Service};

/// How many events are sealed in one transaction: a batch of usual events takes tens of milliseconds.
const BATCH: i64 = 2000;

/// How far sealing got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// All that there was.
    Done,
    /// Another server is at it.
    Elsewhere,
    /// What is left is of chains behind whose ends something else stands.
    Stuck,
}

impl Service {
    /// Seals what isn't sealed, batch by batch, and returns the new end of each chain that grew, in order. An idle call costs one
    /// statement.
    ///
    /// # Errors
    /// Of PostgreSQL alone, and when somebody changes events by hand at the same moment. What was sealed before stays sealed.
    pub async fn seal(&self, mut grown: impl FnMut(End)) -> Result<Sealing> {
        loop {
            if !chain::unsealed(&mut *self.store.read().await?).await? {
                return Ok(Sealing::Done);
            }
            let mut tx = self.begin().await?;
            let sealed = match chain::seal(&mut tx, BATCH).await {
                // Not what a client sent: whatever stands in the way is in the table.
                Err(error @ (StoreError::Exists | StoreError::Invalid)) => return Err(crate::Error::Internal(Box::new(error))),
                sealed => sealed?,
            };
            let Some((count, ends)) = sealed else { return Ok(Sealing::Elsewhere) };
            regalia_store::commit(tx).await?;
            if count == 0 {
                return Ok(Sealing::Stuck);
            }
            ends.into_iter().for_each(&mut grown);
        }
    }

    /// The end of each chain.
    ///
    /// # Errors
    /// Of PostgreSQL alone.
    pub async fn chain_ends(&self) -> Result<Vec<End>> {
        Ok(chain::ends(&mut *self.store.read().await?).await?)
    }
}
