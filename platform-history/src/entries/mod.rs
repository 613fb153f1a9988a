//! Where entries are kept: inserted in bulk by the history, read as pages by a timeline.
//!
//! Inserting an entry whose id is there changes nothing; another entry for the same version of the entity is a
//! duplicate, which is an error. The two files beside this one hold the same functions in the same order.

mod postgres;
mod sqlite;

use platform_core::store::{Dialect, Row};
use platform_core::{Error, ErrorKind, Store, TenantId, Tx};

use crate::entry::Entry;

/// The most rows of one statement.
const ROWS_MAX: usize = 200;

/// Which entity's entries are read.
#[derive(Debug, Clone)]
pub(crate) struct Of<'t> {
    pub(crate) tenant: &'t TenantId,
    pub(crate) kind: &'t str,
    pub(crate) id: &'t str,
}

/// Inserts what is not there yet.
pub(crate) async fn insert(tx: &mut Tx, entries: &[Entry]) -> Result<(), Error> {
    for entries in entries.chunks(ROWS_MAX) {
        match tx.dialect() {
            Dialect::Sqlite => sqlite::insert(tx, entries).await?,
            Dialect::Postgres => postgres::insert(tx, entries).await?,
        }
    }
    Ok(())
}

/// Reads the newest entries of an entity, or those before `(incarnation, version)`, newest first.
pub(crate) async fn page(
    store: &Store,
    of: &Of<'_>,
    before: Option<(i64, i64)>,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let query = store.query(if before.is_some() { BEFORE } else { NEWEST });
    let mut query = query.bind(of.tenant).bind(of.kind).bind(of.id).bind(limit);
    if let Some((incarnation, version)) = before {
        query = query.bind(incarnation).bind(version);
    }
    query.fetch_all().await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<Entry, Error> {
    let changes: String = row.get("changes")?;
    Ok(Entry {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        key: row.get("key")?,
        correlation_id: row.get("correlation_id")?,
        causation_id: row.get("causation_id")?,
        occurred_at: row.get("occurred_at")?,
        recorded_at: row.get("recorded_at")?,
        event_id: row.get("event_id")?,
        event_type: row.get("event_type")?,
        entity_kind: row.get("entity_kind")?,
        entity_id: row.get("entity_id")?,
        incarnation: count(row.get("incarnation")?)?,
        version: count(row.get("version")?)?,
        previous_version: row
            .get::<Option<i64>>("previous_version")?
            .map(count)
            .transpose()?,
        actor: row.get("actor")?,
        on_behalf_of: row.get("on_behalf_of")?,
        reason: row.get("reason")?,
        changes: serde_json::from_str(&changes).map_err(|error| damaged().with_source(error))?,
    })
}

fn count(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|error| damaged().with_source(error))
}

fn damaged() -> Error {
    Error::new(
        ErrorKind::Schema,
        "a row of platform_entry was not written by this library",
    )
}

/// Versions are bounded when a change is built; a received one may still be too great to keep.
fn stored(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| {
        Error::invalid(format!(
            "the version or incarnation {number} is above 2^63 - 1"
        ))
    })
}

const NEWEST: &str =
    "select id, tenant, key, correlation_id, causation_id, occurred_at, recorded_at,
        event_id, event_type, entity_kind, entity_id, incarnation, version, previous_version, actor,
        on_behalf_of, reason, changes
    from platform_entry where tenant = $1 and entity_kind = $2 and entity_id = $3
    order by incarnation desc, version desc limit $4";
const BEFORE: &str =
    "select id, tenant, key, correlation_id, causation_id, occurred_at, recorded_at,
        event_id, event_type, entity_kind, entity_id, incarnation, version, previous_version, actor,
        on_behalf_of, reason, changes
    from platform_entry where tenant = $1 and entity_kind = $2 and entity_id = $3
        and (incarnation, version) < ($5, $6)
    order by incarnation desc, version desc limit $4";
