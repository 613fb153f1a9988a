//! A slow, steady stream is handled at once. The bound is the specification's, so it may be timed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform_core::clock::Stopwatch;
use platform_events::{Context, Effects, Event, Handler, HandlerError, Publisher, Received, Start};
use platform_tests::{Database, each_backend, eventually};

use crate::running::{PATIENCE, Running};
use crate::world::{NoteTaken, note, open, post};

const EVENTS: usize = 48;
const EVERY: Duration = Duration::from_millis(125);
const P95_MAX: Duration = Duration::from_millis(50);

/// Says when each note came, counted from one start.
struct Receive {
    since: Stopwatch,
    came: Arc<Mutex<Vec<(usize, Duration)>>>,
}

impl Handler for Receive {
    const NAME: &'static str = "receive";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = NoteTaken;

    async fn handle(
        &self,
        event: Received<NoteTaken>,
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        self.came
            .lock()
            .unwrap()
            .push((event.text.parse()?, self.since.elapsed()));
        Ok(())
    }
}

/// Publishes eight events a second and answers how long each took from its commit to its handler,
/// sorted.
async fn waits(publisher: &Publisher, receive: &Receive) -> Vec<Duration> {
    let mut ticks = tokio::time::interval(EVERY);
    let mut committed = Vec::new();
    for at in 0..EVENTS {
        ticks.tick().await;
        let draft = note(&at.to_string(), &at.to_string()).unkeyed();
        publisher.publish(draft).await.unwrap();
        committed.push(receive.since.elapsed());
    }
    let came = &receive.came;
    eventually(PATIENCE, async || came.lock().unwrap().len() == EVENTS).await;
    let came = came.lock().unwrap();
    let mut waits: Vec<Duration> = came
        .iter()
        .map(|(at, when)| when.saturating_sub(committed[*at]))
        .collect();
    waits.sort_unstable();
    waits
}

/// How often a stream may be repeated: what a busy machine delays once, it does not delay always.
const STREAMS_MAX: usize = 3;

fn p95(waits: &[Duration]) -> Duration {
    waits[waits.len() * 95 / 100]
}

/// Streams until one is quick; `is_elsewhere` publishes from a service of its own, which shares no
/// hint with the one that handles.
async fn assert_quick(database: &Database, is_elsewhere: bool) {
    let (store, theirs) = (open(database).await, open(database).await);
    let recorder = Receive {
        since: Stopwatch::start(),
        came: Arc::default(),
    };
    let handler = Receive {
        came: Arc::clone(&recorder.came),
        ..recorder
    };
    let running = Running::start(post(&store, [handler.from(Start::Now)]).await.unwrap());
    running.settled().await;
    let publisher = match is_elsewhere {
        true => post(&theirs, []).await.unwrap().publisher(),
        false => running.service().publisher(),
    };
    let mut streams = Vec::new();
    while streams.len() < STREAMS_MAX && streams.last().is_none_or(|p95| *p95 >= P95_MAX) {
        recorder.came.lock().unwrap().clear();
        streams.push(p95(&waits(&publisher, &recorder).await));
    }
    running.stop().await;
    assert!(
        streams.last().is_some_and(|p95| *p95 < P95_MAX),
        "the p95 of each: {streams:?}"
    );
}

async fn a_slow_stream_of_the_same_process_is_handled_at_once(database: Database) {
    assert_quick(&database, false).await;
}

async fn a_slow_stream_of_another_process_is_handled_at_once(database: Database) {
    assert_quick(&database, true).await;
}

each_backend!(
    a_slow_stream_of_the_same_process_is_handled_at_once,
    a_slow_stream_of_another_process_is_handled_at_once,
);
