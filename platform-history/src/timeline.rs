//! The changes of one entity, newest first, as keyset pages.

use std::fmt;
use std::str::FromStr;

use platform_core::{Error, Store, TenantId};

use crate::entries::{self, Of};
use crate::entry::Entry;

/// The most entries of one page.
const LIMIT_MAX: u32 = 200;

/// The remembered changes of one entity, newest first: the highest version of the latest incarnation leads.
#[derive(Debug, Clone)]
pub struct Timeline {
    store: Store,
    tenant: TenantId,
    kind: String,
    id: String,
}

/// Some entries of a [`Timeline`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// Where the next page begins; nothing on the last page.
    pub next: Option<Cursor>,
}

/// A place in a [`Timeline`]. Its text form (`0.17`) may travel in a link; a cursor stays good while newer
/// changes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    incarnation: i64,
    version: i64,
}

impl Timeline {
    /// Names the entity.
    pub fn of(store: &Store, tenant: &TenantId, kind: &str, id: &str) -> Self {
        Self {
            store: store.clone(),
            tenant: tenant.clone(),
            kind: kind.to_owned(),
            id: id.to_owned(),
        }
    }

    /// Reads the newest `limit` entries (1 to 200), or those that follow after `after`.
    ///
    /// # Errors
    /// The store's.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn page(&self, after: Option<Cursor>, limit: u32) -> Result<Page, Error> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let of = Of {
            tenant: &self.tenant,
            kind: &self.kind,
            id: &self.id,
        };
        let before = after.map(|cursor| (cursor.incarnation, cursor.version));
        // One more tells whether there is a next page.
        let mut entries = entries::page(&self.store, &of, before, limit + 1).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = entries.len() > most;
        entries.truncate(most);
        let next = entries.last().filter(|_| has_more).map(Cursor::at);
        Ok(Page { entries, next })
    }
}

impl Cursor {
    fn at(entry: &Entry) -> Self {
        // Both were read from signed columns.
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            incarnation: signed(entry.incarnation),
            version: signed(entry.version),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.version)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = |number: &str| number.parse::<i64>().ok();
        let parts = text
            .split_once('.')
            .and_then(|(a, b)| parse(a).zip(parse(b)));
        let (incarnation, version) = parts.ok_or_else(|| {
            Error::invalid(format!(
                "{text:?} is no cursor; pass the `next` of a page unchanged"
            ))
        })?;
        Ok(Self {
            incarnation,
            version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_and_its_text_convert_both_ways() {
        let cursor: Cursor = "2.17".parse().unwrap();
        assert_eq!(
            (
                cursor.incarnation,
                cursor.version,
                cursor.to_string().as_str()
            ),
            (2, 17, "2.17")
        );
        for text in ["", "2", "2.", "a.b", "2.17.3"] {
            assert!(
                text.parse::<Cursor>()
                    .unwrap_err()
                    .to_string()
                    .contains("no cursor"),
                "{text}"
            );
        }
    }
}
