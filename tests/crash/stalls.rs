//! Owners that stall as a long pause of their machine would stall them, and go on when their lanes
//! belong to somebody else.

use std::time::Duration;

use platform_core::Store;
use platform_tests::{Backend, Child, Database, Signal, each_backend, eventually};

use crate::part::{Part, Threads};
use crate::running::{PATIENCE, Running};
use crate::world::{GRACE, LEASE, Track, assert_exact, count, names, open, parked, post, publish};

const LIVE: &str = "select count(*) as n from platform_process
    where expires_at > (select now from platform_time)";
const UNOWNED: &str = "select count(*) as n from platform_lane where process is null
    or process not in (select id from platform_process
        where expires_at > (select now from platform_time))";
const LANES_OF_NEWEST: &str = "select count(*) as n from platform_lane where process =
    (select id from platform_process order by started_at desc limit 1)";

/// Where an owner stalls.
#[derive(Clone, Copy)]
struct Stall {
    place: &'static str,
    passing: u64,
    /// Whether it holds a transaction there: the write lock of a SQLite file is then nobody else's.
    is_in_transaction: bool,
}

fn items() -> Vec<String> {
    [names("plain", 24), names("flaky", 16)].concat()
}

/// Two workers share the lanes; one stalls, the other finishes everything; then the first goes on.
async fn stall_at(database: Database, stall: Stall) {
    let url = database.url();
    let store = open(&url).await;
    let awake = Running::start(post(&store).await);
    let publisher = awake.service().publisher();
    let part = Part::worker(&url, Threads::One).stopping_at(stall.place, stall.passing);
    let mut child = part.start().await;
    eventually(PATIENCE, async || count(&store, LANES_OF_NEWEST).await == 8).await;
    let stalled = async {
        loop {
            publish(&store, &publisher, &items(), 2).await;
            tokio::select! {
                () = child.reached(stall.place) => return,
                // It had too little to do to come there.
                () = awake.settled() => {}
            }
        }
    };
    let stalled = tokio::time::timeout(PATIENCE, stalled).await;
    assert!(stalled.is_ok(), "the worker never stalled");
    child.signal(Signal::Freeze);
    if database.backend() == Backend::Sqlite && stall.is_in_transaction {
        eventually(LEASE + GRACE, async || count(&store, LIVE).await == 0).await;
    } else {
        awake.settled_within(LEASE + GRACE).await;
        assert_exact(&store, "track").await;
    }
    thaw(&mut child, &store).await;
    awake.settled().await;
    publish(&store, &publisher, &items(), 2).await;
    awake.settled_within(LEASE + GRACE).await;
    assert_exact(&store, "track").await;
    assert_eq!(parked(awake.service(), &store).await, Vec::<String>::new());
    awake.stop().await;
}

/// Lets a stalled worker go on, and waits until it is one of two again and each lane has an owner.
async fn thaw(child: &mut Child, store: &Store) {
    child.go();
    child.signal(Signal::Thaw);
    let shared = async || count(store, LIVE).await == 2 && count(store, UNOWNED).await == 0;
    eventually(2 * (LEASE + GRACE), shared).await;
}

async fn an_owner_stalled_before_its_effects_doubles_nothing(database: Database) {
    let stall = Stall {
        place: Track::PLACE,
        passing: 1,
        is_in_transaction: true,
    };
    stall_at(database, stall).await;
}

async fn an_owner_stalled_among_its_effects_doubles_nothing(database: Database) {
    let stall = Stall {
        place: Track::PLACE,
        passing: 3,
        is_in_transaction: true,
    };
    stall_at(database, stall).await;
}

async fn an_owner_stalled_before_its_fence_doubles_nothing(database: Database) {
    let stall = Stall {
        place: "before-fence",
        passing: 1,
        is_in_transaction: true,
    };
    stall_at(database, stall).await;
}

async fn an_owner_stalled_before_its_commit_doubles_nothing(database: Database) {
    let stall = Stall {
        place: "before-commit",
        passing: 1,
        is_in_transaction: true,
    };
    stall_at(database, stall).await;
}

async fn an_owner_stalled_after_its_commit_doubles_nothing(database: Database) {
    let stall = Stall {
        place: "after-commit",
        passing: 1,
        is_in_transaction: false,
    };
    stall_at(database, stall).await;
}

async fn an_owner_stalled_while_it_counts_a_retry_doubles_nothing(database: Database) {
    let stall = Stall {
        place: "before-retry-fence",
        passing: 1,
        is_in_transaction: true,
    };
    stall_at(database, stall).await;
}

async fn an_owner_stalled_during_a_retry_doubles_nothing(database: Database) {
    let stall = Stall {
        place: "before-retry-fence",
        passing: 2,
        is_in_transaction: true,
    };
    stall_at(database, stall).await;
}

/// A pause while there is nothing to do: who wakes up believes to own lanes that it lost.
async fn an_idle_owner_that_was_frozen_leaves_no_lane_unowned(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    let awake = Running::start(post(&store).await);
    let child = Part::worker(&url, Threads::One).start().await;
    eventually(PATIENCE, async || count(&store, LANES_OF_NEWEST).await == 8).await;
    child.signal(Signal::Freeze);
    let taken = async || count(&store, LANES_OF_NEWEST).await == 0;
    // On SQLite it may have been frozen with the write lock in its hands; then only thawing helps.
    let bound = LEASE + GRACE;
    let was_taken = tokio::time::timeout(bound, eventually(2 * bound, taken)).await;
    assert!(
        was_taken.is_ok() || database.backend() == Backend::Sqlite,
        "not taken over"
    );
    child.signal(Signal::Thaw);
    let shared =
        async || count(&store, LANES_OF_NEWEST).await == 8 && count(&store, UNOWNED).await == 0;
    eventually(bound, shared).await;
    publish(&store, &awake.service().publisher(), &items(), 1).await;
    awake.settled_within(Duration::from_secs(5)).await;
    assert_exact(&store, "track").await;
    awake.stop().await;
}

each_backend!(an_owner_stalled_before_its_effects_doubles_nothing);
each_backend!(an_owner_stalled_among_its_effects_doubles_nothing);
each_backend!(an_owner_stalled_before_its_fence_doubles_nothing);
each_backend!(an_owner_stalled_before_its_commit_doubles_nothing);
each_backend!(an_owner_stalled_after_its_commit_doubles_nothing);
each_backend!(an_owner_stalled_while_it_counts_a_retry_doubles_nothing);
each_backend!(an_owner_stalled_during_a_retry_doubles_nothing);
each_backend!(an_idle_owner_that_was_frozen_leaves_no_lane_unowned);
