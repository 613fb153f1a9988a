//! Whether every event of a stretch has the consequences that the rules ask for.

use std::collections::HashSet;
use std::fmt;

use platform_core::Key;
use serde::Serialize;

use super::received;
use crate::log::{LogRow, Position};
use crate::{Error, Service};

use super::why_not::WhyNot;

/// The most events that one call looks at.
const EVENTS_MAX: i64 = 1_000;

/// What an audit of a stretch of the log has found.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Audit {
    /// How many events were looked at.
    pub events: u64,
    /// How many rows of consequences they have, as they must.
    pub rows: u64,
    /// What is not as it must be.
    pub complaints: Vec<Complaint>,
    /// Where the next call goes on; nothing at the end of the stretch.
    pub next: Option<i64>,
}

/// A row that an event must have and has not, or the other way round. `Display` says it in a sentence.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "complaint", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Complaint {
    /// The rules ask for this row, and it is not there.
    Missing {
        /// The event's position.
        position: i64,
        /// What the row would be: `entry`, `notification`, `task`.
        kind: &'static str,
        /// Its id.
        id: Key,
        /// Why not, as far as the handler's own state tells.
        because: String,
    },
    /// No rule asks for this row, and it is there: of an earlier release, or too much.
    Unasked {
        /// The event's position.
        position: i64,
        /// What the row is.
        kind: &'static str,
        /// Its id.
        id: Key,
    },
    /// The rules cannot be asked about this event.
    Unreadable {
        /// The event's position.
        position: i64,
        /// Why not.
        reason: String,
    },
}

impl Service {
    /// Counts the consequences of the events from position `from` to `to` against the rules of this build: at most
    /// 1,000 events a call, `next` says where to go on.
    ///
    /// What is not handled yet, waits, is parked or was published before a consequence started is missing too, with
    /// that reason.
    ///
    /// # Errors
    /// The store's.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn audit(&self, from: i64, to: i64) -> Result<Audit, Error> {
        let query = self.store().query(STRETCH).bind(from).bind(to);
        let rows = query.bind(EVENTS_MAX).fetch_all().await?;
        let positions: Vec<Position> = rows
            .iter()
            .map(|row| row.get("seq"))
            .collect::<Result<_, _>>()?;
        let mut audit = Audit::default();
        for position in &positions {
            if let Some(row) = self.parts.log.at(*position).await? {
                audit.events += 1;
                self.audit_event(&row, &mut audit).await?;
            }
        }
        let is_full = i64::try_from(positions.len()).is_ok_and(|count| count == EVENTS_MAX);
        audit.next = positions.last().filter(|_| is_full).map(|last| last + 1);
        Ok(audit)
    }

    async fn audit_event(&self, row: &LogRow, audit: &mut Audit) -> Result<(), Error> {
        let position = row.seq;
        let event = match received(row) {
            Ok(event) => event,
            Err(reason) => {
                let complaint = Complaint::Unreadable { position, reason };
                audit.complaints.push(complaint);
                return Ok(());
            }
        };
        for ledger in &self.ledgers {
            let kind = ledger.name();
            let expected: HashSet<Key> = match ledger.expected(&event) {
                Ok(expected) => expected.into_iter().collect(),
                Err(reason) => {
                    let complaint = Complaint::Unreadable { position, reason };
                    audit.complaints.push(complaint);
                    continue;
                }
            };
            let effects = ledger.effects(self.store(), &event).await?;
            let found: HashSet<Key> = effects.iter().map(|effect| effect.id).collect();
            audit.rows += expected.intersection(&found).count() as u64;
            for &id in expected.difference(&found) {
                let because = self.why_missing(ledger.handler(), position).await?;
                let missing = Complaint::Missing {
                    position,
                    kind,
                    id,
                    because,
                };
                audit.complaints.push(missing);
            }
            for &id in found.difference(&expected) {
                audit
                    .complaints
                    .push(Complaint::Unasked { position, kind, id });
            }
        }
        Ok(())
    }

    async fn why_missing(&self, handler: &str, position: Position) -> Result<String, Error> {
        Ok(match self.why_not(handler, position).await? {
            WhyNot::Handled(_) => {
                "its handler has handled the event: the row was removed".to_owned()
            }
            other => other.to_string(),
        })
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing {
                position,
                kind,
                id,
                because,
            } => {
                write!(f, "{position}: the {kind} {id} is missing: {because}")
            }
            Self::Unasked { position, kind, id } => {
                write!(f, "{position}: no rule asks for the {kind} {id}")
            }
            Self::Unreadable { position, reason } => write!(f, "{position}: {reason}"),
        }
    }
}

const STRETCH: &str =
    "select seq from platform_log where seq >= $1 and seq <= $2 order by seq limit $3";
