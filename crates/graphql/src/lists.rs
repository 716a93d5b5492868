//! The part of a filtered list that a client asked for, as both sides of the schema read and answer it. What must not live here:
//! how either side writes filters and orders (`native/lists.rs`, `wandb/lists.rs`).

use async_graphql::connection::{CursorType as _, OpaqueCursor};
use regalia_domain::orders::{Order, OrderKey, Position};
use regalia_service::lists::LARGEST_PAGE;
use regalia_service::store::lists::Part;
use regalia_service::{Error, Page};

use crate::error::{Fail as _, Parsed as _};

/// The part of a list that a client asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wanted<K> {
    order: Order<K>,
    after: Option<Position>,
    first: i64,
}

impl<K: OrderKey> Wanted<K> {
    /// Reads `first` and `after` under an order.
    pub(crate) fn read(first: Option<i32>, after: Option<&str>, order: Order<K>) -> async_graphql::Result<Self> {
        let first = first.map_or(Page::DEFAULT, i64::from);
        if !(0..=LARGEST_PAGE).contains(&first) {
            return Err(Error::Invalid(format!("`first` is {first}; it must be from 0 to {LARGEST_PAGE}."))).fail();
        }
        let after = match after {
            None | Some("") => None,
            Some(cursor) => {
                // What isn't even opaque is answered as what isn't of this list.
                let text = OpaqueCursor::<String>::decode_cursor(cursor).map_or_else(|_| cursor.to_owned(), |cursor| cursor.0);
                Some(order.read_position(&text).parsed()?)
            }
        };
        Ok(Self { order, after, first })
    }

    /// Whether it begins behind another part.
    pub(crate) fn continues(&self) -> bool {
        self.after.is_some()
    }

    /// The part, with one row more to know whether there are more.
    pub(crate) fn part(&self) -> Part<'_, K> {
        Part { order: self.order, after: self.after.as_ref(), first: self.first + 1 }
    }

    /// Leaves what was wanted of what [`Wanted::part`] brought, and says whether there is more.
    pub(crate) fn cut<R>(&self, rows: &mut Vec<R>) -> bool {
        let wanted = usize::try_from(self.first).unwrap_or(0);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        more
    }
}
