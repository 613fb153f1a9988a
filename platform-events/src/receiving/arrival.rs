//! What one delivery is: an event to append, one of our own, or something to be put aside.
//!
//! Reads bytes and decides by the subscription's rules alone; it knows neither the log's state nor a transport.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use platform_core::{Key, TenantId, clock};

use super::receiver::Receiver;
use crate::envelope::{Envelope, peek};
use crate::event::event_key;
use crate::log::{LANES, Record};
use crate::outcome::chain;
use crate::publisher::scoped_key;
use crate::transport::Stamp;

/// The longest correlation id, in bytes: what a handler publishes inherits it, within the rules for publishing.
const CORRELATION_MAX: usize = 1_024;

/// An event that may be appended.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) record: Record,
    pub(super) source: String,
    pub(super) stamp: Option<Stamp>,
    pub(super) predecessor: Option<Key>,
    pub(super) raw: Bytes,
    /// Since when it has waited, if it has.
    pub(super) waited: Option<Waited>,
}

/// When an event began to wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waited {
    pub(super) received_at: DateTime<Utc>,
    pub(super) open_us: i64,
}

/// A delivery that must not be appended.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) source: Option<String>,
    pub(super) event_id: Option<String>,
    pub(super) id_key: Option<Key>,
    pub(super) raw: Bytes,
}

/// What a delivery is.
#[derive(Debug)]
pub(super) enum Sorted {
    Arrival(Box<Arrival>),
    /// Published by this service itself: it is in the log.
    Own,
    Refusal(Box<Refusal>),
}

impl Arrival {
    /// Turns it into something that is put aside.
    pub(super) fn refused(&self, reason: impl Into<String>) -> Refusal {
        Refusal {
            reason: reason.into(),
            source: Some(self.source.clone()),
            event_id: Some(self.record.id.clone()),
            id_key: Some(self.record.id_key),
            raw: self.raw.clone(),
        }
    }
}

impl Receiver {
    /// Decides what a delivery is.
    pub(super) fn sort(&self, raw: &Bytes) -> Sorted {
        let envelope = match Envelope::from_json(raw) {
            Ok(envelope) => envelope,
            Err(error) => return Sorted::Refusal(Box::new(self.unreadable(raw, chain(&error)))),
        };
        if envelope.source() == self.service {
            return Sorted::Own;
        }
        let sorted = self
            .admit(&envelope)
            .and_then(|()| self.arrival(&envelope, raw));
        match sorted {
            Ok(arrival) => Sorted::Arrival(Box::new(arrival)),
            Err(reason) => Sorted::Refusal(Box::new(Refusal {
                reason,
                source: Some(envelope.source().to_owned()),
                event_id: Some(envelope.id().to_owned()),
                id_key: Some(self.id_key(envelope.source(), envelope.id())),
                raw: raw.clone(),
            })),
        }
    }

    /// Checks whom the subscription trusts.
    fn admit(&self, envelope: &Envelope) -> Result<(), String> {
        let source = envelope.source();
        if !self
            .subscription
            .sources
            .iter()
            .any(|known| known == source)
        {
            return Err(format!(
                "the subscription does not accept the source `{source}`"
            ));
        }
        let tenant = tenant(envelope)?;
        let tenants = &self.subscription.tenants;
        if !tenants.is_empty() && !tenants.contains(&tenant) {
            return Err(format!(
                "the subscription does not accept the tenant `{tenant}`"
            ));
        }
        Ok(())
    }

    /// Decides every column of a received event; its payload stays what it is, byte for byte.
    pub(super) fn arrival(&self, envelope: &Envelope, raw: &Bytes) -> Result<Arrival, String> {
        let stamp = Stamp::read(envelope).map_err(|fault| fault.to_string())?;
        if let Some(stamp) = &stamp {
            stamp
                .check(clock::now())
                .map_err(|fault| fault.to_string())?;
        }
        let tenant = tenant(envelope)?;
        let (source, id) = (envelope.source(), envelope.id());
        let correlation_id = envelope.correlationid().unwrap_or(id);
        if correlation_id.len() > CORRELATION_MAX {
            return Err(format!(
                "correlationid has more than {CORRELATION_MAX} bytes"
            ));
        }
        let predecessor = stamp.as_ref().and_then(|stamp| stamp.predecessor.as_ref());
        Ok(Arrival {
            predecessor: predecessor.map(|before| self.id_key(source, &before.id)),
            source: source.to_owned(),
            stamp,
            raw: raw.clone(),
            waited: None,
            record: self.record(envelope, &tenant, correlation_id),
        })
    }

    fn record(&self, envelope: &Envelope, tenant: &TenantId, correlation_id: &str) -> Record {
        let id_key = self.id_key(envelope.source(), envelope.id());
        let key = envelope
            .partitionkey()
            .map_or(id_key, |key| scoped_key(&self.scope, tenant, key));
        Record {
            id: envelope.id().to_owned(),
            id_key,
            content_hash: self.publisher.content_hash(envelope),
            key,
            lane: i16::from(key.partition(LANES)),
            kind: envelope.event_type().to_owned(),
            tenant: tenant.as_str().to_owned(),
            correlation_id: correlation_id.to_owned(),
            causation_id: envelope.causationid().map(str::to_owned),
            occurred_at: envelope.time().unwrap_or_else(clock::now),
            depth: i16::try_from(envelope.depth().unwrap_or(0)).unwrap_or(i16::MAX),
            is_muted: envelope.is_muted(),
            origin: self.scope.clone(),
            is_late: false,
            attributes: envelope.attributes(),
            data: envelope.data().clone(),
            is_caused: false,
            is_change: false,
        }
    }

    /// The identity of a received event: ids are predictable, so it never is that of a local one.
    fn id_key(&self, source: &str, id: &str) -> Key {
        event_key(&self.scope, source, id)
    }

    fn unreadable(&self, raw: &Bytes, reason: String) -> Refusal {
        let named = peek(raw).ok();
        let (source, event_id) = named
            .map(|named| (named.source().to_owned(), named.id().to_owned()))
            .unzip();
        let id_key = source.as_deref().zip(event_id.as_deref());
        Refusal {
            reason,
            id_key: id_key.map(|(source, id)| self.id_key(source, id)),
            source,
            event_id,
            raw: raw.clone(),
        }
    }
}

fn tenant(envelope: &Envelope) -> Result<TenantId, String> {
    let parse = |text| TenantId::parse(text).map_err(|error| error.to_string());
    envelope.tenantid().map_or(Ok(TenantId::default()), parse)
}
