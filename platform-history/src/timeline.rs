//! The changes of one entity, newest first, as keyset pages.

use platform_core::{Cursor, Error, Page, Store, TenantId};

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
    /// When `after` is no cursor of a timeline; the store's.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn page(&self, after: Option<&Cursor>, limit: u32) -> Result<Page<Entry>, Error> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let of = Of {
            tenant: &self.tenant,
            kind: &self.kind,
            id: &self.id,
        };
        let before = after.map(place).transpose()?;
        let entries = entries::page(&self.store, &of, before, limit + 1).await?;
        Ok(Page::of(entries, limit, |entry| {
            Cursor::of([&entry.incarnation, &entry.version])
        }))
    }
}

/// The incarnation and version where a page ended.
fn place(cursor: &Cursor) -> Result<(i64, i64), Error> {
    let [incarnation, version] = cursor.parts()?;
    Ok((cursor.part(incarnation)?, cursor.part(version)?))
}
