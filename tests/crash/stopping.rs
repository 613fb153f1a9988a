//! Shutdown with work in hand: it is finished within the bound, or undone and left to the next one.

use std::sync::Arc;
use std::time::Duration;

use platform_core::{RetryPolicy, Store};
use platform_events::{
    Context, Effects, EntityChanged, Handler, HandlerError, Received, Service, Start,
};
use platform_tests::{Database, each_backend, eventually};
use tokio::sync::watch;

use crate::running::{PATIENCE, Running, settle_and_check};
use crate::world::{Item, QUICK, count, names, open, post, publish, remember, wire};

const BOUND: Duration = Duration::from_millis(300);
const CRASHES: &str = "select coalesce(max(crashes), 0) as n from platform_lane";
const OWNED: &str = "select count(*) as n from platform_lane where process is not null";
const PARKED: &str = "select count(*) as n from platform_blocked where state = 'parked'";
const ATTEMPTS: &str = "select cast(max(attempts) as bigint) as n from platform_blocked";
const FAILED: &str = "select count(*) as n from platform_run where outcome <> 'done'";

/// What the handlers of a story are told, and what they tell.
#[derive(Clone)]
struct Gate {
    entered: Arc<watch::Sender<u32>>,
    is_open: Arc<watch::Sender<bool>>,
}

impl Gate {
    fn new() -> Self {
        Self {
            entered: Arc::default(),
            is_open: Arc::default(),
        }
    }

    async fn pass(&self) {
        self.entered.send_modify(|entered| *entered += 1);
        drop(self.is_open.subscribe().wait_for(|is_open| *is_open).await);
    }

    async fn entered(&self, times: u32) {
        let mut entered = self.entered.subscribe();
        let reached = entered.wait_for(|entered| *entered >= times);
        drop(
            tokio::time::timeout(PATIENCE, reached)
                .await
                .unwrap()
                .unwrap(),
        );
    }
}

/// Stands at its gate with its effects written, or before it writes any.
struct Slow {
    gate: Gate,
    writes_first: bool,
    fails_first: bool,
}

impl Handler for Slow {
    const NAME: &'static str = "track";
    const EFFECTS: Effects = Effects::External;
    const RETRY: RetryPolicy = RetryPolicy {
        attempts: 3,
        ..QUICK
    };
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        if self.fails_first && *self.gate.entered.borrow() == 0 {
            self.gate.entered.send_replace(1);
            return Err(HandlerError::retry("the first try fails"));
        }
        if self.writes_first {
            remember(Self::NAME, &event, cx).await?;
            self.gate.pass().await;
        } else {
            self.gate.pass().await;
            remember(Self::NAME, &event, cx).await?;
        }
        Ok(())
    }
}

async fn slow(store: &Store, gate: &Gate, writes_first: bool) -> Service {
    let slow = Slow {
        gate: gate.clone(),
        writes_first,
        fails_first: false,
    };
    let builder = wire(store)
        .with_drain(BOUND)
        .handle(slow.from(Start::Beginning));
    builder.build().await.unwrap()
}

async fn a_shutdown_waits_for_what_is_in_hand(database: Database) {
    let store = open(&database.url()).await;
    let gate = Gate::new();
    let handler = Slow {
        gate: gate.clone(),
        writes_first: true,
        fails_first: false,
    };
    let service = wire(&store)
        .handle(handler.from(Start::Beginning))
        .build()
        .await
        .unwrap();
    let running = Running::start(service);
    publish(
        &store,
        &running.service().publisher(),
        &names("plain", 1),
        3,
    )
    .await;
    gate.entered(1).await;
    let stopping = tokio::spawn(running.stop());
    let health = async || count(&store, OWNED).await == 0;
    let left_early = tokio::time::timeout(BOUND, eventually(2 * BOUND, health)).await;
    assert!(
        left_early.is_err() && !stopping.is_finished(),
        "it did not wait"
    );
    gate.is_open.send_replace(true);
    stopping.await.unwrap();
    assert_eq!(count(&store, OWNED).await, 0);
    assert_eq!(
        count(&store, "select count(*) as n from seen").await,
        1,
        "it took more work"
    );
    settle_and_check(&store, &[]).await;
    assert_eq!(count(&store, FAILED).await, 0);
}

/// Ends a worker whose work does not end, lets another one do it, and only then opens the gate.
async fn cut_short(database: Database, writes_first: bool) {
    let store = open(&database.url()).await;
    let gate = Gate::new();
    let running = Running::start(slow(&store, &gate, writes_first).await);
    publish(
        &store,
        &running.service().publisher(),
        &names("plain", 20),
        2,
    )
    .await;
    gate.entered(1).await;
    running.stop().await;
    assert_eq!(count(&store, OWNED).await, 0, "lanes were not given back");
    settle_and_check(&open(&database.url()).await, &[]).await;
    assert_eq!(
        count(&store, CRASHES).await,
        0,
        "an orderly end is no crash"
    );
    assert_eq!(
        count(&store, FAILED).await,
        0,
        "a cancelled attempt is no failed one"
    );
    gate.is_open.send_replace(true);
    publish(
        &store,
        &post(&store).await.publisher(),
        &names("plain", 20),
        1,
    )
    .await;
    settle_and_check(&store, &[]).await;
}

async fn work_that_is_cut_short_before_its_effects_is_repeated(database: Database) {
    cut_short(database, false).await;
}

async fn work_that_is_cut_short_with_its_effects_written_is_repeated(database: Database) {
    cut_short(database, true).await;
}

/// Retries that shutdowns interrupt, more often than the policy has attempts.
async fn a_retry_that_is_cut_short_spends_no_attempt(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    drop(post(&store).await);
    for shutdown in 1..=4 {
        let gate = Gate::new();
        let slow = Slow {
            gate: gate.clone(),
            writes_first: false,
            fails_first: shutdown == 1,
        };
        let own = open(&url).await;
        let builder = wire(&own)
            .with_drain(BOUND)
            .handle(slow.from(Start::Beginning));
        let running = Running::start(builder.build().await.unwrap());
        if shutdown == 1 {
            publish(
                &store,
                &running.service().publisher(),
                &names("plain", 1),
                1,
            )
            .await;
        }
        let is_parked = async || count(&store, PARKED).await > 0;
        tokio::select! {
            () = gate.entered(if shutdown == 1 { 2 } else { 1 }) => {}
            () = eventually(PATIENCE, is_parked) => panic!("parked by shutdown {shutdown}"),
        }
        running.stop().await;
        assert_eq!(
            count(&store, ATTEMPTS).await,
            1,
            "after shutdown {shutdown}"
        );
    }
    settle_and_check(&store, &[]).await;
}

each_backend!(a_shutdown_waits_for_what_is_in_hand);
each_backend!(work_that_is_cut_short_before_its_effects_is_repeated);
each_backend!(work_that_is_cut_short_with_its_effects_written_is_repeated);
each_backend!(a_retry_that_is_cut_short_spends_no_attempt);
