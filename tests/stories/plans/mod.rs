//! The library's own statements use their indexes on a long log, also when a group is far behind:
//! asked of the databases, not of the library.

mod postgres;
mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use platform_core::RetryPolicy;
use platform_events::envelope::Envelope;
use platform_events::handler::Registration;
use platform_events::{
    BatchHandler, Context, Effects, Handler, HandlerError, Lanes, Received, Start,
};
use platform_tests::is_long;

use crate::world::NoteTaken;

/// How many events lie in the log.
fn rows() -> i64 {
    if is_long() { 1_000_000 } else { 200_000 }
}

/// Counts what it was given of the deep backlog.
#[derive(Clone, Default)]
struct Deep(Arc<AtomicI64>);

impl Deep {
    fn handled(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }
}

impl BatchHandler for Deep {
    const NAME: &'static str = "deep";
    type Event = Envelope;

    fn patterns(&self) -> Vec<String> {
        vec!["loaded.often".to_owned()]
    }

    async fn handle(
        &self,
        events: &[Received<Envelope>],
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        self.0
            .fetch_add(i64::try_from(events.len())?, Ordering::AcqRel);
        Ok(())
    }
}

/// Reads the same backlog in one lane, for a type that hardly occurs.
struct Rare;

impl BatchHandler for Rare {
    const NAME: &'static str = "rare";
    const LANES: Lanes = Lanes::Serial;
    type Event = Envelope;

    fn patterns(&self) -> Vec<String> {
        vec!["loaded.never".to_owned()]
    }

    async fn handle(
        &self,
        _events: &[Received<Envelope>],
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        Ok(())
    }
}

/// Starts at the end, and stumbles twice over the first event of a key, so that followers are
/// looked for.
#[derive(Clone, Default)]
struct Late {
    tries: Arc<AtomicI64>,
    handled: Arc<AtomicI64>,
}

impl Late {
    fn handled(&self) -> i64 {
        self.handled.load(Ordering::Acquire)
    }
}

impl Handler for Late {
    const NAME: &'static str = "late";
    const EFFECTS: Effects = Effects::External;
    const RETRY: RetryPolicy = RetryPolicy {
        base: Duration::from_millis(300),
        ..RetryPolicy::DEFAULT
    };
    type Event = NoteTaken;

    async fn handle(
        &self,
        event: Received<NoteTaken>,
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let tries = self.tries.fetch_add(1, Ordering::AcqRel);
        if event.text == "stumble" && tries < 2 {
            return Err(HandlerError::retry("stumbled"));
        }
        self.handled.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

/// Handlers that start at the beginning of the log.
fn behind(deep: &Deep) -> [Registration; 2] {
    [
        deep.clone().from(Start::Beginning),
        Rare.from(Start::Beginning),
    ]
}
