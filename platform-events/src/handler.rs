//! What a service registers: handlers of one event or of a slice of them.
//!
//! The stable facts are associated constants, the work is one async method. Handlers are erased once, in the
//! registry; nothing here knows how they are run.

use std::future::Future;
use std::time::Duration;

use platform_core::{RetryPolicy, Tx};

use crate::context::Context;
pub use crate::context::IntoCaused;
pub use crate::input::{EntityChanged, Input, Received};
pub use crate::outcome::{HandlerError, Reject, Verdict, snooze};
pub use crate::registry::Registration;

/// How a handler reaches the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effects {
    /// It writes through [`Context::tx`] alone, so several events may share one transaction, and an event may be
    /// tried again after its batch failed.
    Transactional,
    /// It also reaches out (mails, calls, files): events come one by one, and no transaction is open until the
    /// handler asks for one.
    External,
}

/// How many events a handler may see at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lanes {
    /// Events of different keys side by side, those of one key in order.
    Parallel,
    /// One after the other in the order of the log, for read models whose events write the same rows.
    Serial,
}

/// Handles one kind of event, in order per key, effectively once for what it writes through [`Context::tx`].
///
/// | it returns | what happens |
/// |---|---|
/// | `Ok(())` | effects, published events and position commit together |
/// | an error through `?` | tried again by [`RETRY`](Self::RETRY); later events of the key wait behind it |
/// | `reason.reject()` | parked at once; later events of the key wait until it is redriven or discarded |
/// | `snooze(wait)` | tried again later, no attempt spent |
/// | a panic, or no answer within [`TIMEOUT`](Self::TIMEOUT) | as an error |
/// | a store error that is the infrastructure's | repeated, no attempt spent |
pub trait Handler: Send + Sync + 'static {
    /// Its stored name, part of its identity: `[a-z0-9-]`, at most 64 bytes.
    const NAME: &'static str;
    /// Names it had before; it carries on from their position.
    const FORMERLY: &'static [&'static str] = &[];
    /// How it reaches the world.
    const EFFECTS: Effects;
    /// How many events it may see at a time.
    const LANES: Lanes = Lanes::Parallel;
    /// How long one event may take.
    const TIMEOUT: Duration = Duration::from_secs(30);
    /// How often a failed event is tried.
    const RETRY: RetryPolicy = RetryPolicy::DEFAULT;
    /// What it handles: an [`Event`](crate::Event), [`EntityChanged`], or every
    /// [`Envelope`](crate::envelope::Envelope) of its patterns.
    type Event: Input;

    /// Which event types it asks for; the event's own unless overridden.
    fn patterns(&self) -> Vec<String> {
        Self::Event::patterns()
    }

    /// Handles one event.
    ///
    /// # Cancel safety
    /// Dropped at any await on shutdown or time-out; what it wrote through [`Context::tx`] is then undone.
    fn handle(
        &self,
        event: Received<Self::Event>,
        cx: &mut Context<'_>,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;

    /// Empties what it has built, in the transaction that begins a
    /// [rebuild](crate::replay::Replay::rebuild). A handler that adds up must say how; the others need not.
    fn reset(&self, _tx: &mut Tx) -> impl Future<Output = Result<(), HandlerError>> + Send {
        async { Ok(()) }
    }

    /// Says where a new group starts to read. A group that is known already goes on where it was.
    fn from(self, start: Start) -> Registration
    where
        Self: Sized,
    {
        Registration::single(self, start)
    }
}

/// Handles events in slices, for read models and bulk writers. As [`Handler`], but all or nothing per slice; a
/// slice that fails is tried again event by event. A slice never mixes muted and unmuted events.
pub trait BatchHandler: Send + Sync + 'static {
    /// As [`Handler::NAME`].
    const NAME: &'static str;
    /// As [`Handler::FORMERLY`].
    const FORMERLY: &'static [&'static str] = &[];
    /// As [`Handler::LANES`].
    const LANES: Lanes = Lanes::Parallel;
    /// How long one slice may take.
    const TIMEOUT: Duration = Duration::from_secs(30);
    /// As [`Handler::RETRY`].
    const RETRY: RetryPolicy = RetryPolicy::DEFAULT;
    /// As [`Handler::Event`].
    type Event: Input;

    /// As [`Handler::patterns`].
    fn patterns(&self) -> Vec<String> {
        Self::Event::patterns()
    }

    /// Handles a slice in the order of the log; it writes through [`Context::tx`] alone.
    ///
    /// # Cancel safety
    /// As [`Handler::handle`].
    fn handle(
        &self,
        events: &[Received<Self::Event>],
        cx: &mut Context<'_>,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;

    /// As [`Handler::reset`].
    fn reset(&self, _tx: &mut Tx) -> impl Future<Output = Result<(), HandlerError>> + Send {
        async { Ok(()) }
    }

    /// As [`Handler::from`].
    fn from(self, start: Start) -> Registration
    where
        Self: Sized,
    {
        Registration::batch(self, start)
    }
}

/// Where a new group starts to read. There is no default: the author decides.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With what is published from its registration on. Right for consequences.
    Now,
    /// With the oldest event of the log. Right for projections.
    Beginning,
    /// With the oldest event recorded since, less one hour of grace.
    Time(chrono::DateTime<chrono::Utc>),
    /// With the event after this position.
    Position(i64),
}
