//! What a handler may use besides its event: the transaction, publishing, identities.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use platform_core::{Change, Key, Store, Tx};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::event::{Draft, Event, Identity, IntoDrafts};
use crate::input::Received;
use crate::log::Record;
use crate::outcome::HandlerError;
use crate::publisher::{CausedBy, Publisher};
use crate::{Error, fence};

/// The surroundings of one attempt.
#[derive(Debug)]
pub struct Context<'c> {
    unit: &'c mut Unit,
    cause: CausedBy,
}

/// The transaction of an attempt or a batch, begun on first use, and what was published in it.
pub(crate) struct Unit {
    ground: Ground,
    token: i64,
    begun: Option<(Tx, OwnedSemaphorePermit)>,
    drafts: Vec<(CausedBy, Draft)>,
    is_waiting: bool,
}

/// Where a process takes its transactions from.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub(crate) store: Store,
    pub(crate) permits: Arc<Semaphore>,
    /// How long a transaction may idle before the server ends it.
    pub(crate) idle: Duration,
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unit")
            .field("has_begun", &self.begun.is_some())
            .finish_non_exhaustive()
    }
}

impl Unit {
    pub(crate) fn new(ground: &Ground, token: i64) -> Self {
        Self {
            ground: ground.clone(),
            token,
            begun: None,
            drafts: Vec::new(),
            is_waiting: false,
        }
    }

    pub(crate) fn context(&mut self, cause: CausedBy) -> Context<'_> {
        Context { unit: self, cause }
    }

    pub(crate) async fn tx(&mut self) -> Result<&mut Tx, Error> {
        if self.begun.is_none() {
            self.is_waiting = true;
            // The semaphore outlives every worker, so it is never closed.
            let permit = Arc::clone(&self.ground.permits).acquire_owned().await;
            let permit =
                permit.map_err(|error| Error::wiring("the worker is gone").with_source(error))?;
            let mut tx = self.ground.store.begin().await?;
            fence::mark(&mut tx, self.token, self.ground.idle).await?;
            self.is_waiting = false;
            self.begun = Some((tx, permit));
        }
        match &mut self.begun {
            Some((tx, _)) => Ok(tx),
            None => Err(Error::wiring("the transaction did not begin")),
        }
    }

    /// Decides the records of what was published, in order. What a silent replay publishes has none.
    pub(crate) fn records(&mut self, publisher: &Publisher) -> Result<Vec<Record>, Error> {
        let mut counts: HashMap<(String, String), usize> = HashMap::new();
        let is_heard = |cause: &CausedBy| cause.again.is_none_or(|again| again.is_publishing);
        std::mem::take(&mut self.drafts)
            .into_iter()
            .filter(|(cause, _)| is_heard(cause))
            .map(|(cause, draft)| {
                let nth = counts
                    .entry((cause.event.id().to_owned(), draft.kind.clone()))
                    .or_default();
                let record = publisher.record(&draft, Some(&cause), *nth);
                *nth += 1;
                record
            })
            .collect()
    }

    /// How many events were published so far, heard or not.
    pub(crate) fn published(&self) -> usize {
        self.drafts.len()
    }

    /// Hands the transaction over to be committed.
    pub(crate) fn into_tx(self) -> Option<(Tx, OwnedSemaphorePermit)> {
        self.begun
    }

    /// Undoes what was written, keeping the connection if it answers at once: a statement that was dropped
    /// half-way must end first, and may wait for a lock.
    pub(crate) async fn undo(self) {
        if let Some((tx, _permit)) = self.begun {
            let undone = tokio::time::timeout(UNDO, tx.rollback()).await;
            tracing::trace!(?undone, "rolled back");
        }
    }

    /// How long the transaction may idle before the server ends it.
    pub(crate) fn idle_max(&self) -> Duration {
        self.ground.idle
    }

    /// Answers whether the transaction has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Answers whether the attempt ended while it waited for its turn to begin a transaction.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
    }
}

/// How long a rollback may take before its connection is closed instead.
const UNDO: Duration = Duration::from_secs(1);

impl Context<'_> {
    /// Returns the transaction of this attempt, begun on first use. What is written through it commits together
    /// with the event's position, or not at all.
    ///
    /// On PostgreSQL the server ends a transaction that idles for 8 s (0.8 of the lease), so that a stalled
    /// process holds no locks: reach out to the world before the first call, not after it.
    ///
    /// # Errors
    /// The store's; passed on through `?` it spends no attempt.
    pub async fn tx(&mut self) -> Result<&mut Tx, Error> {
        self.unit.tx().await
    }

    /// Publishes an event, a change or a draft, caused by the event in hand. It is appended in the same
    /// transaction, after everything that the handler writes; handled again, it has the same id.
    ///
    /// In a slice the event in hand is the first one; [`publish_for`](Self::publish_for) names another.
    pub fn publish(&mut self, event: impl IntoCaused) {
        let cause = self.cause.clone();
        self.publish_as(&cause, event);
    }

    /// As [`publish`](Self::publish), caused by one event of a slice.
    pub fn publish_for<T>(&mut self, cause: &Received<T>, event: impl IntoCaused) {
        let cause = CausedBy {
            event: Arc::clone(&cause.envelope),
            scope: cause.origin.clone(),
            group: Arc::clone(&self.cause.group),
            again: self.cause.again,
        };
        self.publish_as(&cause, event);
    }

    fn publish_as(&mut self, cause: &CausedBy, event: impl IntoCaused) {
        for draft in event.into_caused() {
            self.unit.drafts.push((cause.clone(), draft));
        }
    }

    /// Returns an identity for outside effects, equal whenever this event is handled by this handler: send it
    /// as the idempotency key of a payment or a mail. `step` tells several effects apart.
    pub fn idempotency_key(&self, step: &str) -> Key {
        let event = &self.cause.event;
        Key::of(
            "effect",
            &[
                self.cause.scope.as_bytes(),
                event.source().as_bytes(),
                event.id().as_bytes(),
                self.cause.group.as_bytes(),
                step.as_bytes(),
            ],
        )
    }

    /// Answers whether the event is handled again by a [replay](crate::replay::Replay). What is published then is
    /// counted and dropped, unless the replay is a publishing one.
    pub fn is_replay(&self) -> bool {
        self.cause.again.is_some()
    }
}

/// What a handler can publish.
pub trait IntoCaused {
    #[doc(hidden)]
    fn into_caused(self) -> Vec<Draft>;
}

impl<E: Event> IntoCaused for E {
    fn into_caused(self) -> Vec<Draft> {
        vec![Draft::of(&self, Identity::Caused)]
    }
}

impl IntoCaused for Draft {
    fn into_caused(self) -> Vec<Draft> {
        vec![self]
    }
}

impl IntoCaused for Change {
    fn into_caused(self) -> Vec<Draft> {
        let kind = self.event_type().to_owned();
        self.into_drafts()
            .unwrap_or_else(|error| vec![Draft::broken(kind, &error)])
    }
}

/// A mistake in a published event is the handler's: trying again cannot help.
pub(crate) fn unpublishable(error: &Error) -> HandlerError {
    crate::outcome::Reject::reject(format!(
        "what it published is refused: {}",
        crate::outcome::chain(error)
    ))
}
