//! What a request really brings, of what `prices` could only guess: rows of lists without pages, and bytes of long texts. What
//! must not live here: what a document asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::Pos;
use regalia_service::{Error, Result};

use crate::limits::{ANSWER_BYTES, ARGUMENT_BYTES, COST, LOADED_BYTES};
use crate::prices::Counted;

/// What one request may still bring. Clones are the same.
#[derive(Debug, Clone)]
pub struct Meter(Arc<Left>);

#[derive(Debug)]
struct Left {
    values: AtomicUsize,
    arguments: AtomicUsize,
    bytes: AtomicUsize,
    lists: Counted,
}

impl Meter {
    pub(crate) fn new(lists: Counted) -> Self {
        let [values, arguments, bytes] = [COST, ARGUMENT_BYTES, ANSWER_BYTES].map(AtomicUsize::new);
        Self(Arc::new(Left { values, arguments, bytes, lists }))
    }

    /// Counts the rows that a list at this place of the document brings, with all that is asked of them.
    ///
    /// # Errors
    /// `TooLarge` when they are too many.
    pub(crate) fn rows(&self, at: Pos, rows: usize) -> Result<()> {
        let Some(price) = self.0.lists.get(&at) else { return Ok(()) };
        let more = rows.saturating_sub(price.rows);
        take(&self.0.arguments, more.saturating_mul(price.bytes)).ok_or_else(|| Error::TooLarge(long_arguments()))?;
        take(&self.0.values, more.saturating_mul(price.cost)).ok_or_else(|| {
            Error::TooLarge(format!(
                "The document asks for too much: its lists without pages bring more than {COST} values beyond the expected. \
                 Ask for \
                 less in one request, with a smaller `first` above them or fewer fields below."
            ))
        })
    }

    /// Counts a text of the answer.
    ///
    /// # Errors
    /// `TooLarge` when all of them together are too long.
    pub(crate) fn bytes(&self, bytes: usize) -> Result<()> {
        take(&self.0.bytes, bytes).ok_or_else(|| {
            Error::TooLarge(format!(
                "The answer is too large: its texts have more than {ANSWER_BYTES} bytes. Ask for less in one request, with \
                 a smaller \
                 `first` or fewer fields."
            ))
        })
    }
}

/// How many bytes of what is only read when it is asked for, such as metadata, a request may still read. Unlike [`Meter`], which
/// counts what stands in the answer, it is asked before anything is in memory.
#[derive(Debug)]
pub struct Room(AtomicUsize);

impl Default for Room {
    fn default() -> Self {
        Self(AtomicUsize::new(LOADED_BYTES))
    }
}

impl Room {
    /// What is left.
    pub(crate) fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts what was read.
    pub(crate) fn fill(&self, bytes: usize) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(bytes)));
    }
}

/// The sentence for arguments that are too long together.
pub(crate) fn long_arguments() -> String {
    format!(
        "The arguments are too long: more than {ARGUMENT_BYTES} bytes, counted for each row above them. Ask for less in one \
         request, with a smaller `first` or shorter arguments."
    )
}

fn take(left: &AtomicUsize, much: usize) -> Option<()> {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(much)).ok().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::ListPrice;

    #[test]
    fn what_is_paid_for_is_free_and_the_rest_is_bounded() {
        let at = Pos { line: 1, column: 9 };
        let meter = Meter::new([(at, ListPrice { rows: 10, cost: 100, bytes: 0 })].into());
        assert!(meter.rows(Pos { line: 2, column: 1 }, usize::MAX).is_ok(), "not a counted list");
        for _ in 0..1000 {
            assert!(meter.rows(at, 10).is_ok());
        }
        assert!(meter.rows(at, 10 + COST / 100 - 1).is_ok());
        assert!(meter.rows(at, 11).is_ok());
        assert!(meter.rows(at, 11).is_err());
        assert!(meter.rows(at, usize::MAX).is_err());
        assert!(meter.rows(at, 10).is_ok());
        assert!(meter.bytes(ANSWER_BYTES).is_ok());
        assert!(meter.bytes(1).is_err());
    }

    #[test]
    fn arguments_below_the_rows_are_bounded_too() {
        let at = Pos { line: 1, column: 9 };
        let meter = Meter::new([(at, ListPrice { rows: 10, cost: 1, bytes: ARGUMENT_BYTES / 2 })].into());
        assert!(meter.rows(at, 12).is_ok());
        assert!(meter.rows(at, 11).is_err_and(|error| error.to_string().contains("arguments are too long")));
        assert!(meter.rows(at, 10).is_ok());
    }
}
