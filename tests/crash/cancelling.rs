//! Calls of the store that are dropped at every await: nobody who comes later finds a transaction
//! that is not its own, and no connection is lost.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use platform_core::Store;
use platform_core::store::Options;
use platform_tests::{Database, each_backend, seeds};
use tokio::time::timeout;

use crate::world::{TABLES, count};

const CANCELLED: u64 = 400;
const CONNECTIONS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(10);
/// PostgreSQL admits it inside of a transaction only.
const INSIDE: &str = "savepoint stale";

/// Polls `work` at most `polls` times, then drops it where it waits.
async fn cut_off<T>(polls: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

async fn open(database: &Database) -> Store {
    let options = Options::new(&database.url()).without_flush();
    let store = options
        .with_connections_max(CONNECTIONS)
        .open()
        .await
        .unwrap();
    store.migrate(&TABLES).await.unwrap();
    store
}

/// Begins, writes one row called `name` and commits.
async fn write(store: &Store, name: &str) {
    let mut tx = store.begin().await.unwrap();
    let insert = tx
        .query("insert into item (id, version) values ($1, 1)")
        .bind(name);
    insert.execute().await.unwrap();
    tx.commit().await.unwrap();
}

/// Asserts that the next ones get clean connections, all of them at once.
async fn assert_clean(store: &Store, what: &str) {
    if store.postgres().is_some() {
        for _ in 0..CONNECTIONS {
            let inside = store.query(INSIDE).execute().await;
            assert!(inside.is_err(), "{what}: inside a stale transaction");
        }
    }
    let borrowers = if store.postgres().is_some() {
        CONNECTIONS
    } else {
        1
    };
    let mut open = Vec::new();
    for _ in 0..borrowers {
        let begun = timeout(PATIENCE, store.begin()).await;
        let Ok(Ok(tx)) = begun else {
            panic!("{what}: {begun:?}")
        };
        open.push(tx);
    }
    for tx in open {
        tx.rollback().await.unwrap();
    }
}

async fn a_cancelled_begin_leaves_nothing_behind(database: Database) {
    let store = open(&database).await;
    let mut round = seeds(1).next().unwrap();
    let mut cancelled = 0;
    for nth in 0..CANCELLED {
        let begun = cut_off(round.below(4), store.begin()).await;
        cancelled += u64::from(begun.is_none());
        // Half of the transactions that did begin are dropped, too.
        if let Some(tx) = begun
            && round.chance(50)
        {
            tx.unwrap().rollback().await.unwrap();
        }
        if nth % 4 == 0 {
            assert_clean(&store, &format!("begin {nth}")).await;
        }
    }
    assert!(
        cancelled > CANCELLED / 10,
        "only {cancelled} were cancelled"
    );
    assert_eq!(count(&store, "select count(*) as n from item").await, 0);
}

async fn a_cancelled_write_is_there_as_a_whole_or_not_at_all(database: Database) {
    let store = open(&database).await;
    let mut round = seeds(1).next().unwrap();
    let mut finished = 0;
    for nth in 0..CANCELLED {
        let name = format!("item-{nth}");
        // How often a write waits depends on the machine: some are cut off early, some hardly ever.
        let waits = if nth % 2 == 0 {
            round.below(4)
        } else {
            4 + round.below(24)
        };
        let done = cut_off(waits, write(&store, &name)).await;
        finished += i64::from(done.is_some());
        assert_clean(&store, &name).await;
    }
    let written = count(&store, "select count(*) as n from item").await;
    let cancelled = i64::try_from(CANCELLED).unwrap() - finished;
    assert!(cancelled > 20 && finished > 20, "{finished} finished");
    assert!(
        (finished..=finished + cancelled).contains(&written),
        "{written} of {finished}"
    );
    write(&store, "the last").await;
}

each_backend!(a_cancelled_begin_leaves_nothing_behind);
each_backend!(a_cancelled_write_is_there_as_a_whole_or_not_at_all);
