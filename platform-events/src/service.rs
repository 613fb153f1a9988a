//! The service: a store, its handlers and consequences, run together.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::consequence::{Consequence, Runner, Wiring};
use platform_core::Store;
use platform_core::store::{Dialect, Migrations, Step};

use crate::log::Log;
use crate::overview;
use crate::parking::Parking;
use crate::publisher::Publisher;
use crate::registry::Registration;
use crate::retention::{self, Retention, Trimmed};
use crate::runs;

use crate::signal::Signal;
use crate::status::{Health, Overview, Run};
use crate::worker::{Settings, Worker};
use crate::{Error, groups};

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

/// A business service with everything that follows from its events.
#[derive(Debug)]
pub struct Service {
    worker: Arc<Worker>,
    runners: Vec<Arc<dyn Runner>>,
}

/// Collects the parts of a [`Service`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    name: String,
    store: Store,
    wiring: Wiring,
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
        self.worker.publisher.clone()
    }

    /// Returns the calls on parked events.
    pub fn parking(&self) -> Parking {
        Parking::new(self.worker.store(), &self.worker.service)
    }

    /// Handles events until `shutdown` completes; then takes no more, finishes what is in hand within 30 s
    /// (unless set), commits and gives its lanes back. Work that does not finish in time is undone and
    /// repeated elsewhere; it counts as no attempt.
    ///
    /// # Errors
    /// When the store cannot be reached at the start, or the log is damaged; later failures are waited out.
    ///
    /// # Cancel safety
    /// Dropped, the tasks go on until the process ends; end them through `shutdown`.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let worker = Arc::clone(&self.worker);
        let stop = worker.stop().clone();
        if stop.is_cancelled() {
            return Err(Error::wiring(
                "this service has run and was stopped; build another one",
            ));
        }
        let mut running = tokio::spawn(Arc::clone(&worker).run());
        let runners: Vec<_> = self
            .runners
            .iter()
            .map(|runner| {
                let runner = Arc::clone(runner);
                let (store, publisher) = (worker.store().clone(), worker.publisher.clone());
                let stop = stop.clone();
                tokio::spawn(async move { runner.run(store, publisher, stop).await })
            })
            .collect();
        let ended = tokio::select! {
            ended = &mut running => Some(ended),
            () = shutdown => None,
        };
        stop.cancel();
        let ended = match ended {
            Some(ended) => ended,
            None => running.await,
        };
        for runner in runners {
            if let Err(error) = runner.await {
                tracing::warn!(%error, "a runner ended badly");
            }
        }
        ended.map_err(|error| Error::wiring("the worker ended badly").with_source(error))?
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
        self.run(async {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                match self.is_settled().await {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => tracing::debug!(%error, "asking whether everything is settled"),
                }
            }
        })
        .await
    }

    /// Answers whether nothing is left to read, to retry or to run at the moment. Parked events do not unsettle.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_settled(&self) -> Result<bool, Error> {
        let store = self.worker.store();
        if !overview::is_settled(store, &self.worker.service).await? {
            return Ok(false);
        }
        for runner in &self.runners {
            if runner.pending(store).await? > 0 {
                return Ok(false);
            }
        }
        // A runner may have published and finished between the two looks.
        let is_settled = overview::is_settled(store, &self.worker.service).await?;
        Ok(is_settled)
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
        retention::trim(self.worker.store(), retention).await
    }

    /// Answers a probe.
    pub fn health(&self) -> Health {
        self.worker.vitals.health(self.worker.settings.lease)
    }

    /// Counts what the log holds and what became of it.
    ///
    /// # Errors
    /// The store's.
    pub async fn overview(&self) -> Result<Overview, Error> {
        let mut overview = overview::overview(self.worker.store(), &self.worker.service).await?;
        overview.is_settled = self.is_settled().await?;
        Ok(overview)
    }

    /// Returns the runs that covered the event at `position`, newest first, at most 100.
    ///
    /// # Errors
    /// The store's.
    pub async fn runs_of_event(&self, position: i64) -> Result<Vec<Run>, Error> {
        runs::of_event(self.worker.store(), position).await
    }

    /// Returns the runs of a handler before the run `before` (`i64::MAX` for the newest), at most 100.
    ///
    /// # Errors
    /// The store's.
    pub async fn runs_of_handler(&self, name: &str, before: i64) -> Result<Vec<Run>, Error> {
        runs::of_handler(self.worker.store(), name, before).await
    }
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
    pub async fn build(self) -> Result<Service, Error> {
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
        let worker = Worker::new(&self.name, (log, publisher, signal), registered, settings)?;
        Ok(Service {
            worker: Arc::new(worker),
            runners: self.wiring.runners,
        })
    }

    fn check(&self) -> Result<(), Error> {
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
