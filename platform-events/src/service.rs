//! The service: a store, its handlers and consequences, run together.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::consequence::{Consequence, Runner, Wiring};
use platform_core::Store;
use platform_core::store::{Dialect, Migrations, Step};

use crate::log::Log;
use crate::overview;
use crate::parking::Parking;
use crate::publisher::Publisher;
use crate::receiving::{Receiver, Receiving, Subscription};
use crate::registry::Registration;
use crate::retention::{self, Retention, Trimmed};
use crate::signal::Signal;
use crate::status::{Health, Overview, Runs};
use crate::transport::Transport;
use crate::ways::Ways;
use crate::worker::{Parts, Settings, Worker};
use crate::{Error, ErrorKind, groups};

/// The tables of this crate.
const MIGRATIONS: Migrations = Migrations {
    set: "platform-events",
    steps: &[Step {
        version: 1,
        name: "log",
        admits: 1,
        sqlite: include_str!("../migrations/sqlite/0001_log.sql"),
        postgres: include_str!("../migrations/postgres/0001_log.sql"),
    }],
};

/// How long after the drain its last part may take: what was cut short undoes itself, lanes are given back.
const LAST: Duration = Duration::from_secs(5);
/// Between two looks whether everything is settled.
const SETTLED_EVERY: Duration = Duration::from_millis(20);

/// A business service with everything that follows from its events.
pub struct Service {
    parts: Parts,
    runners: Vec<Arc<dyn Runner>>,
    receivers: Vec<Arc<Receiver>>,
    is_running: AtomicBool,
}

/// Collects the parts of a [`Service`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    name: String,
    store: Store,
    wiring: Wiring,
    ways: Ways,
    lease: Duration,
    drain: Duration,
    keep_runs: Duration,
}

impl Service {
    /// Starts to wire the service `name`, which its events carry as their source.
    pub fn builder(name: &str, store: Store) -> Builder {
        let is_embedded = store.dialect() == Dialect::Sqlite;
        Builder {
            name: name.to_owned(),
            store,
            wiring: Wiring::default(),
            ways: Ways::default(),
            // One machine: a successor need not wait long for the lease of a process that was killed.
            lease: if is_embedded {
                Duration::from_secs(3)
            } else {
                Duration::from_secs(10)
            },
            drain: Duration::from_secs(30),
            keep_runs: Duration::from_hours(72),
        }
    }

    /// Returns the publisher of this service's events.
    pub fn publisher(&self) -> Publisher {
        self.parts.publisher.clone()
    }

    /// Returns the calls on parked events.
    pub fn parking(&self) -> Parking {
        Parking::new(self.store(), &self.parts.service)
    }

    fn store(&self) -> &Store {
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
        let _running = Running::begin(&self.is_running)?;
        self.parts.vitals.begin();
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
struct Running<'s>(&'s AtomicBool);

impl<'s> Running<'s> {
    fn begin(is_running: &'s AtomicBool) -> Result<Self, Error> {
        if is_running.swap(true, Ordering::AcqRel) {
            return Err(Error::new(
                ErrorKind::Worker,
                "this service runs already; start another process, or wait until it has ended",
            ));
        }
        Ok(Self(is_running))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
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

impl Builder {
    /// Adds a handler: `.handle(ReserveStock.from(Start::Now))`.
    pub fn handle(mut self, registration: Registration) -> Self {
        self.wiring.handle(registration);
        self
    }

    /// Adds a consequence: history, notifications, tasks.
    pub fn with(mut self, consequence: impl Consequence) -> Self {
        consequence.join(&mut self.wiring);
        self
    }

    /// Adds tables of the service's own.
    pub fn with_migrations(mut self, migrations: Migrations) -> Self {
        self.wiring.migrate(migrations);
        self
    }

    /// Sets the way to other services, an [`Arc`] of a transport or the transport itself.
    pub fn with_transport(mut self, transport: impl Transport + 'static) -> Self {
        self.ways.transport = Some(Arc::new(transport));
        self
    }

    /// Relays what this service publishes, from its first build on, to a topic of the transport. What it received
    /// is never relayed, nor are the platform's own reports.
    pub fn relay(mut self, topic: &str) -> Self {
        self.ways.relays.push(topic.to_owned());
        self
    }

    /// Receives what other services relay to a topic.
    pub fn receive(mut self, subscription: Subscription) -> Self {
        self.ways.subscriptions.push(subscription);
        self
    }

    /// Sets how long a dead process keeps its lanes; 10 s on PostgreSQL and 3 s on SQLite unless set.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how long a shutdown waits for work in hand; 30 s unless set.
    pub fn with_drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// Sets how long runs are kept; 72 h unless set.
    pub fn with_runs_kept(mut self, keep_runs: Duration) -> Self {
        self.keep_runs = keep_runs;
        self
    }

    /// Checks the wiring, brings the tables up to date and registers the groups. A new group that starts now
    /// sees what is published after this call.
    ///
    /// # Errors
    /// [`ErrorKind::Wiring`](crate::ErrorKind::Wiring) for every mistake in the wiring, with the way to mend
    /// it; the store's.
    ///
    /// # Cancel safety
    /// Safe: called again, it goes on where it was.
    pub async fn build(mut self) -> Result<Service, Error> {
        self.ways.check(&self.name)?;
        let relays = self.ways.registrations(&self.store);
        self.wiring.registrations.extend(relays);
        self.check()?;
        self.store.migrate(&MIGRATIONS).await?;
        for migrations in &self.wiring.migrations {
            self.store.migrate(migrations).await?;
        }
        let log = Log::open(&self.store).await?;
        let mut registered = Vec::new();
        for registration in self.wiring.registrations {
            let id = groups::register(&log, &self.name, &registration.spec).await?;
            if let Some((_, other)) = registered
                .iter()
                .find(|(known, _): &&(i64, Registration)| *known == id)
            {
                return Err(Error::wiring(format!(
                    "the handlers `{}` and `{}` are one group: a name that one of them had before belongs to \
                     it for ever; give the other one a new name",
                    other.spec.name, registration.spec.name
                )));
            }
            registered.push((id, registration));
        }
        let signal = Signal::default();
        let publisher = Publisher::new(log.clone(), &self.name, signal.clone());
        let settings = Settings {
            lease: self.lease,
            drain: self.drain,
            keep_runs: self.keep_runs,
            transactions_max: match self.store.dialect() {
                // One writer: a second one would only wait inside the pool, where waiting has an end.
                Dialect::Sqlite => 1,
                Dialect::Postgres => 10,
            },
        };
        let parts = Parts {
            service: self.name,
            log,
            publisher,
            signal,
            groups: registered,
            settings,
            vitals: Arc::default(),
        };
        let receivers = self.ways.receivers(&parts);
        Ok(Service {
            receivers,
            parts,
            runners: self.wiring.runners,
            is_running: AtomicBool::new(false),
        })
    }

    fn check(&self) -> Result<(), Error> {
        if !self.wiring.mistakes.is_empty() {
            return Err(Error::wiring(self.wiring.mistakes.join("; ")));
        }
        let is_name = (1..=64).contains(&self.name.len())
            && self
                .name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name {
            return Err(Error::wiring(format!(
                "`{}` is no service name; use a to z, 0 to 9 and `-`, 1 to 64 bytes",
                self.name
            )));
        }
        if self.lease < Duration::from_secs(1) {
            return Err(Error::wiring(
                "the lease is below 1 s; a short pause would cost every lane",
            ));
        }
        let mut names = HashSet::new();
        for registration in &self.wiring.registrations {
            let spec = &registration.spec;
            spec.check()?;
            for name in std::iter::once(&spec.name).chain(spec.formerly) {
                if !names.insert(*name) {
                    return Err(Error::wiring(format!(
                        "two handlers are called `{name}`, now or formerly; rename one of them"
                    )));
                }
            }
        }
        Ok(())
    }
}
