//! Clocks that jump. Two processes agree by the database's clock alone; when that one jumps by an
//! hour, every lease has run out at once, and nothing is lost or doubled.

use std::time::Duration;

use platform_core::Store;
use platform_events::{Handler, Publisher, Service, Start};
use platform_tests::{Database, each_backend, eventually};

use crate::running::{PATIENCE, Running};
use crate::world::{TABLES, Track, open, send, versions};

const LEASE: Duration = Duration::from_secs(2);
/// Enough keys that every lane has some.
const KEYS: u64 = 64;

async fn process(store: &Store) -> Running {
    let service = Service::builder("post", store.clone())
        .with_migrations(TABLES)
        .with_lease(LEASE)
        .handle(Track.from(Start::Beginning))
        .build();
    Running::start(service.await.unwrap())
}

/// Publishes the next version of every key and waits, at most `bound`, until all are handled.
async fn round(store: &Store, publisher: &Publisher, version: u64, bound: Duration) {
    for key in 0..KEYS {
        send(publisher, &format!("{key}"), version, version).await;
    }
    let newest = i64::try_from(version).unwrap();
    let handled = async || {
        let seen = versions(store, "track").await;
        seen.len() == 64 && seen.values().all(|seen| seen.contains(&newest))
    };
    eventually(bound, handled).await;
}

async fn shift(store: &Store, hours: i64) {
    let mut tx = store.begin().await.unwrap();
    let update = tx.query("update platform_clock set offset_us = $1");
    update.bind(hours * 3_600_000_000).execute().await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_clock_that_jumps_by_an_hour_costs_no_lane_more_than_a_lease(database: Database) {
    let (store, theirs) = (open(&database).await, open(&database).await);
    let (one, two) = (process(&store).await, process(&theirs).await);
    let publisher = one.service().publisher();
    round(&store, &publisher, 1, PATIENCE).await;
    let mut version = 1;
    for hours in [1, 0, -1, 0] {
        shift(&store, hours).await;
        for _ in 0..3 {
            version += 1;
            round(&store, &publisher, version, LEASE + LEASE).await;
        }
    }
    one.settled().await;
    one.stop().await;
    two.stop().await;
    let expected: Vec<i64> = (1..=i64::try_from(version).unwrap()).collect();
    for (key, seen) in versions(&store, "track").await {
        assert_eq!(seen, expected, "{key}");
    }
}

each_backend!(a_clock_that_jumps_by_an_hour_costs_no_lane_more_than_a_lease);
