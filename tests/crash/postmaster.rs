//! A PostgreSQL server that is killed again and again under publishers that roll back often, with
//! workers that survive it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use platform_core::Store;
use platform_events::{Error, Publisher};
use platform_tests::{Round, eventually, postgres, seeds};
use tokio::task::JoinHandle;

use crate::running::{PATIENCE, Running};
use crate::world::{assert_exact, count, open, parked, post, raise};

const ROUNDS: u64 = 20;
const WRITERS: u64 = 6;
const LOGGED: &str = "select count(*) as n from platform_log";
const BLOCKED: &str = "select count(*) as n from platform_blocked";

/// Publishers that go on through every failure until they are told to stop.
struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    fn start(store: &Store, publisher: &Publisher, round: &mut Round) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..WRITERS).map(|at| {
            let (store, publisher, stop) = (store.clone(), publisher.clone(), Arc::clone(&stop));
            let mut draws: Vec<u64> = (0..64).map(|_| round.draw()).collect();
            tokio::spawn(async move {
                while !stop.load(Ordering::Acquire) {
                    let draw = draws[0];
                    draws.rotate_left(1);
                    // Whether it was committed is not known; the item's row tells.
                    drop(write(&store, &publisher, at, draw).await);
                    tokio::task::yield_now().await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { stop, tasks }
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Release);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// Raises a few items and takes it back in two of three times, so that numbers are drawn in vain.
async fn write(store: &Store, publisher: &Publisher, at: u64, draw: u64) -> Result<(), Error> {
    let mut tx = store.begin().await?;
    for nth in 0..=draw % 3 {
        let sort = if at == 0 { "flaky" } else { "plain" };
        raise(&mut tx, publisher, &format!("{sort}-{at:02}-{nth}")).await?;
    }
    if draw % 9 < 6 {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_and_doubles_nothing() {
    // Two servers share the rounds: most of a round is waiting.
    let rounds: Rounds = RefCell::new(Box::new(seeds(ROUNDS)));
    tokio::join!(kill_one(&rounds), kill_one(&rounds));
}

type Rounds = RefCell<Box<dyn Iterator<Item = Round>>>;

/// Kills and restarts a server of its own in each round, and waits until all is handled.
async fn kill_one(rounds: &Rounds) {
    let server = Arc::new(postgres::Server::durable());
    let database = server.fresh();
    let store = open(database.url()).await;
    let one = Running::start(post(&open(database.url()).await).await);
    let other = Running::start(post(&open(database.url()).await).await);
    let publisher = one.service().publisher();
    loop {
        let next = rounds.borrow_mut().next();
        let Some(mut round) = next else { break };
        let writers = Writers::start(&store, &publisher, &mut round);
        let wanted = count(&store, LOGGED).await + i64::try_from(round.below(80)).unwrap();
        eventually(PATIENCE, async || count(&store, LOGGED).await >= wanted).await;
        let killed = Arc::clone(&server);
        let killing = tokio::task::spawn_blocking(move || {
            killed.kill9();
            killed.restart();
        });
        killing.await.unwrap();
        writers.stop().await;
        one.settled().await;
        assert_eq!(parked(one.service(), &store).await, Vec::<String>::new());
        assert_exact(&store, "track").await;
        assert_eq!(count(&store, BLOCKED).await, 0, "a key stayed blocked");
    }
    one.stop().await;
    other.stop().await;
}
