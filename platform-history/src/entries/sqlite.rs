//! Entries on SQLite: one statement a row, prepared once, within one write transaction.

use platform_core::{Error, Tx};

use super::stored;
use crate::entry::Entry;

pub(super) async fn insert(tx: &mut Tx, entries: &[Entry]) -> Result<(), Error> {
    for entry in entries {
        tx.query(INSERT)
            .bind(entry.id)
            .bind(&entry.tenant)
            .bind(&entry.key)
            .bind(&entry.correlation_id)
            .bind(entry.causation_id.clone())
            .bind(entry.occurred_at)
            .bind(entry.recorded_at)
            .bind(&entry.event_id)
            .bind(&entry.event_type)
            .bind(&entry.entity_kind)
            .bind(&entry.entity_id)
            .bind(stored(entry.incarnation)?)
            .bind(stored(entry.version)?)
            .bind(entry.previous_version.map(stored).transpose()?)
            .bind(entry.actor.clone())
            .bind(entry.on_behalf_of.clone())
            .bind(entry.reason.clone())
            .bind(entry.changes_json()?)
            .execute()
            .await?;
    }
    Ok(())
}

const INSERT: &str = "insert into platform_entry (id, tenant, key, correlation_id, causation_id,
        occurred_at, recorded_at, event_id, event_type, entity_kind, entity_id, incarnation, version,
        previous_version, actor, on_behalf_of, reason, changes)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    on conflict (id) do nothing";
