//! What a task may use while it runs: its transaction, publishing, identities.

use std::fmt;

use platform_core::{CorrelationId, Key, TenantId, Tx};
use platform_events::Error;
use platform_events::event::{Draft, IntoDrafts};

use crate::queue::Claimed;

/// The surroundings of one attempt of a task.
pub struct TaskContext<'t> {
    tx: &'t mut Tx,
    claimed: &'t Claimed,
    drafts: Vec<Draft>,
}

/// Ids only: payloads do not belong into logs.
impl fmt::Debug for TaskContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("id", &self.claimed.id)
            .field("kind", &self.claimed.kind)
            .finish_non_exhaustive()
    }
}

impl<'t> TaskContext<'t> {
    pub(crate) fn new(tx: &'t mut Tx, claimed: &'t Claimed) -> Self {
        Self {
            tx,
            claimed,
            drafts: Vec::new(),
        }
    }

    /// Returns the transaction of this attempt. What is written through it commits together with the task's
    /// state, or not at all.
    pub fn tx(&mut self) -> &mut Tx {
        self.tx
    }

    /// Publishes changes or drafts when the task succeeds, after everything that it writes. They join the chain
    /// of the task's event. A custom event goes to the tenant that its draft names, the default one if none.
    ///
    /// # Errors
    /// When a change breaks a rule, such as a malformed verb.
    pub fn publish(&mut self, events: impl IntoDrafts) -> Result<(), Error> {
        let correlation = CorrelationId::parse(&self.claimed.correlation_id).ok();
        let drafts = events
            .into_drafts()?
            .into_iter()
            .map(|draft| match &correlation {
                Some(correlation) => draft.correlated(correlation.clone()),
                None => draft,
            });
        self.drafts.extend(drafts);
        Ok(())
    }

    /// Returns the task's id, equal in every attempt: send it as the idempotency key of a payment or a mail.
    pub fn id(&self) -> Key {
        self.claimed.id
    }

    /// Returns whose task it is.
    pub fn tenant(&self) -> &TenantId {
        &self.claimed.tenant
    }

    /// Returns what the task's chain of changes has in common.
    pub fn correlation_id(&self) -> &str {
        &self.claimed.correlation_id
    }

    /// Returns the id of the event that the task follows.
    pub fn event_id(&self) -> &str {
        &self.claimed.event_id
    }

    /// Returns which attempt this is, counting from 1.
    pub fn attempt(&self) -> u32 {
        self.claimed.attempts.saturating_add(1)
    }

    /// The task as it is stored.
    pub(crate) fn payload(&self) -> &str {
        &self.claimed.payload
    }

    pub(crate) fn into_drafts(self) -> Vec<Draft> {
        self.drafts
    }
}
