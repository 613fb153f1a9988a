//! The relay when the transport does not do what it is asked: for now, for one key, for part of a batch.

use std::time::Duration;

use platform_core::{Actor, Store};
use platform_events::parking::Filter;
use platform_events::transport::memory::Faults;
use platform_tests::{Database, each_backend, eventually};

use crate::world::{PATIENCE, World, count, items, send, versions};

const BLOCKED: &str = "select count(*) as n from platform_blocked";
const PARKED: &str = "select count(*) as n from platform_blocked where state = 'parked'";
const NOT_DONE: &str = "select count(*) as n from platform_run where outcome <> 'done'";

async fn has_handled(store: &Store, events: i64) -> bool {
    count(store, "select count(*) as n from seen").await == events
}

async fn a_batch_that_fails_in_part_is_sent_to_its_end(database: Database) {
    let world = World::of(database, items()).await;
    let mut faults = Faults::none();
    faults.failures = 30;
    world.broker.disturb(7, faults);
    let publisher = world.publisher();
    for item in ["a", "b", "c", "d"] {
        send(&publisher, item, 1, 25).await;
    }
    world.settled().await;
    for (item, seen) in versions(&world.to.store).await {
        assert_eq!(seen, (1..=25).collect::<Vec<u64>>(), "{item}");
    }
    assert!(has_handled(&world.to.store, 100).await);
    assert_eq!(count(&world.from.store, BLOCKED).await, 0);
    assert_eq!(count(&world.from.store, NOT_DONE).await, 0);
    world.stop().await;
}

async fn an_outage_parks_nothing_and_counts_no_attempt(database: Database) {
    let world = World::of(database, items()).await;
    send(&world.publisher(), "a", 1, 3).await;
    world.settled().await;
    world.broker.outage(true);
    let before = world.broker.published();
    send(&world.publisher(), "a", 4, 20).await;
    // The relay has met the outage: its lane waits with the first of them.
    let paused = async || {
        let reasons = world.post.service().health().reasons;
        reasons
            .iter()
            .any(|why| why.starts_with("relay-items is paused"))
    };
    eventually(PATIENCE, paused).await;
    assert_eq!(world.broker.published(), before);
    assert_eq!(count(&world.from.store, BLOCKED).await, 0);
    assert_eq!(count(&world.from.store, NOT_DONE).await, 0);
    // A stop is honoured while it waits.
    let post = tokio::time::timeout(Duration::from_secs(5), world.post.stop());
    assert!(post.await.is_ok());
    world.broker.outage(false);
    let post = crate::world::service("post", &world.from, &world.broker).relay("items");
    let post = crate::world::Running::start(post.build().await.unwrap());
    eventually(PATIENCE, async || has_handled(&world.to.store, 20).await).await;
    let seen = versions(&world.to.store).await;
    assert_eq!(seen["default/a"], (1..=20).collect::<Vec<u64>>());
    post.stop().await;
    world.depot.stop().await;
}

async fn what_is_refused_blocks_its_key_alone_until_it_is_redriven(database: Database) {
    let world = World::of(database, items()).await;
    send(&world.publisher(), "bad", 1, 2).await;
    world.settled().await;
    world.broker.refuse("item/bad");
    send(&world.publisher(), "bad", 3, 6).await;
    send(&world.publisher(), "good", 1, 4).await;
    let is_parked = async || count(&world.from.store, PARKED).await == 1;
    eventually(PATIENCE, is_parked).await;
    eventually(PATIENCE, async || has_handled(&world.to.store, 6).await).await;

    world.broker.admit("item/bad");
    let parking = world.post.service().parking();
    let by = Actor::user("ada");
    parking
        .redrive(&Filter::all(), &by, "admitted")
        .await
        .unwrap();
    eventually(PATIENCE, async || has_handled(&world.to.store, 10).await).await;
    world.settled().await;
    assert_eq!(
        versions(&world.to.store).await["default/bad"],
        [1, 2, 3, 4, 5, 6]
    );
    world.stop().await;
}

async fn what_is_discarded_is_no_gap_for_the_receiver(database: Database) {
    let world = World::of(database, items()).await;
    send(&world.publisher(), "bad", 1, 2).await;
    world.settled().await;
    world.broker.refuse("item/bad");
    send(&world.publisher(), "bad", 3, 5).await;
    eventually(PATIENCE, async || {
        count(&world.from.store, PARKED).await == 1
    })
    .await;
    world.broker.admit("item/bad");
    let parking = world.post.service().parking();
    let by = Actor::user("ada");
    parking
        .discard(&Filter::all(), &by, "not for depot")
        .await
        .unwrap();
    eventually(PATIENCE, async || has_handled(&world.to.store, 4).await).await;
    world.settled().await;
    assert_eq!(versions(&world.to.store).await["default/bad"], [1, 2, 4, 5]);
    let receiving = world.depot.service().receiving();
    assert!(receiving.gaps(None, 10).await.unwrap().items.is_empty());
    world.stop().await;
}

each_backend!(
    a_batch_that_fails_in_part_is_sent_to_its_end,
    an_outage_parks_nothing_and_counts_no_attempt,
    what_is_refused_blocks_its_key_alone_until_it_is_redriven,
    what_is_discarded_is_no_gap_for_the_receiver,
);
