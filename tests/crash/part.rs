//! What a child process plays: a worker, a publisher, or both, on the database that its parent
//! names, until it is killed. It must not know what the parent wants to see.
//!
//! [`platform_tests::Role`] is not asked: it listens on the standard input, where a failpoint waits
//! for its permission to go on.

use std::env;
use std::future::pending;
use std::os::unix::process::parent_id;
use std::time::Duration;

use platform_core::Store;
use platform_events::{Handler, Publisher, Start};
use platform_tests::{Child, Round, at, seeds, until};

use crate::world::{Track, open, raise, wire};

const PART: &str = "CRASH_PART";
const URL: &str = "CRASH_URL";
const HANDLING: &str = "CRASH_HANDLING";
const FAILPOINT: &str = "PLATFORM_FAILPOINT";
const SEED: &str = "PLATFORM_SEED";
const PARENT_GONE: i32 = 3;

/// How many threads the child has: with one, everything of it stands when it stops at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    One,
    Two,
}

/// A child that is about to be started.
#[derive(Debug)]
pub(crate) struct Part<'p> {
    url: &'p str,
    threads: Threads,
    values: Vec<(&'static str, String)>,
}

impl<'p> Part<'p> {
    /// A worker on the database at `url`.
    pub(crate) fn worker(url: &'p str, threads: Threads) -> Self {
        Self {
            url,
            threads,
            values: vec![(PART, "worker".into())],
        }
    }

    /// A worker and publisher in one process.
    pub(crate) fn both(url: &'p str, seed: u64) -> Self {
        let values = vec![(PART, "both".into()), (SEED, seed.to_string())];
        Self {
            url,
            threads: Threads::Two,
            values,
        }
    }

    /// A publisher that works and rolls back as `seed` says.
    pub(crate) fn publisher(url: &'p str, seed: u64) -> Self {
        let values = vec![(PART, "publisher".into()), (SEED, seed.to_string())];
        Self {
            url,
            threads: Threads::One,
            values,
        }
    }

    /// Stops when `place` is passed for the `nth` time.
    pub(crate) fn stopping_at(mut self, place: &str, nth: u64) -> Self {
        self.values.push(if place == Track::PLACE {
            (HANDLING, nth.to_string())
        } else {
            (FAILPOINT, format!("{place}#{nth}=stop"))
        });
        self
    }

    /// Starts it and waits until it is at work.
    pub(crate) async fn start(self) -> Child {
        let mut child = self.spawn();
        child.reached("work").await;
        child
    }

    /// Starts it.
    pub(crate) fn spawn(self) -> Child {
        let test = match self.threads {
            Threads::One => "part::a_child_plays_its_part_on_one_thread",
            Threads::Two => "part::a_child_plays_its_part_on_two_threads",
        };
        let mut values = vec![(URL, self.url)];
        values.extend(
            self.values
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        Child::spawn(test, "child", &values)
    }
}

#[tokio::test]
async fn a_child_plays_its_part_on_one_thread() {
    play().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_plays_its_part_on_two_threads() {
    play().await;
}

/// Does nothing in the process that the tests were started in.
async fn play() {
    let Ok(part) = env::var(PART) else { return };
    end_with_parent();
    let store = open(&env::var(URL).unwrap()).await;
    let handling = env::var(HANDLING).ok().map(|nth| nth.parse().unwrap());
    let track = Track::stopping_before(handling);
    let service = wire(&store)
        .handle(track.from(Start::Beginning))
        .build()
        .await
        .unwrap();
    at("work");
    match part.as_str() {
        "worker" => service.run(pending()).await.unwrap(),
        "publisher" => publish_on(&store, &service.publisher()).await,
        _ => {
            let publisher = service.publisher();
            tokio::select! {
                ended = service.run(pending()) => ended.unwrap(),
                () = publish_on(&store, &publisher) => {}
            }
        }
    }
}

fn end_with_parent() {
    let parent = parent_id();
    std::thread::spawn(move || {
        let for_ever = Duration::from_secs(86_400);
        if until(for_ever, || parent_id() != parent) {
            std::process::exit(PARENT_GONE);
        }
    });
}

/// Tells the parent that the child stands at `place`, and stays there with its thread until
/// [`Child::go`] is called: what the platform's own failpoints do.
pub(crate) fn stop(place: &str) {
    at(place);
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Raises items until it is killed; a fifth of the transactions is rolled back.
async fn publish_on(store: &Store, publisher: &Publisher) {
    let mut round = seeds(1).next().unwrap();
    loop {
        let id = format!(
            "{}-{:02}",
            round.pick(&["plain", "plain", "flaky"]),
            round.below(12)
        );
        match publish_one(store, publisher, &id, &mut round).await {
            Ok(()) => {}
            // Another writer holds the file for longer than SQLite waits.
            Err(error) if error.is_transient() => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn publish_one(
    store: &Store,
    publisher: &Publisher,
    id: &str,
    round: &mut Round,
) -> Result<(), platform_events::Error> {
    let mut tx = store.begin().await?;
    raise(&mut tx, publisher, id).await?;
    if round.chance(20) {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(())
}
