//! The port between services: what a broker has to do for the relay and for receiving, and nothing of how.
//!
//! No order is asked of a transport and any delivery may come twice: the relay stamps each event with its
//! predecessor, the receiver puts them in order and knows what it has. What a transport must not do is confirm
//! what it may lose, or change the bytes of a payload.

#[cfg(feature = "test-kit")]
pub mod memory;
mod stamp;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub(crate) use stamp::{Predecessor, Stamp};

use crate::envelope::Envelope;

/// A way to other services.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Says what it can do; asked when a service is built.
    fn capabilities(&self) -> Capabilities;

    /// Hands a batch over, and answers for each entry, in their order, whether it will be delivered to whoever is
    /// subscribed now. Entries that share a key come in their order; a call holds several of them only if
    /// [`Capabilities::keeps_order_per_key`] says so.
    ///
    /// # Errors
    /// For each entry its own; see [`TransportError`].
    ///
    /// # Cancel safety
    /// Dropped, each entry was handed over or not; the relay repeats them all.
    async fn publish(&self, topic: &str, batch: &[Outgoing]) -> Vec<Result<(), TransportError>>;

    /// Subscribes as one of the competing receivers called `consumer`, the service's name: each event goes to one
    /// of them, until it is acknowledged. What is published between two streams of one consumer waits for it.
    ///
    /// # Errors
    /// Why there is no stream now; receiving asks again.
    ///
    /// # Cancel safety
    /// Dropped, the consumer may be known already, which only means that deliveries wait for it.
    async fn subscribe(
        &self,
        topic: &str,
        consumer: &str,
    ) -> Result<Box<dyn Deliveries>, TransportError>;
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    async fn publish(&self, topic: &str, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        (**self).publish(topic, batch).await
    }

    async fn subscribe(
        &self,
        topic: &str,
        consumer: &str,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        (**self).subscribe(topic, consumer).await
    }
}

/// A stream of deliveries.
#[async_trait]
pub trait Deliveries: Send {
    /// Waits for the next delivery; nothing when the stream has ended, after which receiving subscribes again.
    ///
    /// # Cancel safety
    /// Must be safe: dropped while it waits, it has taken nothing.
    async fn next(&mut self) -> Option<Delivery>;
}

/// Tells the broker that a delivery is durable here.
#[async_trait]
pub trait Acknowledge: Send {
    /// Acknowledges it.
    ///
    /// # Errors
    /// Passed over: the delivery comes again, and is known then.
    async fn acknowledge(self: Box<Self>) -> Result<(), TransportError>;
}

/// One event as it arrived. Dropped without [`ack`](Self::ack), it is delivered again.
pub struct Delivery {
    content: Bytes,
    acknowledge: Box<dyn Acknowledge>,
}

impl Delivery {
    /// Makes a delivery of a structured event in JSON; a transport that carries the binary mode reads it with
    /// [`Envelope::from_headers`] and writes it with [`Envelope::to_json`].
    pub fn new(content: impl Into<Bytes>, acknowledge: impl Acknowledge + 'static) -> Self {
        Self {
            content: content.into(),
            acknowledge: Box::new(acknowledge),
        }
    }

    /// Returns the event in structured mode, as it came.
    pub fn content(&self) -> &Bytes {
        &self.content
    }

    /// Tells the broker that it need not deliver this again.
    ///
    /// # Errors
    /// The broker's; the delivery comes again then.
    ///
    /// # Cancel safety
    /// Dropped, the delivery may come again.
    pub async fn ack(self) -> Result<(), TransportError> {
        self.acknowledge.acknowledge().await
    }
}

impl fmt::Debug for Delivery {
    /// Shows no content: payloads stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// One event on its way out, stamped.
#[derive(Debug, Clone)]
pub struct Outgoing {
    envelope: Envelope,
}

impl Outgoing {
    pub(crate) fn new(envelope: Envelope) -> Self {
        Self { envelope }
    }

    /// Returns the event; write it in the mode that leaves the payload's bytes alone on this way.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Returns what the event is in order with, for brokers that partition; none when it stands alone.
    pub fn key(&self) -> Option<&str> {
        self.envelope.partitionkey()
    }
}

/// What a transport can do, said honestly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// One call may hold several events of a key, and they are handed over in their order.
    pub keeps_order_per_key: bool,
    /// An event published twice under one id is delivered once, most of the time. Nothing relies on it.
    pub deduplicates: bool,
    /// The largest payload that it carries, in bytes, whatever its form on the way.
    pub payload_max: usize,
    /// After how long it delivers again what was not acknowledged, at the latest.
    pub redelivery_after: Duration,
}

impl Capabilities {
    /// A transport that keeps no order and knows no ids.
    pub fn new(payload_max: usize, redelivery_after: Duration) -> Self {
        Self {
            keeps_order_per_key: false,
            deduplicates: false,
            payload_max,
            redelivery_after,
        }
    }

    /// Says that one call may hold several events of a key.
    #[must_use]
    pub fn with_order_per_key(mut self) -> Self {
        self.keeps_order_per_key = true;
        self
    }

    /// Says that ids are known for a while.
    #[must_use]
    pub fn with_deduplication(mut self) -> Self {
        self.deduplicates = true;
        self
    }
}

/// Why a transport did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    is_transient: bool,
    reason: String,
}

impl TransportError {
    /// It may work later without a change: the broker is away, busy, full. The relay waits and repeats.
    pub fn transient(reason: impl Into<String>) -> Self {
        Self {
            is_transient: true,
            reason: reason.into(),
        }
    }

    /// It never works for this event: too large, refused by a rule. The relay parks the event, and its key waits.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self {
            is_transient: false,
            reason: reason.into(),
        }
    }

    /// Answers whether the same call may succeed later without a change.
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// Returns why, in words.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for TransportError {}
