//! Pages of lists that are ordered by one key: arguments in, a Relay connection out.

use async_graphql::connection::{Connection, Edge, EmptyFields, OpaqueCursor};
use async_graphql::{OutputType, connection::CursorType as _};
use regalia_service::{Error, Page};

use crate::error::Fail as _;

/// How many rows a page has at most, files of the W&B side apart.
pub(crate) const MOST: i32 = Page::MOST as i32;

/// Reads `first` and `after`.
pub(crate) fn page(first: Option<i32>, after: Option<&str>) -> async_graphql::Result<Page> {
    let first = i64::from(first.unwrap_or(Page::DEFAULT as i32));
    if !(0..=Page::MOST).contains(&first) {
        return Err(Error::Invalid(format!("`first` is {first}; it must be from 0 to {}.", Page::MOST))).fail();
    }
    let after = match after {
        None | Some("") => String::new(),
        // No key has a NUL, and PostgreSQL would refuse all pages that are asked for with it.
        Some(cursor) => match OpaqueCursor::<String>::decode_cursor(cursor) {
            Ok(OpaqueCursor(key)) if !key.contains('\0') => key,
            _ => return no_cursor(),
        },
    };
    Ok(Page { after, first })
}

/// What the W&B side takes for `first`. Its users choose it, its clients follow `hasNextPage`, and older ones repeat for minutes what
/// is refused: so of a page that is too long they get as much as there may be.
pub(crate) fn shortened(first: Option<i32>) -> Option<i32> {
    first.map(|first| first.min(MOST))
}

/// Reads `first` and `after` of a list that is ordered by a number.
pub(crate) fn numbered(first: Option<i32>, after: Option<&str>) -> async_graphql::Result<Page> {
    let page = page(first, after)?;
    if page.after.is_empty() || page.after.parse::<i64>().is_ok() { Ok(page) } else { no_cursor() }
}

fn no_cursor<T>() -> async_graphql::Result<T> {
    Err(Error::Invalid("`after` is not a cursor of this list. Use the `endCursor` of the page before.".into())).fail()
}

/// The page to ask the service for: one row more than wanted, to know whether there are more.
pub(crate) fn probe(page: &Page) -> Page {
    Page { after: page.after.clone(), first: page.first + 1 }
}

/// Makes a connection of the rows that [`probe`] brought.
pub(crate) fn connection<R, T: OutputType>(
    page: &Page,
    mut rows: Vec<R>,
    key: impl Fn(&R) -> String,
    node: impl Fn(R) -> T,
) -> Connection<OpaqueCursor<String>, T, EmptyFields, EmptyFields> {
    let wanted = usize::try_from(page.first).unwrap_or(0);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let mut connection = Connection::new(!page.after.is_empty(), more);
    connection.edges.extend(rows.into_iter().map(|row| Edge::new(OpaqueCursor(key(&row)), node(row))));
    connection
}
