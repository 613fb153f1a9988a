//! Many writers against a service at work: what was committed is what was handled.

use std::time::Duration;

use platform_tests::{Backend, Database, each_backend, is_long};

use crate::load::{ITEMS, Load, Tally, assert_exact};
use crate::running::Running;
use crate::world::{count, open, post, stock, watching};

async fn what_many_writers_commit_is_handled_once_and_in_order(database: Database) {
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);
    stock(&store, ITEMS).await;
    let lasting = Duration::from_secs(if is_long() { 20 } else { 4 });
    let load = Load {
        writers: 24,
        lasting,
        isolation: &[],
    };
    let tallies: Vec<Tally> = load.run(&store, &running.service().publisher()).await;
    running.settled().await;
    let health = running.service().health();
    assert!(
        health.is_live && health.is_ready && health.reasons.is_empty(),
        "{health:?}"
    );
    running.stop().await;
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let (committed, given_up) = (sum(|t| t.committed), sum(|t| t.given_up));
    assert!(
        committed > 100 && given_up > 5,
        "the load was no load: {tallies:?}"
    );
    assert_eq!(sum(|t| t.conflicts), 0, "{tallies:?}");
    for who in ["track", "ledger"] {
        assert_exact(&store, who).await;
    }
    let twice = "select count(*) as n from (
        select id_key from platform_log group by id_key having count(*) > 1) t";
    assert_eq!(count(&store, twice).await, 0, "a duplicate was appended");
    let notes = "select count(*) as n from platform_log where type = 'note.taken'";
    assert!((1..=50).contains(&count(&store, notes).await));
}

/// The floor's lock carries 31 bits of a number; the reader rebuilds the rest.
#[tokio::test]
async fn numbers_that_outgrow_31_bits_lose_nothing() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    post(&store, []).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for sql in [
        "update platform_meta set value = '1000000000' where name = 'partition_rows'",
        "drop table platform_log_0_1000000, platform_log_1000000_2000000",
        "select platform_log_partition(2999999999)",
        "select setval('platform_log_seq', 2147483648 - 200)",
    ] {
        tx.query(sql).execute().await.unwrap();
    }
    tx.commit().await.unwrap();
    let running = Running::start(watching(&store).await);
    stock(&store, ITEMS).await;
    let load = Load {
        writers: 24,
        lasting: Duration::from_secs(2),
        isolation: &[],
    };
    load.run(&store, &running.service().publisher()).await;
    running.settled().await;
    running.stop().await;
    for who in ["track", "ledger"] {
        assert_exact(&store, who).await;
    }
    let sides = "select count(distinct seq > 2147483648) as n from platform_log";
    assert_eq!(
        count(&store, sides).await,
        2,
        "the numbers did not pass the wrap"
    );
}

each_backend!(what_many_writers_commit_is_handled_once_and_in_order);
