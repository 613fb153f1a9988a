//! Lists in pages: the next page begins after a key, never at a number of rows.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Some rows of a list, and where the next ones begin.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page<T> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; nothing on the last page.
    pub next: Option<Cursor>,
}

/// A place in a list. Its text form may travel in a link, and it stays good while the list changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

/// Separates the parts of a cursor; no part may contain it.
const SEPARATOR: char = '.';

impl<T> Page<T> {
    /// Makes a page of rows whose end is known.
    pub fn new(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self { items, next }
    }

    /// Makes a page of at most `limit` rows from a list that was asked for one row more: the additional row
    /// only tells that there is a next page.
    pub fn of(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> Cursor) -> Self {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| has_more).map(cursor);
        Self { items: rows, next }
    }
}

impl Cursor {
    /// Makes a cursor of the key of a row. No part may contain a full stop.
    pub fn of<const N: usize>(parts: [&dyn fmt::Display; N]) -> Self {
        let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
        Self(parts.join(&SEPARATOR.to_string()))
    }

    /// Takes the cursor apart again.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when it is none of a list whose keys have `N` parts.
    pub fn parts<const N: usize>(&self) -> Result<[&str; N], Error> {
        let parts: Vec<&str> = self.0.split(SEPARATOR).collect();
        parts.try_into().map_err(|_| self.refused())
    }

    /// Reads one part of a cursor.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when the part is no `T`.
    pub fn part<T: FromStr>(&self, part: &str) -> Result<T, Error> {
        part.parse().map_err(|_| self.refused())
    }

    fn refused(&self) -> Error {
        Error::invalid(format!(
            "{:?} is no cursor of this list; pass the `next` of a page unchanged",
            self.0
        ))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Cursor {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_as_text() {
        let cursor = Cursor::of([&2_i64, &"key"]);
        let read = Cursor::from(cursor.to_string().as_str());
        let [number, key] = read.parts().unwrap();
        assert_eq!((read.part::<i64>(number).unwrap(), key), (2, "key"));
    }

    #[test]
    fn what_is_no_cursor_of_the_list_is_refused() {
        for text in ["", "2", "2.", "a.b", "2.17.3"] {
            let cursor = Cursor::from(text);
            let read = cursor.parts::<2>().and_then(|parts| {
                parts
                    .map(|part| cursor.part::<i64>(part))
                    .into_iter()
                    .collect::<Result<Vec<_>, _>>()
            });
            assert!(
                read.unwrap_err().to_string().contains("no cursor"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_additional_row_only_tells_that_there_is_more() {
        let page = |rows: Vec<i64>| Page::of(rows, 2, |row| Cursor::of([row]));
        assert_eq!(page(vec![1, 2, 3]).items, [1, 2]);
        assert_eq!(page(vec![1, 2, 3]).next, Some(Cursor::from("2")));
        assert_eq!(page(vec![1, 2]).next, None);
        assert_eq!(page(vec![]).next, None);
    }
}
