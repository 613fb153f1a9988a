//! Runs what is due, one task after the other, each in a transaction of its own.
//!
//! A stop lets the task in hand end; a task that fails is written down in a second transaction, because the
//! first is undone with everything that the task did.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform_core::{Key, RetryPolicy, Store};
use platform_events::consequence::Runner;
use platform_events::{Error, Publisher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::attempt;
use crate::failure::{Failure, Verdict};
use crate::queue::{self, Claimed, Next};
use crate::task::Erased;

/// Between two looks at what is due; a task that is due at once wakes the runner of its process.
const EVERY: Duration = Duration::from_millis(250);
/// Between two looks at a store that does not answer.
const AWAY: Duration = Duration::from_secs(1);

/// The runner of one process.
pub(crate) struct TaskRunner {
    tasks: HashMap<&'static str, Arc<dyn Erased>>,
    /// The known kinds, each between commas. Another release's kinds are left to its processes.
    kinds: String,
    wake: Arc<Notify>,
}

impl TaskRunner {
    pub(crate) fn new(tasks: Vec<Arc<dyn Erased>>, wake: Arc<Notify>) -> Self {
        let tasks: HashMap<_, _> = tasks.into_iter().map(|task| (task.kind(), task)).collect();
        let kinds = tasks
            .keys()
            .fold(",".to_owned(), |kinds, kind| format!("{kinds}{kind},"));
        Self { tasks, kinds, wake }
    }

    /// Runs one task that is due; false when there is none.
    async fn run_one(&self, store: &Store, publisher: &Publisher) -> Result<bool, Error> {
        // Looked at first without a transaction, which would be the only writer of a SQLite file.
        if queue::due(store, &self.kinds).await? == 0 {
            return Ok(false);
        }
        let mut tx = store.begin().await?;
        let claimed = queue::claim(&mut tx, &self.kinds).await?;
        let task =
            claimed.and_then(|claimed| Some((self.tasks.get(claimed.kind.as_str())?, claimed)));
        let Some((task, claimed)) = task else {
            tx.rollback().await?;
            return Ok(false);
        };
        if let Err(failure) = attempt::run(tx, task.as_ref(), &claimed, publisher).await {
            self.fail(store, &claimed, &failure).await?;
        }
        Ok(true)
    }

    async fn fail(&self, store: &Store, task: &Claimed, failure: &Failure) -> Result<(), Error> {
        if failure.verdict == Verdict::Unavailable {
            // While the store is away nothing is counted: the claim is gone, the task is due as before.
            store.ping().await?;
        }
        let next = next(task, failure.verdict);
        if let Next::Failed { code, .. } = next {
            tracing::warn!(id = %task.id, kind = task.kind, code, "a task has failed");
        }
        let mut tx = store.begin().await?;
        queue::fail(&mut tx, task, next, &failure.reason).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Decides what follows a failed attempt.
fn next(task: &Claimed, verdict: Verdict) -> Next {
    let failed = task.attempts.saturating_add(1);
    // The policy has no deadline, so the age does not count.
    let wait = RetryPolicy::DEFAULT.after(failed, Duration::ZERO, spread(task.id, failed));
    match (verdict, wait) {
        (Verdict::Snooze(wait), _) => Next::Again {
            attempts: task.attempts,
            wait,
        },
        (Verdict::Reject, _) => Next::Failed {
            attempts: failed,
            code: "rejected",
        },
        (_, Some(wait)) => Next::Again {
            attempts: failed,
            wait,
        },
        (_, None) => Next::Failed {
            attempts: failed,
            code: "exhausted",
        },
    }
}

/// Spreads waits from 0 to 1, so that what failed together does not come back together.
fn spread(id: Key, attempt: u32) -> f64 {
    let spread = Key::of("jitter", &[id.as_bytes(), &attempt.to_be_bytes()]);
    f64::from(spread.as_bytes()[0]) / 255.0
}

#[async_trait]
impl Runner for TaskRunner {
    async fn run(&self, store: Store, publisher: Publisher, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.run_one(&store, &publisher).await {
                Ok(true) => continue,
                Ok(false) => EVERY,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "running tasks");
                    AWAY
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn pending(&self, store: &Store) -> Result<i64, Error> {
        Ok(queue::due(store, &self.kinds).await?)
    }
}

impl fmt::Debug for TaskRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRunner")
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}
