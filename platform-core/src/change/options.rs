//! What the author says about a change: its name, who did it, why, and how it is to be taken.
//!
//! Options are kept as they are given; the publisher has them checked.

use chrono::{DateTime, Utc};

use super::Change;
use crate::{Actor, CorrelationId};

/// Everything about a change that its states do not say.
#[derive(Clone, Default)]
pub(super) struct Options {
    actor: Option<Actor>,
    behalf: Option<Actor>,
    reason: Option<String>,
    batch: Option<String>,
    at: Option<DateTime<Utc>>,
    correlation: Option<CorrelationId>,
    is_muted: bool,
}

impl Change {
    /// Gives the change its own event type, `kind.verb` in the past tense: `order.shipped`.
    pub fn named(mut self, event_type: impl Into<String>) -> Self {
        self.event_type = event_type.into();
        self
    }

    /// Says who did it.
    pub fn by(mut self, actor: Actor) -> Self {
        self.options.actor = Some(actor);
        self
    }

    /// Says for whom it was done, when that is not who did it.
    pub fn on_behalf_of(mut self, actor: Actor) -> Self {
        self.options.behalf = Some(actor);
        self
    }

    /// Says why; an empty reason is none.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.options.reason = Some(reason.into()).filter(|reason| !reason.is_empty());
        self
    }

    /// Says which import or bulk operation it belongs to.
    pub fn in_batch(mut self, batch: impl Into<String>) -> Self {
        self.options.batch = Some(batch.into());
        self
    }

    /// Marks it as not to be told to anyone: an import, a correction of old data.
    pub fn muted(mut self) -> Self {
        self.options.is_muted = true;
        self
    }

    /// Says when it happened, when that is not when it is published.
    pub fn at(mut self, at: DateTime<Utc>) -> Self {
        self.options.at = Some(at);
        self
    }

    /// Says which chain of changes it belongs to, instead of the one it would inherit.
    pub fn correlated(mut self, correlation: CorrelationId) -> Self {
        self.options.correlation = Some(correlation);
        self
    }

    /// Returns who did it.
    pub fn actor(&self) -> Option<&Actor> {
        self.options.actor.as_ref()
    }

    /// Returns for whom it was done.
    pub fn behalf(&self) -> Option<&Actor> {
        self.options.behalf.as_ref()
    }

    /// Returns why it was done.
    pub fn reason(&self) -> Option<&str> {
        self.options.reason.as_deref()
    }

    /// Returns the import or bulk operation it belongs to.
    pub fn batch(&self) -> Option<&str> {
        self.options.batch.as_deref()
    }

    /// Answers whether nobody is to be told.
    pub fn is_muted(&self) -> bool {
        self.options.is_muted
    }

    /// Returns when it happened, if that was said.
    pub fn occurred_at(&self) -> Option<DateTime<Utc>> {
        self.options.at
    }

    /// Returns the chain of changes it belongs to, if that was said.
    pub fn correlation(&self) -> Option<&CorrelationId> {
        self.options.correlation.as_ref()
    }
}
