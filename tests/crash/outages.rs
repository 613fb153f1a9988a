//! Outages of the database and of what a handler depends on: they park nothing and spend nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platform_core::RetryPolicy;
use platform_events::{Context, Effects, EntityChanged, Handler, HandlerError, Received, Start};
use platform_tests::{Database, each_backend, eventually, postgres, until};
use tokio::sync::watch;

use crate::part::{Part, Threads};
use crate::running::{PATIENCE, Running};
use crate::world::{
    Item, QUICK, assert_exact, count, id_of, names, open, parked, post, publish, remember, wire,
};

const AWAY_FOR: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 5;
const MOST_ATTEMPTS: &str = "select coalesce(max(attempt), 0) as n from platform_run";

/// Lets time pass without a sleep.
async fn pass(time: Duration) {
    let passed = tokio::task::spawn_blocking(move || until(time, || false)).await;
    assert!(!passed.unwrap());
}

/// Calls something that can be away.
struct Dependent {
    is_away: Arc<AtomicBool>,
}

impl Handler for Dependent {
    const NAME: &'static str = "dependent";
    const EFFECTS: Effects = Effects::External;
    const RETRY: RetryPolicy = RetryPolicy {
        attempts: ATTEMPTS,
        base: Duration::from_millis(100),
        cap: Duration::from_millis(400),
        ..RetryPolicy::DEFAULT
    };
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        if self.is_away.load(Ordering::Acquire) {
            return Err(HandlerError::retry("the other service is away"));
        }
        remember(Self::NAME, &event, cx).await
    }
}

async fn an_outage_of_a_dependency_parks_nothing(database: Database) {
    let store = open(&database.url()).await;
    let is_away = Arc::new(AtomicBool::new(true));
    let dependent = Dependent {
        is_away: Arc::clone(&is_away),
    };
    let service = wire(&store)
        .handle(dependent.from(Start::Beginning))
        .build()
        .await
        .unwrap();
    let running = Running::start(service);
    let publisher = running.service().publisher();
    let many: Vec<String> = (0..200).map(|at| format!("plain-{at:03}")).collect();
    publish(&store, &publisher, &many, 2).await;
    pass(AWAY_FOR).await;
    is_away.store(false, Ordering::Release);
    running.settled_within(2 * PATIENCE).await;
    assert_eq!(
        parked(running.service(), &store).await,
        Vec::<String>::new()
    );
    assert_exact(&store, Dependent::NAME).await;
    let attempts = count(&store, MOST_ATTEMPTS).await;
    assert!(
        attempts < i64::from(ATTEMPTS),
        "{attempts} attempts were made"
    );
    running.stop().await;
}

#[tokio::test]
async fn an_outage_of_the_database_parks_nothing() {
    let server = postgres::Server::start();
    let database = server.fresh();
    let store = open(database.url()).await;
    let (one, other) = (
        Running::start(post(&store).await),
        Running::start(post(&open(database.url()).await).await),
    );
    let publisher = one.service().publisher();
    let items = [names("plain", 20), names("flaky", 10)].concat();
    for _ in 0..3 {
        publish(&store, &publisher, &items, 3).await;
        server.stop();
        pass(AWAY_FOR / 2).await;
        server.restart();
        one.settled().await;
        assert_eq!(parked(one.service(), &store).await, Vec::<String>::new());
        assert_exact(&store, "track").await;
        let attempts = count(&store, MOST_ATTEMPTS).await;
        assert!(
            attempts < i64::from(QUICK.attempts),
            "{attempts} attempts were made"
        );
    }
    one.stop().await;
    other.stop().await;
}

/// Fails at first, then waits inside its transaction until it is told to go on.
struct Waiting {
    has_failed: AtomicBool,
    entered: Arc<watch::Sender<u32>>,
    go: watch::Receiver<u32>,
}

impl Handler for Waiting {
    const NAME: &'static str = "waiting";
    const EFFECTS: Effects = Effects::Transactional;
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
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            return Err(HandlerError::retry("the first try fails"));
        }
        remember(Self::NAME, &event, cx).await?;
        self.entered.send_modify(|entered| *entered += 1);
        let entered = *self.entered.borrow();
        self.go.clone().wait_for(|go| *go >= entered).await?;
        let id = id_of(&event);
        let still = cx
            .tx()
            .await?
            .query("select count(*) as n from item where id = $1")
            .bind(id);
        still.fetch_one().await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_retry_that_outages_interrupt_spends_no_attempts() {
    let server = postgres::Server::start();
    let database = server.fresh();
    let store = open(database.url()).await;
    let entered = Arc::new(watch::Sender::new(0));
    let (go, gone) = watch::channel(0);
    let waiting = Waiting {
        has_failed: AtomicBool::new(false),
        entered: Arc::clone(&entered),
        go: gone,
    };
    let service = wire(&store)
        .handle(waiting.from(Start::Beginning))
        .build()
        .await
        .unwrap();
    let running = Running::start(service);
    publish(
        &store,
        &running.service().publisher(),
        &names("plain", 1),
        1,
    )
    .await;
    for outage in 1..=4 {
        let mut seen = entered.subscribe();
        let reached = seen.wait_for(|entered| *entered >= outage);
        drop(
            tokio::time::timeout(PATIENCE, reached)
                .await
                .unwrap()
                .unwrap(),
        );
        server.kill9();
        go.send_replace(outage);
        pass(AWAY_FOR / 6).await;
        server.restart();
    }
    go.send_replace(u32::MAX);
    running.settled().await;
    assert_eq!(
        parked(running.service(), &store).await,
        Vec::<String>::new()
    );
    assert_exact(&store, Waiting::NAME).await;
    running.stop().await;
}

/// The answer to the taking of lanes is lost: they are the worker's, and it does not know.
#[tokio::test]
async fn lanes_taken_while_the_server_dies_are_not_forgotten() {
    let server = postgres::Server::start();
    let database = server.fresh();
    let store = open(database.url()).await;
    let service = post(&store).await;
    publish(&store, &service.publisher(), &names("plain", 40), 2).await;
    let part = Part::worker(database.url(), Threads::One).stopping_at("lanes-taken", 1);
    let mut child = part.start().await;
    child.reached("lanes-taken").await;
    server.kill9();
    server.restart();
    child.go();
    eventually(PATIENCE, async || {
        service.is_settled().await.unwrap_or(false)
    })
    .await;
    assert_exact(&store, "track").await;
    child.kill9();
}

each_backend!(an_outage_of_a_dependency_parks_nothing);
