//! Receiving: what other services sent is appended to the log before it is acknowledged, in the order of its key.
//!
//! Ids alone decide what is known. An event whose predecessor is not here waits in a table; one that waits for too
//! long is let through and the gap is reported. What must not be appended lies in quarantine, as it came.
//! Everything is decided inside the transaction that appends, so any number of receivers may compete.

mod appending;
mod arrival;
mod canary;
mod order;
mod places;
mod quarantine;
mod questions;
mod receiver;
mod sweep;
mod waiting;

use std::time::Duration;

use platform_core::TenantId;

pub use questions::{Gap, Quarantined, Receiving, SubscriptionState};
pub(crate) use receiver::{Receiver, Surroundings};

use crate::Error;
use crate::transport::Capabilities;

/// How long a gap is waited for unless a subscription says otherwise.
const GAP_WAIT: Duration = Duration::from_secs(600);
/// How many events may wait for others unless a subscription says otherwise.
const WAITING_MAX: u32 = 100_000;
/// How many deliveries may lie in quarantine unless a subscription says otherwise.
const QUARANTINE_MAX: u32 = 10_000;

/// What a service receives, and whom it trusts for it.
///
/// # Example
/// ```
/// use platform_events::receiving::Subscription;
/// let shipments = Subscription::topic("shipments").from_source("shipping");
/// ```
#[derive(Debug, Clone)]
#[must_use = "a subscription does nothing until a service receives it"]
pub struct Subscription {
    topic: String,
    sources: Vec<String>,
    tenants: Vec<TenantId>,
    scope: Option<String>,
    gap_wait: Duration,
    waiting_max: u32,
    quarantine_max: u32,
}

impl Subscription {
    /// Subscribes to a topic. It trusts nobody until [`from_source`](Self::from_source) names who.
    pub fn topic(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            sources: Vec::new(),
            tenants: Vec::new(),
            scope: None,
            gap_wait: GAP_WAIT,
            waiting_max: WAITING_MAX,
            quarantine_max: QUARANTINE_MAX,
        }
    }

    /// Accepts the events of one more source, by the `source` that they carry: the sending service's name.
    pub fn from_source(mut self, source: &str) -> Self {
        self.sources.push(source.to_owned());
        self
    }

    /// Accepts the events of this tenant; named once, only those of named tenants. All unless called.
    pub fn of_tenant(mut self, tenant: TenantId) -> Self {
        self.tenants.push(tenant);
        self
    }

    /// Sets within which scope ids are told apart, the service's name unless set: the same id of the same source
    /// is one event within a scope, and two in two scopes. Changed, what comes again is new.
    pub fn with_scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.to_owned());
        self
    }

    /// Sets how long an event waits for its predecessor while the subscription is open; 10 minutes unless set,
    /// at least twice the time after which the transport delivers again.
    pub fn with_gap_wait(mut self, gap_wait: Duration) -> Self {
        self.gap_wait = gap_wait;
        self
    }

    /// Sets how many events may wait for their predecessors, 100,000 unless set; beyond it the oldest gaps are
    /// passed early and reported.
    pub fn with_waiting_max(mut self, waiting_max: u32) -> Self {
        self.waiting_max = waiting_max;
        self
    }

    /// Sets how many deliveries may lie in quarantine, 10,000 unless set; beyond it receiving pauses, the service's
    /// health says so, and the deliveries wait at the broker until somebody makes room.
    pub fn with_quarantine_max(mut self, quarantine_max: u32) -> Self {
        self.quarantine_max = quarantine_max;
        self
    }

    pub(crate) fn topic_name(&self) -> &str {
        &self.topic
    }

    /// Checks what can be known before the first delivery.
    pub(crate) fn check(&self, service: &str, transport: Capabilities) -> Result<(), Error> {
        let topic = &self.topic;
        let wrong = |what: String| {
            Err(Error::wiring(format!(
                "the subscription to `{topic}` {what}"
            )))
        };
        if !is_topic(topic) {
            return wrong(
                "names no topic; use 1 to 200 bytes without control characters".to_owned(),
            );
        }
        if self.sources.is_empty() {
            return wrong(
                "trusts nobody; name whose events it takes with `.from_source(…)`".to_owned(),
            );
        }
        if self.sources.iter().any(|source| source == service) {
            return wrong(format!(
                "trusts `{service}`, this service itself, whose events are in the log already; take that \
                 `.from_source(…)` out"
            ));
        }
        if self.scope.as_deref().is_some_and(|scope| !is_scope(scope)) {
            return wrong(
                "has no scope name; use a to z, 0 to 9 and `-`, 1 to 64 bytes".to_owned(),
            );
        }
        let least = 2 * transport.redelivery_after;
        if self.gap_wait < least {
            return wrong(format!(
                "waits {:?} for a gap, but the transport may deliver again after {:?}; set \
                 `.with_gap_wait(…)` to {least:?} or more",
                self.gap_wait, transport.redelivery_after
            ));
        }
        if self.waiting_max == 0 || self.quarantine_max == 0 {
            return wrong("keeps nothing aside; set its bounds to 1 or more".to_owned());
        }
        Ok(())
    }
}

/// Answers whether a text can name a topic.
pub(crate) fn is_topic(topic: &str) -> bool {
    (1..=200).contains(&topic.len()) && !topic.chars().any(char::is_control)
}

fn is_scope(scope: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&scope.len()) && scope.bytes().all(is_plain)
}
