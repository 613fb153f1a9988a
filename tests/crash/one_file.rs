//! Two processes on one SQLite file, each a worker and a publisher, one of them killed over and
//! over, and a third that keeps the file to itself for a while.

use std::time::Duration;

use platform_tests::{Backend, Child, eventually, seeds, until};

use crate::part::Part;
use crate::running::{PATIENCE, Running, settle_and_check};
use crate::world::{count, expire_leases, open, post};

const ROUNDS: u64 = 10;
const LOGGED: &str = "select count(*) as n from platform_log";
const SEEN: &str = "select count(*) as n from seen";
const HELD_FOR: Duration = Duration::from_secs(2);

#[tokio::test]
async fn two_processes_on_one_file_lose_nothing_when_one_is_killed() {
    let database = Backend::Sqlite.fresh().await;
    let url = database.url();
    let store = open(&url).await;
    drop(post(&store).await);
    let mut steady = Part::both(&url, 1).start().await;
    for mut round in seeds(ROUNDS) {
        let mut doomed: Child = Part::both(&url, round.draw()).spawn();
        let wanted = count(&store, SEEN).await + i64::try_from(10 + round.below(200)).unwrap();
        eventually(PATIENCE, async || count(&store, SEEN).await >= wanted).await;
        doomed.kill9();
    }
    steady.kill9();
    expire_leases(&store).await;
    settle_and_check(&store, &[]).await;
}

#[tokio::test]
async fn a_transaction_held_open_by_another_delays_and_loses_nothing() {
    let database = Backend::Sqlite.fresh().await;
    let url = database.url();
    let store = open(&url).await;
    let working = Running::start(post(&store).await);
    let mut child = Part::both(&url, 7).start().await;
    eventually(PATIENCE, async || count(&store, SEEN).await > 20).await;
    let holder = open(&url).await;
    let tx = holder.begin().await.unwrap();
    let before = count(&store, LOGGED).await;
    let held = move || until(HELD_FOR, || false);
    assert!(!tokio::task::spawn_blocking(held).await.unwrap());
    assert_eq!(
        count(&store, LOGGED).await,
        before,
        "somebody wrote beside the writer"
    );
    tx.rollback().await.unwrap();
    eventually(PATIENCE, async || count(&store, LOGGED).await > before + 20).await;
    child.kill9();
    expire_leases(&store).await;
    working.settled().await;
    working.stop().await;
    settle_and_check(&store, &[]).await;
}
