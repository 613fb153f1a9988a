//! A transaction that drew its number first and commits last. SQLite has one writer, so the story
//! cannot happen there.

use std::time::Duration;

use platform_core::TenantId;
use platform_tests::{Backend, eventually, seeds};

use crate::running::{PATIENCE, Running, not_within};
use crate::world::{moved, open, publish_in, seen, send, watching};

const A_WHILE: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_lower_position_that_commits_last_is_neither_lost_nor_overtaken() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);
    running.ready(&store).await;
    let publisher = running.service().publisher();
    send(&publisher, "warm-up", 1, 1).await;
    running.settled().await;

    let mut early = store.begin().await.unwrap();
    publish_in(&publisher, &mut early, "early", 1).await;
    let mut late = store.begin().await.unwrap();
    publish_in(&publisher, &mut late, "late", 1).await;
    late.commit().await.unwrap();
    not_within(A_WHILE, async || seen(&store, "ledger").await.len() > 1).await;
    early.commit().await.unwrap();

    eventually(PATIENCE, async || seen(&store, "ledger").await.len() == 3).await;
    running.settled().await;
    let expected = ["default/warm-up/1", "default/early/1", "default/late/1"];
    assert_eq!(seen(&store, "ledger").await, expected);
    assert_eq!(seen(&store, "track").await.len(), 3);
    running.stop().await;
}

#[tokio::test]
async fn the_very_first_position_that_commits_last_is_not_lost() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);
    running.ready(&store).await;
    let publisher = running.service().publisher();
    let mut first = store.begin().await.unwrap();
    publish_in(&publisher, &mut first, "first", 1).await;
    send(&publisher, "second", 1, 1).await;
    not_within(A_WHILE, async || !seen(&store, "ledger").await.is_empty()).await;
    first.commit().await.unwrap();
    running.settled().await;
    assert_eq!(
        seen(&store, "ledger").await,
        ["default/first/1", "default/second/1"]
    );
    running.stop().await;
}

/// Ten transactions that overlap and end in a drawn order, some by rolling back.
#[tokio::test]
async fn overlapping_transactions_may_end_in_any_order() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);
    running.ready(&store).await;
    let publisher = running.service().publisher();
    for (round, mut dice) in seeds(10).enumerate() {
        let mut open = Vec::new();
        for at in 0..10 {
            let id = format!("{round}-{at}");
            let mut tx = store.begin().await.unwrap();
            publisher
                .publish_in(&mut tx, moved(&TenantId::default(), &id, 1))
                .await
                .unwrap();
            open.push((format!("default/{id}/1"), tx));
        }
        dice.shuffle(&mut open);
        let mut committed = Vec::new();
        for (line, tx) in open {
            if dice.chance(30) {
                tx.rollback().await.unwrap();
            } else {
                tx.commit().await.unwrap();
                committed.push(line);
            }
        }
        running.settled().await;
        committed.sort_unstable();
        let prefix = format!("default/{round}-");
        let mut lines = seen(&store, "ledger").await;
        lines.retain(|line| line.starts_with(&prefix));
        assert_eq!(lines, committed, "in the order of their positions");
    }
    running.stop().await;
}
