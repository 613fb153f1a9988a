//! The service: a store, its handlers and consequences, run together.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use platform_core::{Actor, Store};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::builder::Builder;
use crate::consequence::{Ledger, Runner};
use crate::decision::Decision;
use crate::health::Vitals;
use crate::parking::Parking;
use crate::publisher::Publisher;
use crate::receiving::{Receiver, Receiving};
use crate::replay::{self, Replay, Replaying};
use crate::retention::{self, Retention, Trimmed};
use crate::status::{Health, Overview, Runs};
use crate::worker::{Parts, Worker};
use crate::{Error, ErrorKind, groups, overview};

/// How long after the drain its last part may take: what was cut short undoes itself, lanes are given back.
const LAST: Duration = Duration::from_secs(5);
/// Between two looks whether everything is settled.
const SETTLED_EVERY: Duration = Duration::from_millis(20);

/// A business service with everything that follows from its events.
pub struct Service {
    pub(crate) parts: Parts,
    pub(crate) ledgers: Vec<Arc<dyn Ledger>>,
    pub(crate) runners: Vec<Arc<dyn Runner>>,
    pub(crate) receivers: Vec<Arc<Receiver>>,
    pub(crate) is_running: AtomicBool,
}

impl Service {
    /// Starts to wire the service `name`, which its events carry as their source.
    pub fn builder(name: &str, store: Store) -> Builder {
        Builder::new(name, store)
    }

    /// Returns the publisher of this service's events.
    pub fn publisher(&self) -> Publisher {
        self.parts.publisher.clone()
    }

    /// Returns the calls on parked events.
    pub fn parking(&self) -> Parking {
        Parking::new(self.store(), &self.parts.service)
    }

    pub(crate) fn store(&self) -> &Store {
        self.parts.log.store()
    }

    /// Handles events until `shutdown` completes; then takes no more, finishes what is in hand within 30 s
    /// (unless set), commits and gives its lanes back. Work that does not finish in time is undone and
    /// repeated elsewhere; it counts as no attempt. It may be called again afterwards.
    ///
    /// # Errors
    /// When the store cannot be reached at the start, or the log is damaged; later failures are waited out.
    /// [`ErrorKind::Worker`] when it runs already, or a task ended badly.
    ///
    /// # Cancel safety
    /// Dropped, it stops as after `shutdown`, in the background.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let _running = Running::begin(&self.is_running, &self.parts.vitals)?;
        let worker = Arc::new(Worker::new(self.parts.clone())?);
        let stop = worker.stop().clone();
        let _stopping = stop.clone().drop_guard();
        let mut tasks = FuturesUnordered::new();
        tasks.push(tokio::spawn(Arc::clone(&worker).run()));
        for runner in &self.runners {
            let runner = Arc::clone(runner);
            let (store, publisher) = (self.store().clone(), self.publisher());
            let stop = stop.clone();
            tasks.push(tokio::spawn(async move {
                runner.run(store, publisher, stop.clone()).await;
                ended_in_time(&stop, &runner)
            }));
        }
        for receiver in &self.receivers {
            let receiver = Arc::clone(receiver);
            let stop = stop.clone();
            tasks.push(tokio::spawn(async move {
                receiver.run(&stop).await;
                Ok(())
            }));
        }
        let first = tokio::select! {
            ended = tasks.next() => ended,
            () = shutdown => None,
        };
        stop.cancel();
        let first = first.map_or(Ok(()), flatten);
        let bound = self.parts.settings.drain + LAST;
        let rest = async {
            while let Some(ended) = tasks.next().await {
                flatten(ended)?;
            }
            Ok(())
        };
        let rest = tokio::time::timeout(bound, rest).await.unwrap_or_else(|_| {
            tracing::warn!(?bound, "a runner did not stop in time; it is left behind");
            Ok(())
        });
        first.and(rest)
    }

    /// Runs until SIGTERM or Ctrl-C; a second signal ends the process at once, with status 130.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    #[cfg(feature = "signal")]
    pub async fn run_until_signalled(&self) -> Result<(), Error> {
        tokio::select! {
            ended = self.run(crate::signals::signals(1)) => ended,
            () = crate::signals::signals(2) => std::process::exit(130),
        }
    }

    /// Works until nothing is left to do at the moment, then returns: for imports, commands and tests.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn run_until_settled(&self) -> Result<(), Error> {
        self.run(self.settled()).await
    }

    /// Completes when nothing is left to do at the moment, in this process or another. A store that is away is
    /// waited for, as the workers do.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub async fn settled(&self) {
        loop {
            match self.is_settled().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, "asking whether everything is settled");
                }
            }
            tokio::time::sleep(SETTLED_EVERY).await;
        }
    }

    /// Answers whether nothing is left to read, to retry or to run at the moment. Parked events do not unsettle.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_settled(&self) -> Result<bool, Error> {
        let is_read = || overview::is_settled(&self.parts);
        if !is_read().await? {
            return Ok(false);
        }
        for runner in &self.runners {
            if runner.pending(self.store()).await? > 0 {
                return Ok(false);
            }
        }
        // A runner may have published and finished between the two looks.
        is_read().await
    }

    /// Removes from the log what is older than `retention` says, every group has passed, and nothing parked
    /// needs; archives it first if a place is named.
    ///
    /// # Errors
    /// The store's and the archive's; nothing is removed that is not archived.
    ///
    /// # Cancel safety
    /// Safe: a stretch is removed as a whole or not at all.
    pub async fn trim(&self, retention: &Retention) -> Result<Trimmed, Error> {
        retention::trim(self.store(), retention).await
    }

    /// Retires the group of a handler that is gone for good: nothing waits for it any more, and the log may be
    /// trimmed past it. Registered again, it goes on where it was, or after what was trimmed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when no such group is left, or a process still has its handler; the store's.
    ///
    /// # Cancel safety
    /// Safe: it happens as a whole or not at all.
    pub async fn retire(&self, handler: &str, by: &Actor, because: &str) -> Result<(), Error> {
        by.check()?;
        let mut tx = self.store().begin().await?;
        let retired = groups::retire(&mut tx, &self.parts.service, handler).await?;
        let Some(group) = retired else {
            tx.rollback().await?;
            return Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "no group `{handler}` can be retired: it is unknown, retired, or a process still handles it"
                ),
            ));
        };
        Decision::retired(group, by, because).keep(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets a handler handle a stretch of the log again: muted, and without publishing unless the replay says so.
    /// New events wait until its lanes are through. A replay that runs already is given up for this one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown handler; [`ErrorKind::InvalidEvent`] for a stretch that is trimmed,
    /// empty, or not handled yet; the store's.
    ///
    /// # Cancel safety
    /// Safe: it begins as a whole or not at all.
    pub async fn replay(
        &self,
        handler: &str,
        replay: Replay,
        by: &Actor,
        because: &str,
    ) -> Result<Replaying, Error> {
        let group = (self.parts.service.as_str(), handler);
        let mut known = self
            .parts
            .groups
            .iter()
            .map(|(_, registration)| registration);
        let known = known.find(|registration| registration.spec.name == handler);
        if known.is_some_and(|registration| registration.spec.is_relay) {
            return Err(Error::invalid(format!(
                "`{handler}` is a relay: sent again, its events would name the wrong ones as sent before them"
            )));
        }
        let erased = known.map(|registration| registration.handler.as_ref());
        replay::begin(self.store(), group, erased, replay, (by, because)).await
    }

    /// Answers a probe.
    pub fn health(&self) -> Health {
        self.parts.vitals.health(self.parts.settings.lease)
    }

    /// Counts what the log holds and what became of it.
    ///
    /// # Errors
    /// The store's.
    pub async fn overview(&self) -> Result<Overview, Error> {
        let is_settled = self.is_settled().await?;
        overview::overview(self.store(), &self.parts.service, is_settled).await
    }

    /// Returns the calls on what it receives from other services.
    pub fn receiving(&self) -> Receiving {
        Receiving::new(self.store(), &self.parts.service)
    }

    /// Returns the calls on what its handlers have tried.
    pub fn runs(&self) -> Runs {
        Runs::new(self.store(), &self.parts.service)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.parts.service)
            .finish_non_exhaustive()
    }
}

/// Says that a service runs, as long as it lives.
struct Running<'s> {
    is_running: &'s AtomicBool,
    vitals: &'s Vitals,
}

impl<'s> Running<'s> {
    fn begin(is_running: &'s AtomicBool, vitals: &'s Vitals) -> Result<Self, Error> {
        if is_running.swap(true, Ordering::AcqRel) {
            return Err(Error::new(
                ErrorKind::Worker,
                "this service runs already; start another process, or wait until it has ended",
            ));
        }
        vitals.begin();
        Ok(Self { is_running, vitals })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.vitals.end();
        self.is_running.store(false, Ordering::Release);
    }
}

/// A runner that ends before it is told to leaves work undone that nobody would miss.
fn ended_in_time(stop: &CancellationToken, runner: &Arc<dyn Runner>) -> Result<(), Error> {
    if stop.is_cancelled() {
        return Ok(());
    }
    let message = format!("{runner:?} ended before the service did");
    Err(Error::new(ErrorKind::Worker, message))
}

fn flatten(ended: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
    let badly = |error| Error::new(ErrorKind::Worker, "a task ended badly").with_source(error);
    ended.map_err(badly)?
}
