//! A snapshot that somebody keeps open keeps dead versions of the lane's row alive; committing stays
//! as quick as it was. PostgreSQL only: elsewhere a row is changed in place.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform_core::clock::Stopwatch;
use platform_events::{Context, Effects, Event, Handler, HandlerError, Received, Start};
use platform_tests::{Backend, eventually, is_long};

use crate::running::Running;
use crate::world::{NoteTaken, note, open, post};

/// For each commit of the lane, how long after the start it was.
type Times = Arc<Mutex<Vec<Duration>>>;

struct Count(Stopwatch, Times);

impl Handler for Count {
    const NAME: &'static str = "count";
    // One by one: every event is a commit of its lane.
    const EFFECTS: Effects = Effects::External;
    type Event = NoteTaken;

    async fn handle(
        &self,
        _event: Received<NoteTaken>,
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        self.1.lock().unwrap().push(self.0.elapsed());
        Ok(())
    }
}

/// The median time between two commits.
fn median(times: &[Duration]) -> Duration {
    let mut steps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable();
    steps[steps.len() / 2]
}

#[tokio::test]
async fn a_lane_commits_as_quickly_under_a_pinned_snapshot() {
    let commits = if is_long() { 300_000 } else { 3_000 };
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let times = Times::default();
    let count = Count(Stopwatch::start(), Arc::clone(&times));
    let running = Running::start(post(&store, [count.from(Start::Now)]).await.unwrap());

    let mut pinned = store.begin().await.unwrap();
    let repeatable = "set transaction isolation level repeatable read";
    pinned.query(repeatable).execute().await.unwrap();
    pinned
        .query("select count(*) as n from platform_lane")
        .fetch_one()
        .await
        .unwrap();

    let publisher = running.service().publisher();
    for _ in 0..commits / 1_000 {
        let same_key: Vec<_> = (0..1_000)
            .map(|_| note("one lane", "x").unkeyed())
            .collect();
        publisher.publish(same_key).await.unwrap();
    }
    let bound = Duration::from_secs(if is_long() { 3_600 } else { 120 });
    eventually(bound, async || times.lock().unwrap().len() >= commits).await;
    pinned.rollback().await.unwrap();
    running.stop().await;

    let times = times.lock().unwrap();
    assert_eq!(times.len(), commits);
    let tenth = commits / 10;
    let (first, last) = (median(&times[..tenth]), median(&times[commits - tenth..]));
    assert!(
        last <= 3 * first,
        "{first:?} a commit at first, {last:?} at last"
    );
}
