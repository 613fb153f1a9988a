//! The consequence: a handler that remembers every change of the kinds it was given.
//!
//! It is told nothing but stored events, so that local and received changes make the same rows. It is never
//! muted: remembering twice is remembering once.

use std::sync::Arc;

use platform_core::Entity;
use platform_core::store::{Migrations, Step};
use platform_events::consequence::{Consequence, Wiring};
use platform_events::envelope::Envelope;
use platform_events::handler::Input;
use platform_events::{BatchHandler, Context, HandlerError, Received, Reject, Start};

use crate::entries;
use crate::entry::Entry;
use crate::ledger::Entries;

/// The tables of this crate.
pub const MIGRATIONS: Migrations = Migrations {
    set: "platform-history",
    steps: &[Step {
        version: 1,
        name: "entry",
        admits: 1,
        sqlite: include_str!("../migrations/sqlite/0001_entry.sql"),
        postgres: include_str!("../migrations/postgres/0001_entry.sql"),
    }],
};

/// Remembers the changes of some kinds of entities, one entry for each change.
///
/// Given to a service with [`with`](platform_events::Service::builder), it follows the log as the handler
/// `history`. An entry commits together with the position of the change in the log.
#[derive(Debug, Clone)]
#[must_use = "a history remembers nothing until a service has it"]
pub struct History {
    kinds: Vec<&'static str>,
    start: Start,
}

impl History {
    /// Remembers the changes of one kind of entity from now on, unless told otherwise.
    pub fn of<E: Entity>() -> Self {
        Self {
            kinds: vec![E::KIND],
            start: Start::Now,
        }
    }

    /// Remembers the changes of another kind too.
    pub fn and<E: Entity>(mut self) -> Self {
        if !self.kinds.contains(&E::KIND) {
            self.kinds.push(E::KIND);
        }
        self
    }

    /// Says where a new history starts to read; one that is known already goes on where it was.
    pub fn from(mut self, start: Start) -> Self {
        self.start = start;
        self
    }
}

impl Consequence for History {
    fn join(self, wiring: &mut Wiring) {
        wiring.migrate(MIGRATIONS);
        wiring.explain(Arc::new(Entries {
            kinds: self.kinds.clone(),
        }));
        let recorder = Recorder { kinds: self.kinds };
        wiring.handle(recorder.from(self.start));
    }
}

/// The handler behind [`History`].
struct Recorder {
    kinds: Vec<&'static str>,
}

impl BatchHandler for Recorder {
    const NAME: &'static str = "history";
    type Event = AnyChange;

    fn patterns(&self) -> Vec<String> {
        self.kinds.iter().map(|kind| format!("{kind}.*")).collect()
    }

    async fn handle(
        &self,
        events: &[Received<AnyChange>],
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let entries = events
            .iter()
            .filter(|event| {
                event
                    .envelope()
                    .entitytype()
                    .is_some_and(|kind| self.kinds.contains(&kind))
            })
            .map(Entry::of)
            .collect::<Result<Vec<_>, _>>()
            .map_err(Reject::reject)?;
        match entries::insert(cx.tx().await?, &entries).await {
            // The id was not there, so it is another event that claims a version which is taken.
            Err(error) if error.is_duplicate() => Err(taken(&entries).reject()),
            result => Ok(result?),
        }
    }
}

/// An event that tells a change of an entity; what else has a type like `order.reminded` is passed over.
struct AnyChange;

impl Input for AnyChange {
    /// None of its own: the history asks for the kinds it was given.
    fn patterns() -> Vec<String> {
        Vec::new()
    }

    fn concerns(envelope: &Envelope) -> bool {
        envelope.entitytype().is_some()
    }

    fn decode(_envelope: &Envelope) -> Result<Self, String> {
        Ok(Self)
    }
}

/// A slice is tried again event by event, so the reason that is kept names one change.
fn taken(entries: &[Entry]) -> String {
    let named = entries.first().map(|entry| {
        let Entry { event_id, entity_kind, entity_id, incarnation, version, .. } = entry;
        format!(
            "another event has told version {version} (incarnation {incarnation}) of {entity_kind} \
             {entity_id:?} already, so event {event_id} is not remembered; raise the version with every change"
        )
    });
    named.unwrap_or_default()
}
