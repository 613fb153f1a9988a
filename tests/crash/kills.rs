//! Workers and publishers that are killed with `kill -9`, at named places and at random moments.

use std::cell::RefCell;

use platform_core::Store;
use platform_events::Service;
use platform_tests::{Child, Database, Round, each_backend, eventually, seeds};

use crate::part::{Part, Threads};
use crate::running::{PATIENCE, settle_and_check};
use crate::world::{Track, count, expire_leases, names, open, post, publish};

const ROUNDS: u64 = 20;

/// A place where workers are killed, and at which passing of it at most.
struct Place {
    name: &'static str,
    passings: u64,
}

/// The only events that may be parked: the handler refused them.
const REFUSED: [&str; 2] = ["rejected of bad-00 3", "rejected of bad-01 3"];

fn items() -> Vec<String> {
    [names("plain", 20), names("flaky", 8), names("bad", 2)].concat()
}

/// The rounds that are left, for two databases to share: most of a round is waiting.
type Rounds = RefCell<Box<dyn Iterator<Item = Round>>>;

fn rounds() -> Rounds {
    RefCell::new(Box::new(seeds(ROUNDS)))
}

fn next(rounds: &Rounds) -> Option<Round> {
    rounds.borrow_mut().next()
}

async fn kill_at(database: Database, place: Place) {
    let (other, rounds) = (database.backend().fresh().await, rounds());
    tokio::join!(
        kill_in(&database, &place, &rounds),
        kill_in(&other, &place, &rounds)
    );
}

/// Kills a worker in each round, and lets another one settle what it left.
async fn kill_in(database: &Database, place: &Place, rounds: &Rounds) {
    let url = database.url();
    let store = open(&url).await;
    let service = post(&store).await;
    while let Some(mut round) = next(rounds) {
        publish(&store, &service.publisher(), &items(), 3).await;
        let threads = *round.pick(&[Threads::One, Threads::Two]);
        let nth = 1 + round.below(place.passings);
        let part = Part::worker(&url, threads).stopping_at(place.name, nth);
        let mut child = part.start().await;
        tokio::select! {
            () = child.reached(place.name) => {}
            // It had less to do than the round wished for.
            () = settled(&service) => {}
        }
        child.kill9();
        expire_leases(&store).await;
        settle_and_check(&store, &REFUSED).await;
    }
}

async fn settled(service: &Service) {
    eventually(PATIENCE, async || {
        service.is_settled().await.unwrap_or(false)
    })
    .await;
}

async fn a_worker_killed_while_it_takes_lanes_loses_nothing(database: Database) {
    kill_at(
        database,
        Place {
            name: "taking-lanes",
            passings: 1,
        },
    )
    .await;
}

async fn a_worker_killed_after_it_took_lanes_loses_nothing(database: Database) {
    kill_at(
        database,
        Place {
            name: "lanes-taken",
            passings: 1,
        },
    )
    .await;
}

async fn a_worker_killed_in_the_middle_of_a_batch_loses_nothing(database: Database) {
    kill_at(
        database,
        Place {
            name: Track::PLACE,
            passings: 80,
        },
    )
    .await;
}

async fn a_worker_killed_after_its_effects_loses_nothing(database: Database) {
    kill_at(
        database,
        Place {
            name: "before-fence",
            passings: 12,
        },
    )
    .await;
}

async fn a_worker_killed_before_its_commit_loses_nothing(database: Database) {
    kill_at(
        database,
        Place {
            name: "before-commit",
            passings: 12,
        },
    )
    .await;
}

async fn a_worker_killed_after_its_commit_repeats_nothing(database: Database) {
    kill_at(
        database,
        Place {
            name: "after-commit",
            passings: 12,
        },
    )
    .await;
}

async fn a_worker_killed_while_it_parks_loses_nothing(database: Database) {
    kill_at(
        database,
        Place {
            name: "parking",
            passings: 4,
        },
    )
    .await;
}

async fn a_worker_killed_during_a_retry_loses_nothing(database: Database) {
    kill_at(
        database,
        Place {
            name: "before-retry-fence",
            passings: 6,
        },
    )
    .await;
}

async fn processes_killed_at_random_moments_lose_nothing(database: Database) {
    let (other, rounds) = (database.backend().fresh().await, rounds());
    tokio::join!(
        kill_anywhere(&database, &rounds),
        kill_anywhere(&other, &rounds)
    );
}

/// A worker and a publisher, both killed once they have done some of their work.
async fn kill_anywhere(database: &Database, rounds: &Rounds) {
    let url = database.url();
    let store = open(&url).await;
    drop(post(&store).await);
    while let Some(mut round) = next(rounds) {
        let seed = round.draw();
        let mut publisher = Part::publisher(&url, seed).spawn();
        let mut worker = Part::worker(&url, Threads::Two).spawn();
        grown(&mut round, &store, "select count(*) as n from seen").await;
        kill_in_drawn_order(&mut round, &mut worker, &mut publisher, &store).await;
        expire_leases(&store).await;
        settle_and_check(&store, &[]).await;
    }
}

async fn kill_in_drawn_order(
    round: &mut Round,
    worker: &mut Child,
    publisher: &mut Child,
    store: &Store,
) {
    if round.chance(50) {
        worker.kill9();
        grown(round, store, "select count(*) as n from platform_log").await;
        publisher.kill9();
    } else {
        publisher.kill9();
        worker.kill9();
    }
}

/// Waits until a count has grown by a drawn number.
async fn grown(round: &mut Round, store: &Store, counted: &'static str) {
    let wanted = count(store, counted).await + i64::try_from(round.below(60)).unwrap();
    eventually(PATIENCE, async || count(store, counted).await >= wanted).await;
}

each_backend!(a_worker_killed_while_it_takes_lanes_loses_nothing);
each_backend!(a_worker_killed_after_it_took_lanes_loses_nothing);
each_backend!(a_worker_killed_in_the_middle_of_a_batch_loses_nothing);
each_backend!(a_worker_killed_after_its_effects_loses_nothing);
each_backend!(a_worker_killed_before_its_commit_loses_nothing);
each_backend!(a_worker_killed_after_its_commit_repeats_nothing);
each_backend!(a_worker_killed_while_it_parks_loses_nothing);
each_backend!(a_worker_killed_during_a_retry_loses_nothing);
each_backend!(processes_killed_at_random_moments_lose_nothing);
