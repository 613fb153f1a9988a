//! Two logs in one database, told apart by their schema: one transaction publishes in both, and
//! neither holds the other back. SQLite has one log a file.

use std::time::Duration;

use platform_core::store::Options;
use platform_core::{Store, TenantId};
use platform_tests::{Backend, Database, eventually};

use crate::running::{PATIENCE, Running, not_within};
use crate::world::{moved, publish_in, seen, watching};

async fn schema(database: &Database, name: &str) -> Store {
    Options::new(&database.url())
        .with_schema(name)
        .open()
        .await
        .unwrap()
}

#[tokio::test]
async fn one_transaction_publishes_in_two_logs_and_both_deliver() {
    let database = Backend::Postgres.fresh().await;
    let (left, right) = (
        schema(&database, "left_log").await,
        schema(&database, "right_log").await,
    );
    let (on_left, on_right) = (
        Running::start(watching(&left).await),
        Running::start(watching(&right).await),
    );
    let (to_left, to_right) = (
        on_left.service().publisher(),
        on_right.service().publisher(),
    );
    for version in 1..=50 {
        let mut tx = left.begin().await.unwrap();
        let change = moved(&TenantId::default(), "a", version);
        let conn = tx.postgres().unwrap();
        to_left
            .publish_in(&mut *conn, change.clone())
            .await
            .unwrap();
        to_right.publish_in(&mut *conn, change).await.unwrap();
        tx.commit().await.unwrap();
    }
    on_left.settled().await;
    on_right.settled().await;
    let expected: Vec<String> = (1..=50)
        .map(|version| format!("default/a/{version}"))
        .collect();
    for store in [&left, &right] {
        assert_eq!(seen(store, "ledger").await, expected);
        assert_eq!(seen(store, "track").await, expected);
    }
    on_left.stop().await;
    on_right.stop().await;
}

/// The second log's floor must be registered too, although the first has been.
#[tokio::test]
async fn a_late_commit_of_both_is_lost_in_neither() {
    let database = Backend::Postgres.fresh().await;
    let (left, right) = (
        schema(&database, "left_log").await,
        schema(&database, "right_log").await,
    );
    let (on_left, on_right) = (
        Running::start(watching(&left).await),
        Running::start(watching(&right).await),
    );
    let (to_left, to_right) = (
        on_left.service().publisher(),
        on_right.service().publisher(),
    );
    on_left.ready(&left).await;
    on_right.ready(&right).await;
    let change = |id: &str| moved(&TenantId::default(), id, 1);

    let mut late = left.begin().await.unwrap();
    let conn = late.postgres().unwrap();
    to_left
        .publish_in(&mut *conn, change("late"))
        .await
        .unwrap();
    to_right
        .publish_in(&mut *conn, change("late"))
        .await
        .unwrap();
    to_left.publish(change("quick")).await.unwrap();
    to_right.publish(change("quick")).await.unwrap();
    let overtaken = async || {
        !seen(&left, "ledger").await.is_empty() || !seen(&right, "ledger").await.is_empty()
    };
    not_within(Duration::from_millis(400), overtaken).await;
    late.commit().await.unwrap();
    on_left.settled().await;
    on_right.settled().await;
    for store in [&left, &right] {
        assert_eq!(
            seen(store, "ledger").await,
            ["default/late/1", "default/quick/1"]
        );
    }
    on_left.stop().await;
    on_right.stop().await;
}

#[tokio::test]
async fn an_open_publisher_of_one_log_does_not_hold_the_other() {
    let database = Backend::Postgres.fresh().await;
    let (left, right) = (
        schema(&database, "left_log").await,
        schema(&database, "right_log").await,
    );
    let on_right = Running::start(watching(&right).await);
    let to_left = watching(&left).await.publisher();
    let mut open_left = left.begin().await.unwrap();
    publish_in(&to_left, &mut open_left, "left", 1).await;
    let to_right = on_right.service().publisher();
    for version in 1..=50 {
        let change = moved(&TenantId::default(), "right", version);
        to_right.publish(change).await.unwrap();
    }
    eventually(PATIENCE, async || seen(&right, "ledger").await.len() == 50).await;
    open_left.commit().await.unwrap();
    on_right.stop().await;
}
