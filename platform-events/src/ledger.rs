//! What a consequence remembers of the events it followed, in a form that one `why` and one `audit` can ask.

use async_trait::async_trait;
use platform_core::store::Row;
use platform_core::{Key, Store, TenantId};
use serde::Serialize;

use crate::Error;
use crate::envelope::Envelope;
use crate::input::Received;

/// The rows that a consequence makes of events: entries, notifications, tasks.
#[async_trait]
pub trait Ledger: std::fmt::Debug + Send + Sync {
    /// What one of its rows is called.
    fn name(&self) -> &'static str;

    /// The name of the handler that makes them.
    fn handler(&self) -> &'static str;

    /// The ids of the rows that an event has once it is handled: a pure function of the event.
    ///
    /// # Errors
    /// Why its rules cannot be asked; such an event is parked.
    fn expected(&self, event: &Received<Envelope>) -> Result<Vec<Key>, String>;

    /// The rows that follow from an event, also those of rules that are gone.
    ///
    /// # Errors
    /// The store's.
    async fn effects(
        &self,
        store: &Store,
        event: &Received<Envelope>,
    ) -> Result<Vec<Effect>, Error>;

    /// The event that a row follows from.
    ///
    /// # Errors
    /// The store's.
    async fn origin(&self, store: &Store, id: Key) -> Result<Option<Origin>, Error>;
}

/// One row that follows from an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// What it is called: `entry`, `notification`, `task`.
    pub kind: &'static str,
    /// Its id.
    pub id: Key,
    /// What became of it, such as `sent`, `skipped`, `waiting`.
    pub state: String,
    /// Why, where the state alone does not say it, such as `muted`.
    pub code: Option<String>,
    /// What it is in a few words, without personal values.
    pub what: String,
}

/// Which event a row follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whose it is.
    pub tenant: TenantId,
    /// What its chain has in common.
    pub correlation_id: String,
    /// Its id.
    pub event_id: String,
}

impl Origin {
    /// Reads the columns `tenant`, `correlation_id` and `event_id`, which the tables of all consequences have.
    ///
    /// # Errors
    /// When the row has no such columns.
    pub fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            tenant: row.get("tenant")?,
            correlation_id: row.get("correlation_id")?,
            event_id: row.get("event_id")?,
        })
    }
}
