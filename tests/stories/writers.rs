//! Many writers against a service at work: what was committed is what was handled.

use std::time::Duration;

use platform_tests::{Database, each_backend, is_long};

use crate::load::{ITEMS, Load, Tally, assert_exact};
use crate::running::Running;
use crate::world::{count, open, stock, watching};

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

each_backend!(what_many_writers_commit_is_handled_once_and_in_order);
