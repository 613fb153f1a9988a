//! The worker of one process: it reads the log for all groups, handles, retries, and keeps its lease.
//!
//! One reader looks at the bound; groups read only when it has moved. A lane is handled by one task at a time,
//! up to eight retries of blocked keys run beside it. Every write of an owner goes through the fence.

mod beat;
mod group;
mod hold;
mod moves;
mod parking;
mod reader;
mod retry;
mod settle;
mod switch;
mod turn;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking::Parked;
use platform_core::{Key, Store};
use tokio::sync::{Notify, RwLock, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use group::Group;
pub use parking::EventsParked;

use crate::context::Ground;
use crate::health::Vitals;
use crate::lease::Lease;
use crate::log::{Bound, Log};
use crate::outcome::HandlerError;
use crate::publisher::Publisher;
use crate::registry::Registration;
use crate::retention::Retention;
use crate::signal::Signal;
use crate::{Error, ErrorKind};

/// What every worker of a service is made of.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// The service's name.
    pub(crate) service: String,
    pub(crate) log: Log,
    pub(crate) publisher: Publisher,
    pub(crate) signal: Signal,
    pub(crate) groups: Vec<(i64, Registration)>,
    pub(crate) settings: Settings,
    pub(crate) vitals: Arc<Vitals>,
}

/// How a worker is to run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) lease: Duration,
    pub(crate) drain: Duration,
    pub(crate) keep_runs: Duration,
    /// How long the log keeps its events, if not for ever.
    pub(crate) retention: Option<Retention>,
    /// The most transactions that handlers hold at the same time.
    pub(crate) transactions_max: usize,
}

/// Everything that the tasks of one process share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) service: String,
    pub(crate) log: Log,
    pub(crate) publisher: Publisher,
    pub(crate) signal: Signal,
    pub(crate) lease: Lease,
    pub(crate) settings: Settings,
    pub(crate) groups: Vec<Arc<Group>>,
    pub(crate) vitals: Arc<Vitals>,
    ground: Ground,
    /// Ordinary work holds it shared; a lane that has killed its process twice runs alone.
    alone: RwLock<()>,
    bound: watch::Sender<Bound>,
    moves: moves::Moves,
    retry_wake: Notify,
    parked: Parked,
    stop: CancellationToken,
    /// Cancelled when the drain's time is over: what is still in hand is dropped where it stands.
    cut: CancellationToken,
    tasks: TaskTracker,
}

/// Why a piece of work ended early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Another process owns the lane now.
    Lost,
    /// The store failed; what was in hand is undone, and what is in memory may not be true any more.
    Store(Error),
    /// What the handler did cannot be committed.
    Handler(HandlerError),
    /// The worker is to stop, or the group is paused.
    Paused,
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        // An error that no waiting mends is the handler's: it left a transaction that cannot be committed.
        if error.is_transient() {
            Self::Store(error)
        } else {
            Self::Handler(HandlerError::from(error))
        }
    }
}

impl From<platform_core::Error> for Halt {
    fn from(error: platform_core::Error) -> Self {
        Error::from(error).into()
    }
}

impl Worker {
    pub(crate) fn new(parts: Parts) -> Result<Self, Error> {
        let Parts {
            service,
            log,
            publisher,
            signal,
            groups,
            settings,
            vitals,
        } = parts;
        let groups = groups
            .into_iter()
            .map(|(id, registration)| Group::new(id, registration).map(Arc::new))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            service,
            lease: Lease::new(log.store(), settings.lease),
            ground: Ground {
                store: log.store().clone(),
                permits: Arc::new(Semaphore::new(settings.transactions_max)),
                idle: settings.lease.mul_f64(0.8),
            },
            alone: RwLock::new(()),
            bound: watch::Sender::new(Bound::default()),
            moves: moves::Moves::default(),
            retry_wake: Notify::new(),
            parked: Parked::default(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
            vitals,
            log,
            publisher,
            signal,
            settings,
            groups,
        })
    }

    pub(crate) fn store(&self) -> &Store {
        self.log.store()
    }

    /// The token that tells every task to stop taking work.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    pub(crate) fn bound(&self) -> Bound {
        self.bound.borrow().clone()
    }

    /// Runs until [`stop`](Self::stop) is cancelled, then drains within the bound and gives the lanes back.
    pub(crate) async fn run(self: Arc<Self>) -> Result<(), Error> {
        self.renew().await?;
        // The first look finds damage (a counter behind its table) before anything is handled.
        self.bound.send_replace(self.log.bound().await?);
        let lease = tokio::spawn(Arc::clone(&self).keep_lease());
        let ended = self.keep().await;
        self.tasks.close();
        if tokio::time::timeout(self.settings.drain, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(limit = ?self.settings.drain, "work was still in hand; it is undone and repeated");
            self.cut.cancel();
            // Handlers that do not let go of their thread are left behind; the fence keeps them out.
            let _ended = tokio::time::timeout(LAST, self.tasks.wait()).await;
        }
        // Renewed until here: what was in hand must not be taken over while it is finished.
        lease.abort();
        self.lease.leave().await?;
        ended
    }

    /// Keeps the tasks of a worker until it is to stop. None ends before; one that does takes the others with it.
    async fn keep(self: &Arc<Self>) -> Result<(), Error> {
        let mut tasks = FuturesUnordered::new();
        tasks.push(self.tasks.spawn(Arc::clone(self).keep_lanes()));
        tasks.push(self.tasks.spawn(Arc::clone(self).read_bound()));
        tasks.push(self.tasks.spawn(Arc::clone(self).retry_due()));
        tasks.push(self.tasks.spawn(Arc::clone(self).flush_moves()));
        if let Some(retention) = self.settings.retention.clone() {
            tasks.push(self.tasks.spawn(Arc::clone(self).keep_retention(retention)));
        }
        for group in &self.groups {
            let reading = Arc::clone(self).read_group(Arc::clone(group));
            tasks.push(self.tasks.spawn(reading));
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Ok(()),
            ended = tasks.next() => {
                self.stop.cancel();
                let error = Error::new(ErrorKind::Worker, "a task of the worker ended badly");
                Err(match ended {
                    Some(Err(panic)) => error.with_source(panic),
                    _ => error,
                })
            }
        }
    }

    /// Waits until the store answers again; false when the worker is to stop meanwhile.
    async fn store_answers(&self) -> bool {
        let mut wait = Duration::from_millis(50);
        loop {
            if self.stop.is_cancelled() {
                return false;
            }
            match self.store().ping().await {
                Ok(()) => {
                    self.vitals.store_answers(true);
                    return true;
                }
                Err(error) => {
                    self.vitals.store_answers(false);
                    tracing::warn!(
                        error = crate::outcome::chain(&error),
                        "the store does not answer"
                    );
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(Duration::from_secs(2));
        }
    }

    fn group(&self, id: i64) -> Option<&Arc<Group>> {
        self.groups.iter().find(|group| group.id == id)
    }
}

/// The least wait after the store failed, so that a failure that repeats itself stays cheap.
const BREATH: Duration = Duration::from_millis(100);
/// How long what was cut short may take to undo itself.
const LAST: Duration = Duration::from_secs(3);

/// Spreads waits, so that what failed together does not come back together.
fn jitter(key: Key, attempt: u32) -> f64 {
    let spread = Key::of("jitter", &[key.as_bytes(), &attempt.to_be_bytes()]);
    f64::from(spread.as_bytes()[0]) / 255.0
}

/// A map from lane numbers, small and short-lived.
type Lanes = HashMap<i16, Arc<group::Lane>>;
