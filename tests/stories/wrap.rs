//! Numbers that outgrow 31 bits. A floor's lock carries no more of a number than that; the reader
//! rebuilds the rest. PostgreSQL only.

use std::time::Duration;

use platform_core::Store;
use platform_tests::{Backend, Database};

use crate::load::{ITEMS, Load, assert_exact};
use crate::running::{Running, not_within};
use crate::world::{count, open, post, publish_in, seen, send, stock, watching};

/// A log whose next number is `before` numbers below 2^31.
async fn below_the_wrap(database: &Database, before: i64) -> Store {
    let store = open(database).await;
    post(&store, []).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for sql in [
        "update platform_meta set value = '1000000000' where name = 'partition_rows'",
        "drop table platform_log_0_1000000, platform_log_1000000_2000000",
        "select platform_log_partition(2999999999)",
    ] {
        tx.query(sql).execute().await.unwrap();
    }
    let set = tx.query("select setval('platform_log_seq', 2147483647 - $1)");
    set.bind(before).execute().await.unwrap();
    tx.commit().await.unwrap();
    store
}

#[tokio::test]
async fn a_floor_below_the_wrap_holds_numbers_above_it() {
    let database = Backend::Postgres.fresh().await;
    let store = below_the_wrap(&database, 2).await;
    let running = Running::start(watching(&store).await);
    running.ready(&store).await;
    let publisher = running.service().publisher();
    let mut below = store.begin().await.unwrap();
    publish_in(&publisher, &mut below, "below", 1).await;
    send(&publisher, "between", 1, 5).await;
    // Its floor has small bits, and yet is the greater of the two.
    let mut above = store.begin().await.unwrap();
    publish_in(&publisher, &mut above, "above", 1).await;
    send(&publisher, "after", 1, 5).await;

    let overtaken = async || !seen(&store, "ledger").await.is_empty();
    not_within(Duration::from_millis(400), overtaken).await;
    below.commit().await.unwrap();
    let overtaken = async || seen(&store, "ledger").await.len() > 6;
    not_within(Duration::from_millis(400), overtaken).await;
    assert_eq!(
        seen(&store, "ledger").await.len(),
        6,
        "what lies below the second floor"
    );
    above.commit().await.unwrap();
    running.settled().await;
    running.stop().await;
    let mut expected = vec!["default/below/1".to_owned()];
    expected.extend((1..=5).map(|version| format!("default/between/{version}")));
    expected.push("default/above/1".to_owned());
    expected.extend((1..=5).map(|version| format!("default/after/{version}")));
    assert_eq!(seen(&store, "ledger").await, expected);
}

#[tokio::test]
async fn writers_that_pass_the_wrap_lose_nothing() {
    let database = Backend::Postgres.fresh().await;
    let store = below_the_wrap(&database, 200).await;
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
