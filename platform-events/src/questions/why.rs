//! Why something happened: the whole chain of one correlation, with everything that was tried and made of it.

use std::fmt;

use chrono::{DateTime, Utc};
use platform_core::Key;
use platform_core::store::Row;
use serde::Serialize;

use super::{not_found, received, text};
use crate::consequence::{Effect, Origin};
use crate::envelope::Envelope;
use crate::event::event_key;
use crate::input::Received;
use crate::log::{LogRow, Position};
use crate::status::Run;
use crate::{Error, Service};

/// The most events of one answer.
const EVENTS_MAX: i64 = 200;

/// What the question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject<'s> {
    /// The event at this position of the log.
    Position(i64),
    /// The event of this service with this id.
    Event(&'s str),
    /// The row of a consequence with this id: an entry, a notification, a task.
    Effect(Key),
}

/// The chain that something belongs to: `Display` tells it line by line.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Why {
    /// What the chain has in common.
    pub correlation_id: String,
    /// Its events in the order of the log, at most 200.
    pub events: Vec<Explained>,
}

/// One event of a chain.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Explained {
    /// Its position in the log.
    pub position: i64,
    /// Its id.
    pub id: String,
    /// The service that it comes from.
    pub source: String,
    /// Its type.
    pub event_type: String,
    /// What it is about.
    pub subject: Option<String>,
    /// The id of the event that caused it.
    pub causation_id: Option<String>,
    /// Who caused it.
    pub actor: Option<String>,
    /// Why, in the actor's words.
    pub reason: Option<String>,
    /// When it was appended.
    pub recorded_at: DateTime<Utc>,
    /// It is memory of something past.
    pub is_muted: bool,
    /// What was tried with it, newest first.
    pub runs: Vec<Run>,
    /// Where it waits or is parked.
    pub held: Vec<Held>,
    /// What people decided about it.
    pub decisions: Vec<Decided>,
    /// What consequences made of it.
    pub effects: Vec<Effect>,
}

/// A handler in which an event waits or is parked.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Held {
    /// The handler.
    pub handler: String,
    /// `waiting`, `parked` or `discarded`.
    pub state: String,
    /// What the last attempt said.
    pub reason: String,
}

/// What somebody decided about an event.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Decided {
    /// The handler.
    pub handler: String,
    /// `redrive`, `edit` or `discard`.
    pub action: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub recorded_at: DateTime<Utc>,
}

impl Service {
    /// Answers why something happened: the chain of events that it belongs to, with what was tried and made of
    /// each.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when the log does not hold it; the store's.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn why(&self, subject: Subject<'_>) -> Result<Why, Error> {
        let (tenant, correlation_id) = self.chain_of(subject).await?;
        let query = self.store().query(CHAIN).bind(correlation_id.as_str());
        let rows = query.bind(tenant.as_str()).bind(EVENTS_MAX).fetch_all();
        let mut events = Vec::new();
        for row in rows.await? {
            if let Some(row) = self.parts.log.at(row.get("seq")?).await? {
                events.push(self.explain(&row).await?);
            }
        }
        Ok(Why {
            correlation_id,
            events,
        })
    }

    async fn chain_of(&self, subject: Subject<'_>) -> Result<(String, String), Error> {
        let position = match subject {
            Subject::Position(position) => position,
            Subject::Event(id) => self.position_of(id).await?,
            Subject::Effect(id) => {
                let origin = self.origin(id).await?;
                return Ok((origin.tenant.as_str().to_owned(), origin.correlation_id));
            }
        };
        let row = self.store().query(BELONGS).bind(position);
        let row = row.fetch_optional().await?;
        let row = row.ok_or_else(|| not_found(&format!("no event stands at {position}")))?;
        Ok((row.get("tenant")?, row.get("correlation_id")?))
    }

    async fn position_of(&self, id: &str) -> Result<Position, Error> {
        let id_key = event_key("", &self.parts.service, id);
        let row = self.store().query(BY_ID).bind(id_key);
        let row = row.fetch_optional().await?;
        let row = row.ok_or_else(|| {
            not_found(&format!(
                "the log holds no event of this service with the id {id}; ask for a foreign one by its position"
            ))
        })?;
        Ok(row.get("seq")?)
    }

    async fn origin(&self, id: Key) -> Result<Origin, Error> {
        for ledger in &self.ledgers {
            if let Some(origin) = ledger.origin(self.store(), id).await? {
                return Ok(origin);
            }
        }
        Err(not_found(&format!("no consequence has a row {id}")))
    }

    async fn explain(&self, row: &LogRow) -> Result<Explained, Error> {
        let envelope = row.envelope()?;
        let named = |name: Option<&str>| name.map(str::to_owned);
        Ok(Explained {
            position: row.seq,
            id: envelope.id().to_owned(),
            source: envelope.source().to_owned(),
            event_type: row.kind.clone(),
            subject: named(envelope.subject()),
            causation_id: named(envelope.causationid()),
            actor: named(envelope.actor()),
            reason: named(envelope.reason()),
            recorded_at: row.recorded_at,
            is_muted: row.is_muted,
            runs: self.runs().of_event(row.seq).await?,
            held: self.held_at(row).await?,
            decisions: self.decisions_at(row).await?,
            effects: self.effects_of(row).await?,
        })
    }

    async fn held_at(&self, event: &LogRow) -> Result<Vec<Held>, Error> {
        let query = self.store().query(HELD).bind(self.parts.service.as_str());
        let query = query.bind(event.key).bind(event.seq);
        let rows = query.bind(event.tenant.as_str()).fetch_all().await?;
        let held = |row: &Row| {
            Ok(Held {
                handler: row.get("name")?,
                state: row.get("state")?,
                reason: text(row, "reason")?,
            })
        };
        rows.iter().map(held).collect()
    }

    async fn decisions_at(&self, event: &LogRow) -> Result<Vec<Decided>, Error> {
        let query = self
            .store()
            .query(DECIDED)
            .bind(self.parts.service.as_str());
        let query = query.bind(event.seq).bind(event.tenant.as_str());
        let decided = |row: &Row| {
            Ok(Decided {
                handler: row.get("name")?,
                action: row.get("action")?,
                actor: row.get("actor")?,
                reason: row.get("reason")?,
                recorded_at: row.get("recorded_at")?,
            })
        };
        query.fetch_all().await?.iter().map(decided).collect()
    }

    async fn effects_of(&self, row: &LogRow) -> Result<Vec<Effect>, Error> {
        // What cannot be read has no effects: it is parked.
        let Ok(event): Result<Received<Envelope>, _> = received(row) else {
            return Ok(Vec::new());
        };
        let mut effects = Vec::new();
        for ledger in &self.ledgers {
            effects.extend(ledger.effects(self.store(), &event).await?);
        }
        Ok(effects)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "correlation {}", self.correlation_id)?;
        self.events.iter().try_for_each(|event| event.fmt(f))
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.recorded_at.format("%Y-%m-%d %H:%M:%S");
        write!(f, "{} {} {}", self.position, at, self.event_type)?;
        let named = [
            ("of", &self.subject),
            ("by", &self.actor),
            ("because", &self.reason),
        ];
        for (word, value) in named {
            value
                .iter()
                .try_for_each(|value| write!(f, " {word} {value}"))?;
        }
        let cause = self.causation_id.iter();
        cause
            .clone()
            .try_for_each(|id| write!(f, " caused by {id}"))?;
        writeln!(f, "{}", if self.is_muted { " (muted)" } else { "" })?;
        for run in self.runs.iter().rev() {
            write!(f, "    {} {}", run.handler, run.outcome.as_str())?;
            run.reason
                .iter()
                .try_for_each(|reason| write!(f, ": {reason}"))?;
            writeln!(f)?;
        }
        for held in &self.held {
            writeln!(f, "    {} {}: {}", held.handler, held.state, held.reason)?;
        }
        for decided in &self.decisions {
            let Decided {
                handler,
                action,
                actor,
                reason,
                ..
            } = decided;
            writeln!(f, "    {handler} {action} by {actor}: {reason}")?;
        }
        for effect in &self.effects {
            let Effect {
                kind,
                id,
                state,
                what,
                ..
            } = effect;
            write!(f, "    {kind} {id} {state}")?;
            effect
                .code
                .iter()
                .try_for_each(|code| write!(f, " ({code})"))?;
            writeln!(f, ": {what}")?;
        }
        Ok(())
    }
}

const BELONGS: &str = "select tenant, correlation_id from platform_log where seq = $1";
const BY_ID: &str = "select seq from platform_log_id where id_key = $1";
const CHAIN: &str =
    "select seq from platform_log where correlation_id = $1 and tenant = $2 order by seq limit $3";
const HELD: &str = "select g.name, b.state, b.reason from platform_group g
    join platform_blocked b on b.group_id = g.id
    where g.service = $1 and b.key = $2 and b.head = $3 and b.tenant = $4";
const DECIDED: &str =
    "select g.name, d.action, d.actor, d.reason, d.recorded_at from platform_decision d
    join platform_group g on g.id = d.group_id
    where g.service = $1 and d.head = $2 and d.tenant = $3 order by d.id";
