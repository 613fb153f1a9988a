//! What handlers receive: typed events, entity changes, or the envelope itself.

use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use platform_core::{ChangePayload, Entity, Key, TenantId};

use crate::envelope::Envelope;
use crate::event::{Event, event_key};
use crate::log::LogRow;
use crate::replay::{Again, Phase, Redo};

/// A type that a handler can ask for.
pub trait Input: Sized + Send + Sync + 'static {
    /// Which event types hold it.
    fn patterns() -> Vec<String>;

    /// Answers whether an event of a matching type is one; others are passed over.
    fn concerns(_envelope: &Envelope) -> bool {
        true
    }

    /// Reads it from the payload.
    ///
    /// # Errors
    /// Why the payload cannot be read; the event is parked with it.
    fn decode(envelope: &Envelope) -> Result<Self, String>;
}

impl<E: Event> Input for E {
    fn patterns() -> Vec<String> {
        vec![E::TYPE.to_owned()]
    }

    fn decode(envelope: &Envelope) -> Result<Self, String> {
        serde_json::from_slice(envelope.data())
            .map_err(|error| format!("the payload is no {}: {error}", E::TYPE))
    }
}

impl Input for Envelope {
    fn patterns() -> Vec<String> {
        vec!["**".to_owned()]
    }

    fn decode(envelope: &Envelope) -> Result<Self, String> {
        Ok(envelope.clone())
    }
}

/// A change of an entity, whatever its verb. Secret and ignored fields hold their defaults.
#[derive(Debug, Clone)]
pub struct EntityChanged<T> {
    /// The last segment of the event's type, such as `created` or `shipped`.
    pub verb: String,
    /// The entity before; nothing when it was created.
    pub before: Option<T>,
    /// The entity after; nothing when it was deleted.
    pub after: Option<T>,
    /// The paths of the fields that differ.
    pub changed: Vec<String>,
    /// The version that the change made.
    pub version: u64,
}

impl<T> EntityChanged<T> {
    /// Returns the entity after the change, or before it when it was deleted.
    pub fn entity(&self) -> Option<&T> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

impl<T: Entity> Input for EntityChanged<T> {
    fn patterns() -> Vec<String> {
        vec![format!("{}.*", T::KIND)]
    }

    fn concerns(envelope: &Envelope) -> bool {
        envelope.entitytype() == Some(T::KIND)
    }

    fn decode(envelope: &Envelope) -> Result<Self, String> {
        let read = || {
            let payload = ChangePayload::parse(envelope.data())?;
            let (before, after) = payload.restore::<T>()?;
            Ok::<_, platform_core::Error>(Self {
                verb: payload.verb().to_owned(),
                before,
                after,
                changed: payload.changed().to_vec(),
                version: payload.version(),
            })
        };
        read().map_err(|error| crate::outcome::chain(&error))
    }
}

/// An event on its way through a handler. Dereferences to the typed value.
#[derive(Debug, Clone)]
pub struct Received<T> {
    value: T,
    pub(crate) envelope: Arc<Envelope>,
    /// The trust scope that it was received under; empty for an event of this service.
    pub(crate) origin: String,
    tenant: TenantId,
    position: i64,
    recorded_at: DateTime<Utc>,
    is_muted: bool,
}

impl<T: Input> Received<T> {
    pub(crate) fn decode(stored: &Stored) -> Result<Self, String> {
        if let Some(fault) = &stored.fault {
            return Err(fault.clone());
        }
        let tenant = TenantId::parse(&stored.tenant).map_err(|error| error.to_string())?;
        Ok(Self {
            value: T::decode(&stored.envelope)?,
            tenant,
            envelope: Arc::clone(&stored.envelope),
            origin: stored.origin.clone(),
            position: stored.seq,
            recorded_at: stored.recorded_at,
            is_muted: stored.is_muted,
        })
    }
}

impl<T> Received<T> {
    /// Returns the whole envelope: id, source, actor, reason, trace.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Returns what tells it apart from every other event: equal for all deliveries of one event, and never equal for
    /// a local and a foreign one. What a consequence writes takes its ids from it.
    pub fn identity(&self) -> Key {
        event_key(&self.origin, self.envelope.source(), self.envelope.id())
    }

    /// Returns whose it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Returns what its chain of events has in common; its own id when it starts one.
    pub fn correlation_id(&self) -> &str {
        self.envelope.correlationid().unwrap_or(self.envelope.id())
    }

    /// Returns the id of the event that caused it.
    pub fn causation_id(&self) -> Option<&str> {
        self.envelope.causationid()
    }

    /// Returns what it is in order with: events of one key are handled in the order of the log.
    pub fn key(&self) -> &str {
        self.envelope.partitionkey().unwrap_or(self.envelope.id())
    }

    /// Returns when it happened; a received event that does not say happened when it was appended.
    pub fn occurred_at(&self) -> DateTime<Utc> {
        self.envelope.time().unwrap_or(self.recorded_at)
    }

    /// Returns the position in the log.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Returns when it was appended.
    pub fn recorded_at(&self) -> DateTime<Utc> {
        self.recorded_at
    }

    /// Answers whether it is memory of something past (imported, backfilled, replayed): consequences that reach
    /// out skip it visibly.
    pub fn is_muted(&self) -> bool {
        self.is_muted
    }

    /// Returns the typed value.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Received<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// An event as the worker hands it to an erased handler.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) seq: i64,
    pub(crate) key: Key,
    pub(crate) tenant: String,
    pub(crate) origin: String,
    pub(crate) kind: String,
    pub(crate) is_muted: bool,
    /// By which replay it is handled again.
    pub(crate) again: Option<Again>,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) envelope: Arc<Envelope>,
    /// Why the envelope could not be read; a placeholder stands in its place then.
    pub(crate) fault: Option<String>,
}

impl Stored {
    /// Reads the envelope of a row; one that cannot be read carries its fault, and is parked with it.
    pub(crate) fn of(row: &LogRow) -> Self {
        let (envelope, fault) = match row.envelope() {
            Ok(envelope) => (Arc::new(envelope), None),
            Err(error) => (placeholder(row.seq), Some(crate::outcome::chain(&error))),
        };
        Self {
            seq: row.seq,
            key: row.key,
            tenant: row.tenant.clone(),
            origin: row.origin.clone(),
            kind: row.kind.clone(),
            is_muted: row.is_muted,
            again: None,
            recorded_at: row.recorded_at,
            envelope,
            fault,
        }
    }

    /// Marks an event that a replay meets; nothing when it was handled and stays so.
    pub(crate) fn in_phase(mut self, redo: Option<&Redo>) -> Option<Self> {
        match Redo::phase(redo, self.seq) {
            Phase::Again(again) => {
                self.again = Some(again);
                self.is_muted = true;
                Some(self)
            }
            Phase::Done => None,
            Phase::New => Some(self),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "the attributes are constants that the builder admits"
)]
fn placeholder(seq: i64) -> Arc<Envelope> {
    let envelope = Envelope::builder(
        format!("position-{seq}"),
        "unreadable",
        "platform.unreadable",
    )
    .build();
    Arc::new(envelope.expect("a constant envelope"))
}
