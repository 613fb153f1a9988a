//! Typed handlers in, erased ones out; wiring mistakes are found here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform_core::{RetryPolicy, Tx};

use crate::context::Unit;
use crate::envelope::Envelope;
use crate::handler::{BatchHandler, Effects, Handler, Lanes, Start};
use crate::input::{Input, Received, Stored};
use crate::outcome::{HandlerError, Reject};
use crate::pattern::Pattern;
use crate::publisher::CausedBy;
use crate::{Error, invoke};

/// A handler with its start, ready to be given to a service.
#[derive(Clone)]
pub struct Registration {
    pub(crate) spec: Spec,
    pub(crate) handler: Arc<dyn Erased>,
}

/// The stable facts of a handler.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) formerly: &'static [&'static str],
    pub(crate) effects: Effects,
    pub(crate) lanes: Lanes,
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) patterns: Vec<String>,
    pub(crate) start: Start,
    pub(crate) is_batch: bool,
    /// The name that its group was made under; the ids of what it publishes contain it.
    pub(crate) identity: Arc<str>,
    /// It sends on what this service originated, and passes over what was received.
    pub(crate) is_relay: bool,
}

impl Spec {
    /// The name under which its group is made, if it is not there yet.
    pub(crate) fn first_name(&self) -> &'static str {
        self.formerly.last().copied().unwrap_or(self.name)
    }

    /// Checks names and patterns, and returns the patterns.
    pub(crate) fn check(&self) -> Result<Vec<Pattern>, Error> {
        for name in std::iter::once(&self.name).chain(self.formerly) {
            let is_name = (1..=64).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !is_name {
                return Err(Error::wiring(format!(
                    "`{name}` is no handler name; use a to z, 0 to 9 and `-`, 1 to 64 bytes"
                )));
            }
        }
        if self.patterns.is_empty() {
            return Err(Error::wiring(format!(
                "the handler `{}` asks for no event type",
                self.name
            )));
        }
        if self.retry.attempts == 0 {
            return Err(Error::wiring(format!(
                "the handler `{}` allows no attempt; set 1 or more",
                self.name
            )));
        }
        self.patterns
            .iter()
            .map(|text| {
                Pattern::parse(text).map_err(|error| {
                    Error::wiring(format!("the handler `{}`: {error}", self.name))
                        .with_source(error)
                })
            })
            .collect()
    }
}

/// A handler without its types.
#[async_trait]
pub(crate) trait Erased: Send + Sync {
    /// Answers whether it wants this event; its type matches already.
    fn concerns(&self, envelope: &Envelope) -> bool;

    /// Handles `events` in order within `unit`. On failure says at which of them, if it can tell.
    async fn handle(
        &self,
        spec: &Spec,
        events: &[Stored],
        unit: &mut Unit,
    ) -> Result<(), (Option<usize>, HandlerError)>;

    /// Empties what it has built.
    async fn reset(&self, tx: &mut Tx) -> Result<(), HandlerError>;
}

impl Registration {
    pub(crate) fn single<H: Handler>(handler: H, start: Start) -> Self {
        let spec = Spec {
            name: H::NAME,
            formerly: H::FORMERLY,
            effects: H::EFFECTS,
            lanes: H::LANES,
            timeout: H::TIMEOUT,
            retry: H::RETRY,
            patterns: handler.patterns(),
            start,
            is_batch: false,
            identity: H::NAME.into(),
            is_relay: false,
        };
        Self {
            spec,
            handler: Arc::new(Single(handler)),
        }
    }

    pub(crate) fn batch<H: BatchHandler>(handler: H, start: Start) -> Self {
        let spec = Spec {
            name: H::NAME,
            formerly: H::FORMERLY,
            effects: Effects::Transactional,
            lanes: H::LANES,
            timeout: H::TIMEOUT,
            retry: H::RETRY,
            patterns: handler.patterns(),
            start,
            is_batch: true,
            identity: H::NAME.into(),
            is_relay: false,
        };
        Self {
            spec,
            handler: Arc::new(Batch(handler)),
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("name", &self.spec.name)
            .finish_non_exhaustive()
    }
}

struct Single<H>(H);

#[async_trait]
impl<H: Handler> Erased for Single<H> {
    fn concerns(&self, envelope: &Envelope) -> bool {
        H::Event::concerns(envelope)
    }

    async fn reset(&self, tx: &mut Tx) -> Result<(), HandlerError> {
        self.0.reset(tx).await
    }

    async fn handle(
        &self,
        spec: &Spec,
        events: &[Stored],
        unit: &mut Unit,
    ) -> Result<(), (Option<usize>, HandlerError)> {
        for (at, stored) in events.iter().enumerate() {
            let mut cx = unit.context(cause(spec, stored));
            let work = async {
                let event = Received::<H::Event>::decode(stored).map_err(Reject::reject)?;
                self.0.handle(event, &mut cx).await
            };
            invoke::guarded(spec.timeout, work)
                .await
                .map_err(|error| (Some(at), error))?;
        }
        Ok(())
    }
}

struct Batch<H>(H);

#[async_trait]
impl<H: BatchHandler> Erased for Batch<H> {
    fn concerns(&self, envelope: &Envelope) -> bool {
        H::Event::concerns(envelope)
    }

    async fn reset(&self, tx: &mut Tx) -> Result<(), HandlerError> {
        self.0.reset(tx).await
    }

    async fn handle(
        &self,
        spec: &Spec,
        events: &[Stored],
        unit: &mut Unit,
    ) -> Result<(), (Option<usize>, HandlerError)> {
        let Some(first) = events.first() else {
            return Ok(());
        };
        let mut at = (events.len() == 1).then_some(0);
        let mut cx = unit.context(cause(spec, first));
        let work = async {
            let mut received = Vec::with_capacity(events.len());
            for (index, stored) in events.iter().enumerate() {
                let event = Received::<H::Event>::decode(stored).map_err(|fault| {
                    at = Some(index);
                    fault.reject()
                })?;
                received.push(event);
            }
            self.0.handle(&received, &mut cx).await
        };
        let result = invoke::guarded(spec.timeout, work).await;
        result.map_err(|error| (at, error))
    }
}

fn cause(spec: &Spec, stored: &Stored) -> CausedBy {
    CausedBy {
        event: Arc::clone(&stored.envelope),
        scope: stored.origin.clone(),
        group: Arc::clone(&spec.identity),
        again: stored.again,
    }
}
