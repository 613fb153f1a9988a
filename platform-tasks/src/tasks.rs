//! The consequence: a handler that enqueues what its rules ask for, and the runner that does it in time.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use platform_core::Entity;
use platform_core::store::{Migrations, Step};
use platform_events::consequence::{Consequence, Wiring};
use platform_events::envelope::Envelope;
use platform_events::handler::Input;
use platform_events::{Context, Effects, Handler, HandlerError, Received, Reject, Start};
use tokio::sync::Notify;

use crate::ledger::Queued;
use crate::queue;
use crate::rule::{Rule, Rules};
use crate::runner::TaskRunner;
use crate::task::{Erased, IntoLater, Of, Task};

/// The tables of this crate.
pub const MIGRATIONS: Migrations = Migrations {
    set: "platform-tasks",
    steps: &[Step {
        version: 1,
        name: "task",
        admits: 1,
        sqlite: include_str!("../migrations/sqlite/0001_task.sql"),
        postgres: include_str!("../migrations/postgres/0001_task.sql"),
    }],
};

/// The rules that say which tasks follow which changes.
///
/// Given to a service, it follows the log as the handler `tasks` and runs what is due, one task after the other
/// in each process.
#[must_use = "tasks do nothing until a service has them"]
pub struct Tasks {
    rules: Vec<Rule>,
    known: HashMap<&'static str, (TypeId, Arc<dyn Erased>)>,
    start: Start,
    mistakes: Vec<String>,
}

impl Tasks {
    /// Starts without rules.
    pub fn new() -> Self {
        Self {
            rules: Vec::new(),
            known: HashMap::new(),
            start: Start::Now,
            mistakes: Vec::new(),
        }
    }

    /// Adds a rule: a pure function of the entity after a change whose event type is `pattern`
    /// (`order.shipped`, `order.*`). A deletion has no such state and asks no rule.
    ///
    /// The pattern and the kind of task name the rule in the ids of its tasks: an event makes at most one task
    /// of each.
    pub fn on<E, L>(
        mut self,
        pattern: &'static str,
        rule: impl Fn(&E) -> L + Send + Sync + 'static,
    ) -> Self
    where
        E: Entity,
        L: IntoLater,
    {
        let first = pattern.split('.').next().unwrap_or_default();
        if first != E::KIND && !first.starts_with('*') {
            let kind = E::KIND;
            self.mistakes.push(format!(
                "the rule of {pattern} looks at a {kind}, whose events are called {kind}.created and so on"
            ));
        }
        let rule = Rule::new(pattern, rule);
        let is_same = |known: &Rule| (known.pattern, known.task) == (rule.pattern, rule.task);
        if self.rules.iter().any(is_same) {
            let task = rule.task;
            self.mistakes.push(format!(
                "two rules make {task} of {pattern}; put both into one rule, or give one a kind of its own"
            ));
        }
        self.rules.push(rule);
        self.knowing::<L::Task>()
    }

    /// Runs tasks of a kind that no rule makes any more, but that may still wait.
    pub fn knowing<T: Task>(mut self) -> Self {
        let (kind, id) = (T::KIND, TypeId::of::<T>());
        let is_kind = (1..=64).contains(&kind.len())
            && kind
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_kind {
            self.mistakes.push(format!(
                "`{kind}` is no kind of task; use a to z, 0 to 9 and `-`"
            ));
        }
        if self.known.get(kind).is_some_and(|(known, _)| *known != id) {
            self.mistakes.push(format!(
                "two types of task are called `{kind}`; rename one of them"
            ));
        }
        self.known.insert(kind, (id, Arc::new(Of::<T>::new())));
        self
    }

    /// Says where new rules start to read; a group that is known already goes on where it was.
    pub fn from(mut self, start: Start) -> Self {
        self.start = start;
        self
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self
            .rules
            .iter()
            .map(|rule| (rule.pattern, rule.task))
            .collect();
        f.debug_struct("Tasks")
            .field("rules", &rules)
            .finish_non_exhaustive()
    }
}

impl Consequence for Tasks {
    fn join(self, wiring: &mut Wiring) {
        wiring.migrate(MIGRATIONS);
        if self.known.is_empty() {
            wiring.refuse(
                "the tasks have no rule and know no kind; add a rule with `on`, or a kind that still waits \
                 with `knowing`",
            );
        }
        let wake = Arc::new(Notify::new());
        let known = self.known.into_values().map(|(_, task)| task).collect();
        wiring.run(Arc::new(TaskRunner::new(known, Arc::clone(&wake))));
        for mistake in self.mistakes {
            wiring.refuse(mistake);
        }
        if !self.rules.is_empty() {
            let rules = Arc::new(Rules(self.rules));
            wiring.explain(Arc::new(Queued {
                rules: Arc::clone(&rules),
            }));
            let enqueuer = Enqueuer { rules, wake };
            wiring.handle(enqueuer.from(self.start));
        }
    }
}

/// The handler behind [`Tasks`].
struct Enqueuer {
    rules: Arc<Rules>,
    wake: Arc<Notify>,
}

impl Handler for Enqueuer {
    const NAME: &'static str = "tasks";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = AnyChange;

    fn patterns(&self) -> Vec<String> {
        self.rules.patterns()
    }

    async fn handle(
        &self,
        event: Received<AnyChange>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let tasks = self.rules.tasks(&event).map_err(Reject::reject)?;
        if tasks.is_empty() {
            return Ok(());
        }
        let tx = cx.tx().await?;
        for task in &tasks {
            queue::enqueue(tx, task).await?;
        }
        let wake = Arc::clone(&self.wake);
        tx.on_commit(move || wake.notify_one());
        Ok(())
    }
}

/// An event that tells a change of an entity; other events have no state for a rule to look at.
pub(crate) struct AnyChange;

impl Input for AnyChange {
    /// None of its own: the rules say what they follow.
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
