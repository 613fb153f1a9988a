//! Workers that come, go and die, and how fast their lanes find another owner.

use std::time::Duration;

use platform_core::Store;
use platform_core::clock::Stopwatch;
use platform_tests::{Database, each_backend, eventually, seeds};

use crate::part::{Part, Threads};
use crate::running::{PATIENCE, Running};
use crate::world::{GRACE, LEASE, assert_exact, count, names, open, parked, post, publish};

const OWNERS: &str = "select count(distinct process) as n from platform_lane";
const FREE: &str = "select count(*) as n from platform_lane where process is null";
const LEAST_SHARE: &str = "select min(lanes) as n from
    (select count(*) as lanes from platform_lane group by process) t";
const ROUNDS: u64 = 3;

async fn shared_by(store: &Store, owners: i64, least: i64) -> bool {
    count(store, OWNERS).await == owners
        && count(store, FREE).await == 0
        && count(store, LEAST_SHARE).await == least
}

async fn a_killed_owner_is_replaced_within_its_lease(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    let survivor = Running::start(post(&store).await);
    for round in seeds(ROUNDS) {
        let mut child = Part::worker(&url, Threads::Two).start().await;
        eventually(PATIENCE, async || shared_by(&store, 2, 8).await).await;
        child.kill9();
        let since = Stopwatch::start();
        publish(
            &store,
            &survivor.service().publisher(),
            &names("plain", 40),
            1,
        )
        .await;
        survivor.settled_within(LEASE + GRACE).await;
        let took = since.elapsed();
        assert!(took < LEASE + GRACE, "seed {}: {took:?}", round.seed());
        assert_exact(&store, "track").await;
    }
    assert_eq!(
        parked(survivor.service(), &store).await,
        Vec::<String>::new()
    );
    survivor.stop().await;
}

async fn a_worker_that_joins_gets_its_share_and_gives_it_back(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    let first = Running::start(post(&store).await);
    eventually(LEASE + GRACE, async || shared_by(&store, 1, 16).await).await;
    let second = Running::start(post(&open(&url).await).await);
    eventually(LEASE + GRACE, async || shared_by(&store, 2, 8).await).await;
    let third = Running::start(post(&open(&url).await).await);
    eventually(LEASE + GRACE, async || shared_by(&store, 3, 4).await).await;
    publish(&store, &first.service().publisher(), &names("plain", 40), 2).await;
    first.settled().await;
    third.stop().await;
    // Nobody waits for the lease of one that left in order: two beats are enough.
    eventually(LEASE / 2 + GRACE / 4, async || {
        shared_by(&store, 2, 8).await
    })
    .await;
    second.stop().await;
    eventually(LEASE / 2 + GRACE / 4, async || {
        shared_by(&store, 1, 16).await
    })
    .await;
    publish(&store, &first.service().publisher(), &names("plain", 40), 1).await;
    first.settled_within(Duration::from_secs(5)).await;
    assert_exact(&store, "track").await;
    first.stop().await;
}

async fn lanes_change_owners_under_load_without_a_trace(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    let first = Running::start(post(&store).await);
    let publisher = first.service().publisher();
    let items = [names("plain", 20), names("flaky", 10)].concat();
    for _ in 0..4 {
        let guest = Running::start(post(&open(&url).await).await);
        publish(&store, &publisher, &items, 6).await;
        eventually(PATIENCE, async || count(&store, OWNERS).await == 2).await;
        publish(&store, &publisher, &items, 2).await;
        guest.stop().await;
    }
    first.settled().await;
    assert_exact(&store, "track").await;
    assert_eq!(parked(first.service(), &store).await, Vec::<String>::new());
    first.stop().await;
}

each_backend!(a_killed_owner_is_replaced_within_its_lease);
each_backend!(a_worker_that_joins_gets_its_share_and_gives_it_back);
each_backend!(lanes_change_owners_under_load_without_a_trace);
