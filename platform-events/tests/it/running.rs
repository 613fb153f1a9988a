//! A service runs once at a time, again after it has ended, and ends when a part of it does.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform_core::{RetryPolicy, Store};
use platform_events::consequence::{Consequence, Runner, Wiring};
use platform_events::parking::{Cause, Filter};
use platform_events::{
    Context, Effects, ErrorKind, Event, Handler, HandlerError, Publisher, Received, Service, Start,
};
use platform_tests::{Database, each_backend};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::following::Track;
use crate::world::{TABLES, seen, send, settled, store};

async fn post(store: &Store) -> Service {
    Service::builder("post", store.clone())
        .with_migrations(TABLES)
        .handle(Track.from(Start::Beginning))
        .build()
        .await
        .unwrap()
}

async fn a_service_runs_again_after_it_has_ended(database: Database) {
    let store = store(&database).await;
    let service = post(&store).await;
    for version in 1..=3 {
        send(&service.publisher(), &store, "a", version, version).await;
        settled(&service).await;
    }
    assert_eq!(seen(&store, "track", "a").await, [1, 2, 3]);
}

async fn a_service_does_not_run_twice_at_the_same_time(database: Database) {
    let store = store(&database).await;
    let service = Arc::new(post(&store).await);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let first = tokio::spawn({
        let service = Arc::clone(&service);
        async move { service.run(async { drop(stopped.await) }).await }
    });
    platform_tests::eventually(Duration::from_secs(10), async || service.health().is_ready).await;
    let second = service.run(std::future::pending()).await.unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Worker);
    stop.send(()).unwrap();
    first.await.unwrap().unwrap();
}

async fn a_run_that_is_dropped_lets_go_of_its_lanes(database: Database) {
    let store = store(&database).await;
    let service = post(&store).await;
    {
        let run = std::pin::pin!(service.run(std::future::pending()));
        let ready = async {
            let within = Duration::from_secs(10);
            platform_tests::eventually(within, async || service.health().is_ready).await;
            send(&service.publisher(), &store, "a", 1, 1).await;
            service.settled().await;
        };
        tokio::select! {
            ended = run => panic!("{ended:?}"),
            () = ready => {}
        }
    }
    let held = "select count(*) as n from platform_lane where process is not null";
    platform_tests::eventually(Duration::from_secs(10), async || {
        let row = store.query(held).fetch_one().await.unwrap();
        row.get::<i64>("n").unwrap() == 0
    })
    .await;
}

#[derive(Debug)]
struct Hasty;

#[async_trait::async_trait]
impl Runner for Hasty {
    async fn run(&self, _: Store, _: Publisher, _: CancellationToken) {}

    async fn pending(&self, _: &Store) -> Result<i64, platform_events::Error> {
        Ok(0)
    }
}

impl Consequence for Hasty {
    fn join(self, wiring: &mut Wiring) {
        wiring.run(Arc::new(self));
    }
}

async fn a_runner_that_ends_early_ends_the_service_aloud(database: Database) {
    let service = Service::builder("post", store(&database).await)
        .with(Hasty)
        .build()
        .await
        .unwrap();
    let ended = service.run(std::future::pending()).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Worker);
    assert!(ended.to_string().contains("Hasty"), "{ended}");
}

async fn a_handler_that_is_gone_unsettles_nobody(database: Database) {
    let store = store(&database).await;
    let service = post(&store).await;
    drop(service);
    let without = Service::builder("post", store.clone())
        .with_migrations(TABLES)
        .build()
        .await
        .unwrap();
    send(&without.publisher(), &store, "a", 1, 2).await;
    settled(&without).await;
    let with = post(&store).await;
    assert!(!with.is_settled().await.unwrap());
    settled(&with).await;
    assert_eq!(seen(&store, "track", "a").await, [1, 2]);
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "ball.thrown")]
struct BallThrown {
    #[event(key)]
    to: String,
}

/// Throws the ball back, and drops it once each time.
#[derive(Default)]
struct Catch(Mutex<HashSet<i64>>);

impl Handler for Catch {
    const NAME: &'static str = "catch";
    const EFFECTS: Effects = Effects::Transactional;
    const RETRY: RetryPolicy = RetryPolicy {
        base: Duration::from_millis(1),
        ..RetryPolicy::DEFAULT
    };
    type Event = BallThrown;

    async fn handle(
        &self,
        event: Received<BallThrown>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        if self.0.lock().unwrap().insert(event.position()) {
            return Err(HandlerError::retry("dropped"));
        }
        let to = event.to.chars().rev().collect();
        cx.publish(BallThrown { to });
        Ok(())
    }
}

async fn a_circle_that_fails_once_each_round_is_cut_too(database: Database) {
    let store = store(&database).await;
    let service = Service::builder("post", store.clone())
        .handle(Catch::default().from(Start::Beginning))
        .build()
        .await
        .unwrap();
    let first = BallThrown { to: "ab".into() }.unkeyed();
    service.publisher().publish(first).await.unwrap();
    settled(&service).await;
    let parked = service.parking().list(&Filter::all(), None, 200).await;
    let causes: Vec<Cause> = parked
        .unwrap()
        .items
        .iter()
        .map(|event| event.cause)
        .collect();
    assert_eq!(causes, [Cause::Depth]);
    let overview = service.overview().await.unwrap();
    assert_eq!(overview.handled, 17);
}

async fn every_mistake_of_a_consequence_is_named(database: Database) {
    struct Wrong;
    impl Consequence for Wrong {
        fn join(self, wiring: &mut Wiring) {
            wiring.refuse("the left hand is missing");
            wiring.refuse("the right hand is missing");
        }
    }
    let built = Service::builder("post", store(&database).await)
        .with(Wrong)
        .build()
        .await
        .unwrap_err();
    assert_eq!(built.kind(), ErrorKind::Wiring);
    let said = built.to_string();
    assert!(
        said.contains("left hand") && said.contains("right hand"),
        "{said}"
    );
}

each_backend!(
    a_service_runs_again_after_it_has_ended,
    a_service_does_not_run_twice_at_the_same_time,
    a_run_that_is_dropped_lets_go_of_its_lanes,
    a_runner_that_ends_early_ends_the_service_aloud,
    a_handler_that_is_gone_unsettles_nobody,
    a_circle_that_fails_once_each_round_is_cut_too,
    every_mistake_of_a_consequence_is_named,
);
