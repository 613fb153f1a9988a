//! Who holds the log back, and who does not: only a transaction that has published and stays open.
//! SQLite has one writer, so nobody can be held back there.

use std::time::Duration;

use platform_core::{Store, Tx};
use platform_events::Publisher;
use platform_tests::{Backend, eventually};

use crate::running::{PATIENCE, Running, not_within};
use crate::world::{open, open_url, publish_in, seen, send, watching};

/// Well below what a transaction that held the log back would cost: it stays open to the end.
const NO_DELAY: Duration = Duration::from_secs(2);

#[tokio::test]
async fn writers_that_publish_nothing_delay_nobody() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);

    let elsewhere = Backend::Postgres.fresh().await;
    let other = open(&elsewhere).await;
    let mut writes_elsewhere = other.begin().await.unwrap();
    let table = "create table unrelated as select 1 as n";
    writes_elsewhere.query(table).execute().await.unwrap();
    let mut writes_here = store.begin().await.unwrap();
    audit(&mut writes_here).await;

    send(&running.service().publisher(), "a", 1, 20).await;
    eventually(NO_DELAY, async || seen(&store, "ledger").await.len() == 20).await;
    eventually(NO_DELAY, async || seen(&store, "track").await.len() == 20).await;
    assert!(
        running.service().health().reasons.is_empty(),
        "{:?}",
        running.service().health()
    );
    writes_here.commit().await.unwrap();
    writes_elsewhere.commit().await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_log_in_another_database_holds_nothing_back_here() {
    let (here, there) = (
        Backend::Postgres.fresh().await,
        Backend::Postgres.fresh().await,
    );
    let (store, other) = (open(&here).await, open(&there).await);
    let running = Running::start(watching(&store).await);
    let publisher = watching(&other).await.publisher();
    let mut open_there = other.begin().await.unwrap();
    publish_in(&publisher, &mut open_there, "there", 1).await;
    send(&running.service().publisher(), "a", 1, 20).await;
    eventually(NO_DELAY, async || seen(&store, "ledger").await.len() == 20).await;
    open_there.rollback().await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn whoever_published_and_stays_open_is_named_and_then_caught_up_with() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);
    let publisher = running.service().publisher();
    send(&publisher, "before", 1, 1).await;
    running.settled().await;

    let url = format!("{}?application_name=slow-importer", database.url());
    let importer = open_url(&url).await;
    let mut slow = importer.begin().await.unwrap();
    publish_in(&publisher, &mut slow, "slow", 1).await;
    let row = slow
        .query("select pg_backend_pid() as pid")
        .fetch_one()
        .await
        .unwrap();
    let pid: i64 = row.get("pid").unwrap();
    held_back(&store, &publisher).await;
    named(
        &running,
        &[&format!("pid {pid}"), "slow-importer", "stays open"],
    )
    .await;
    slow.commit().await.unwrap();
    caught_up(&store, &running).await;
    running.stop().await;
}

#[tokio::test]
async fn a_prepared_transaction_that_published_is_named_too() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);
    let publisher = running.service().publisher();
    send(&publisher, "before", 1, 1).await;
    running.settled().await;

    let mut slow = store.begin().await.unwrap();
    publish_in(&publisher, &mut slow, "slow", 1).await;
    slow.query("prepare transaction 'two-phase'")
        .execute()
        .await
        .unwrap();
    drop(slow);
    held_back(&store, &publisher).await;
    named(
        &running,
        &["prepared transaction", "two-phase", "stays open"],
    )
    .await;
    store
        .query("commit prepared 'two-phase'")
        .execute()
        .await
        .unwrap();
    caught_up(&store, &running).await;
    running.stop().await;
}

async fn held_back(store: &Store, publisher: &Publisher) {
    send(publisher, "after", 1, 10).await;
    let overtaken = async || seen(store, "ledger").await.len() > 1;
    not_within(Duration::from_millis(400), overtaken).await;
}

async fn named(running: &Running, words: &[&str]) {
    let says = |reason: &String| words.iter().all(|word| reason.contains(word));
    eventually(PATIENCE, async || {
        running.service().health().reasons.iter().any(says)
    })
    .await;
    assert!(
        running.service().health().is_live,
        "a slow writer is nobody's death"
    );
}

async fn caught_up(store: &Store, running: &Running) {
    running.settled().await;
    let mut expected = vec!["default/before/1".to_owned(), "default/slow/1".to_owned()];
    expected.extend((1..=10).map(|version| format!("default/after/{version}")));
    assert_eq!(seen(store, "ledger").await, expected);
    let service = running.service();
    eventually(PATIENCE, async || service.health().reasons.is_empty()).await;
}

async fn audit(tx: &mut Tx) {
    tx.query("insert into audit (note) values ('long')")
        .execute()
        .await
        .unwrap();
}
