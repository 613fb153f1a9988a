//! What a crate or service ships as one part: handlers, tables, and perhaps work of its own.

use std::sync::Arc;

use async_trait::async_trait;
use platform_core::Store;
use platform_core::store::Migrations;
use tokio_util::sync::CancellationToken;

use crate::handler::Registration;
pub use crate::ledger::{Effect, Ledger, Origin};
use crate::{Error, Publisher};

/// What a consequence adds to a service.
#[derive(Debug, Default)]
pub struct Wiring {
    pub(crate) registrations: Vec<Registration>,
    pub(crate) migrations: Vec<Migrations>,
    pub(crate) runners: Vec<Arc<dyn Runner>>,
    pub(crate) mistakes: Vec<String>,
    pub(crate) ledgers: Vec<Arc<dyn Ledger>>,
}

/// A consequence that ships as handlers, tables and perhaps a runner of its own.
pub trait Consequence {
    /// Adds its parts.
    fn join(self, wiring: &mut Wiring);
}

/// Work beside the handlers, such as tasks whose time comes.
#[async_trait]
pub trait Runner: std::fmt::Debug + Send + Sync {
    /// Works until `stop` is cancelled, then finishes what is in hand.
    async fn run(&self, store: Store, publisher: Publisher, stop: CancellationToken);

    /// Counts what is left to do now, for "is everything settled?".
    ///
    /// # Errors
    /// The store's.
    async fn pending(&self, store: &Store) -> Result<i64, Error>;
}

impl Wiring {
    /// Adds a handler.
    pub fn handle(&mut self, registration: Registration) {
        self.registrations.push(registration);
    }

    /// Adds tables, brought up to date before the service is built.
    pub fn migrate(&mut self, migrations: Migrations) {
        if self
            .migrations
            .iter()
            .all(|known| known.set != migrations.set)
        {
            self.migrations.push(migrations);
        }
    }

    /// Lets `why` and `audit` ask for the rows that it makes.
    pub fn explain(&mut self, ledger: Arc<dyn Ledger>) {
        self.ledgers.push(ledger);
    }

    /// Refuses to be built: says what is wired wrongly, and how to mend it.
    pub fn refuse(&mut self, mistake: impl Into<String>) {
        self.mistakes.push(mistake.into());
    }

    /// Adds work beside the handlers.
    pub fn run(&mut self, runner: Arc<dyn Runner>) {
        self.runners.push(runner);
    }
}
