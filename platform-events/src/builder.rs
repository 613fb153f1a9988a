//! Wires a service: collects its parts, checks them, and brings its tables up to date.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use platform_core::Store;
use platform_core::store::{Dialect, Migrations, Step};

use crate::consequence::{Consequence, Wiring};
use crate::log::Log;
use crate::publisher::Publisher;
use crate::receiving::Subscription;
use crate::registry::Registration;
use crate::retention::Retention;
use crate::signal::Signal;
use crate::transport::Transport;
use crate::ways::Ways;
use crate::worker::{Parts, Settings};
use crate::{Error, Service, groups};

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
    retention: Option<Retention>,
}

impl Builder {
    pub(crate) fn new(name: &str, store: Store) -> Self {
        let is_embedded = store.dialect() == Dialect::Sqlite;
        Self {
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
            retention: None,
        }
    }

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

    /// Trims the log while the service runs; it is kept for ever unless set.
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
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
        for mut registration in self.wiring.registrations {
            let group = groups::register(&log, &self.name, &registration.spec).await?;
            let id = group.id;
            registration.spec.identity = group.first_name.into();
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
            retention: self.retention,
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
            ledgers: self.wiring.ledgers,
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
