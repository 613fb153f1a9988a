//! Rules: pure functions from an entity after its change to a task, if one is to follow.
//!
//! Knows no queue and no clock: equal events make equal tasks.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use platform_core::{ChangePayload, Entity};
use platform_events::Received;
use platform_events::envelope::Envelope;

use crate::queue::Enqueued;
use crate::task::{IntoLater, Task};

/// The largest payload of a task, in bytes.
const PAYLOAD_MAX: usize = 256 * 1024;

type Ask = dyn Fn(&ChangePayload<'_>) -> Result<Option<Planned>, String> + Send + Sync;

/// A rule without its types.
pub(crate) struct Rule {
    /// The event types it follows; also its name in the id of its tasks.
    pub(crate) pattern: &'static str,
    /// The kind of entity it looks at.
    pub(crate) entity: &'static str,
    /// The kind of task it makes.
    pub(crate) task: &'static str,
    plan: Box<Ask>,
}

/// A task as it is to be stored.
pub(crate) struct Planned {
    pub(crate) payload: String,
    pub(crate) wait: Duration,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} makes {}", self.pattern, self.task)
    }
}

/// All rules of a service.
#[derive(Debug)]
pub(crate) struct Rules(pub(crate) Vec<Rule>);

impl Rules {
    /// The event types that they follow.
    pub(crate) fn patterns(&self) -> Vec<String> {
        let mut patterns: Vec<String> = self.0.iter().map(|rule| rule.pattern.to_owned()).collect();
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    }

    /// Asks every rule what follows from an event.
    pub(crate) fn tasks<T>(&self, event: &Received<T>) -> Result<Vec<Enqueued>, String> {
        let envelope = event.envelope();
        let mut rules = self
            .0
            .iter()
            .filter(|rule| rule.concerns(envelope))
            .peekable();
        if rules.peek().is_none() {
            return Ok(Vec::new());
        }
        let payload = ChangePayload::parse(envelope.data()).map_err(|error| error.to_string())?;
        let mut tasks = Vec::new();
        for rule in rules {
            if let Some(planned) = rule.plan(&payload)? {
                tasks.push(Enqueued::of(event, rule, planned)?);
            }
        }
        Ok(tasks)
    }
}

impl Rule {
    pub(crate) fn new<E, L>(
        pattern: &'static str,
        rule: impl Fn(&E) -> L + Send + Sync + 'static,
    ) -> Self
    where
        E: Entity,
        L: IntoLater,
    {
        let plan = move |payload: &ChangePayload<'_>| {
            let (_, after) = payload.restore::<E>().map_err(|error| error.to_string())?;
            // A deleted entity has no state that a rule could follow.
            after.map_or(Ok(None), |entity| planned(rule(&entity)))
        };
        Self {
            pattern,
            entity: E::KIND,
            task: L::Task::KIND,
            plan: Box::new(plan),
        }
    }

    /// Answers whether the event is a change that this rule follows.
    pub(crate) fn concerns(&self, envelope: &Envelope) -> bool {
        envelope.entitytype() == Some(self.entity) && matches(self.pattern, envelope.event_type())
    }

    /// Asks the rule; the error says why its answer cannot be used.
    pub(crate) fn plan(&self, payload: &ChangePayload<'_>) -> Result<Option<Planned>, String> {
        let (pattern, task) = (self.pattern, self.task);
        catch_unwind(AssertUnwindSafe(|| (self.plan)(payload)))
            .unwrap_or_else(|panic| Err(format!("it panicked: {}", text_of(panic.as_ref()))))
            .map_err(|reason| format!("the rule of {pattern} for {task}: {reason}"))
    }
}

fn planned<L: IntoLater>(later: L) -> Result<Option<Planned>, String> {
    let Some(later) = later.into_later() else {
        return Ok(None);
    };
    let payload = serde_json::to_string(&later.task)
        .map_err(|_| "its task cannot be written as JSON".to_owned())?;
    if payload.len() > PAYLOAD_MAX {
        let len = payload.len();
        return Err(format!(
            "its task has {len} bytes, the limit is {PAYLOAD_MAX}; store ids in it"
        ));
    }
    Ok(Some(Planned {
        payload,
        wait: later.wait,
    }))
}

/// Answers whether `*` for one segment, or `**` for all, make the pattern the type.
fn matches(pattern: &str, event_type: &str) -> bool {
    let (wanted, given) = (pattern.split('.'), event_type.split('.'));
    let is_as_long = wanted.clone().count() == given.clone().count();
    pattern == "**" || (is_as_long && wanted.zip(given).all(|(a, b)| a == "*" || a == b))
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_it_says() {
        for (pattern, event_type, expected) in [
            ("order.shipped", "order.shipped", true),
            ("order.*", "order.shipped", true),
            ("*.shipped", "order.shipped", true),
            ("**", "order.line.added", true),
            ("order.*", "order.line.added", false),
            ("order.shipped", "order.created", false),
        ] {
            assert_eq!(
                matches(pattern, event_type),
                expected,
                "{pattern} {event_type}"
            );
        }
    }
}
