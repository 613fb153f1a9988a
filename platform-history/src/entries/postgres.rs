//! Entries on PostgreSQL: all rows in one statement, as a JSON recordset.

use chrono::{DateTime, SecondsFormat, Utc};
use platform_core::{Error, Tx};
use serde::Serialize;

use super::stored;
use crate::entry::Entry;

pub(super) async fn insert(tx: &mut Tx, entries: &[Entry]) -> Result<(), Error> {
    let rows = entries
        .iter()
        .map(Row::of)
        .collect::<Result<Vec<_>, Error>>()?;
    let rows = serde_json::to_string(&rows)
        .map_err(|error| Error::invalid("an entry cannot be written").with_source(error))?;
    tx.query(INSERT).bind(rows).execute().await.map(drop)
}

/// One row of the recordset; the names are the columns'.
#[derive(Serialize)]
struct Row<'e> {
    id: String,
    tenant: &'e str,
    key: &'e str,
    correlation_id: &'e str,
    causation_id: Option<&'e str>,
    occurred_at: String,
    recorded_at: String,
    event_id: &'e str,
    event_type: &'e str,
    entity_kind: &'e str,
    entity_id: &'e str,
    incarnation: i64,
    version: i64,
    previous_version: Option<i64>,
    actor: Option<&'e str>,
    on_behalf_of: Option<&'e str>,
    reason: Option<&'e str>,
    changes: String,
}

impl<'e> Row<'e> {
    fn of(entry: &'e Entry) -> Result<Self, Error> {
        Ok(Self {
            id: entry.id.to_string(),
            tenant: entry.tenant.as_str(),
            key: &entry.key,
            correlation_id: &entry.correlation_id,
            causation_id: entry.causation_id.as_deref(),
            occurred_at: time(entry.occurred_at),
            recorded_at: time(entry.recorded_at),
            event_id: &entry.event_id,
            event_type: &entry.event_type,
            entity_kind: &entry.entity_kind,
            entity_id: &entry.entity_id,
            incarnation: stored(entry.incarnation)?,
            version: stored(entry.version)?,
            previous_version: entry.previous_version.map(stored).transpose()?,
            actor: entry.actor.as_deref(),
            on_behalf_of: entry.on_behalf_of.as_deref(),
            reason: entry.reason.as_deref(),
            changes: entry.changes_json()?,
        })
    }
}

/// Cut to the microsecond, since the server would round and SQLite does not.
fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

const INSERT: &str = "insert into platform_entry (id, tenant, key, correlation_id, causation_id,
        occurred_at, recorded_at, event_id, event_type, entity_kind, entity_id, incarnation, version,
        previous_version, actor, on_behalf_of, reason, changes)
    select id, tenant, key, correlation_id, causation_id, occurred_at, recorded_at, event_id, event_type,
        entity_kind, entity_id, incarnation, version, previous_version, actor, on_behalf_of, reason, changes
    from json_to_recordset($1::json) as entry (id uuid, tenant text, key text, correlation_id text,
        causation_id text, occurred_at timestamptz, recorded_at timestamptz, event_id text, event_type text,
        entity_kind text, entity_id text, incarnation bigint, version bigint, previous_version bigint,
        actor text, on_behalf_of text, reason text, changes text)
    on conflict (id) do nothing";
