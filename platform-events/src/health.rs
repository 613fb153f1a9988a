//! What a probe asks: is this process alive, is it ready, and if not, why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use platform_core::clock::Stopwatch;

use crate::Error;
use crate::log::Holder;

/// The answer to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// False when only a restart can help: a handler that never returns.
    pub is_live: bool,
    /// False while nothing can be handled: the store is away, the log is damaged.
    pub is_ready: bool,
    /// What is wrong, or worth knowing, in words.
    pub reasons: Vec<String>,
}

/// What the tasks of a worker report as they go.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_running: bool,
    stuck: Option<String>,
    store_away: bool,
    damage: Option<String>,
    held: Option<String>,
    paused: BTreeMap<&'static str, String>,
    waiting: BTreeSet<&'static str>,
    bound_read: Option<Stopwatch>,
    renewed: Option<Stopwatch>,
    lapsed: Option<Stopwatch>,
}

/// Without a look at the bound for longer a process is not ready.
const BOUND_LATE: Duration = Duration::from_secs(10);

impl Vitals {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Forgets what an earlier run of the service reported.
    pub(crate) fn begin(&self) {
        self.change(|state| {
            *state = State {
                is_running: true,
                ..State::default()
            };
        });
    }

    /// Notes that the service has ended.
    pub(crate) fn end(&self) {
        self.change(|state| *state = State::default());
    }

    pub(crate) fn stuck(&self, what: Option<String>) {
        self.change(|state| state.stuck = what);
    }

    pub(crate) fn store_answers(&self, answers: bool) {
        self.change(|state| state.store_away = !answers);
    }

    pub(crate) fn bound_read(&self) {
        self.change(|state| {
            state.bound_read = Some(Stopwatch::start());
            state.damage = None;
        });
    }

    pub(crate) fn bound_failed(&self, error: &Error) {
        if error.kind() == crate::ErrorKind::Damaged {
            self.change(|state| state.damage = Some(error.to_string()));
        }
    }

    /// Notes who holds the bound; true when that is news.
    pub(crate) fn bound_held(&self, by: Option<(&Holder, Duration)>) -> bool {
        let text = by.map(|(holder, since)| {
            let pid = holder
                .pid
                .map_or("a prepared transaction".to_owned(), |pid| {
                    format!("pid {pid}")
                });
            let name = &holder.application;
            format!(
                "{pid} ({name}) has published and stays open: its log is held back for {since:?}"
            )
        });
        let mut is_news = false;
        self.change(|state| {
            is_news = text.is_some() && state.held.is_none();
            state.held = text;
        });
        is_news
    }

    pub(crate) fn paused(&self, group: &'static str, reason: Option<&str>) {
        self.change(|state| {
            match reason {
                Some(reason) => state.paused.insert(group, reason.to_owned()),
                None => state.paused.remove(group),
            };
        });
    }

    /// Notes whether this process may take lanes of a group.
    pub(crate) fn admitted(&self, group: &'static str, is_admitted: bool) {
        self.change(|state| {
            if is_admitted {
                state.waiting.remove(group);
            } else if state.waiting.insert(group) {
                tracing::warn!(
                    group,
                    "waits: another release of this handler asks for more"
                );
            }
        });
    }

    /// Notes that the lease was renewed, and whether it had lapsed before.
    pub(crate) fn renewed(&self, lease: Duration) {
        self.change(|state| {
            if state.renewed.is_some_and(|since| since.elapsed() >= lease) {
                state.lapsed = Some(Stopwatch::start());
            }
            state.renewed = Some(Stopwatch::start());
        });
    }

    /// Answers whether the lease had lapsed less than its length ago: most likely those of the others did too,
    /// for the same outage, and they shall have the time to renew them before their lanes are taken.
    pub(crate) fn has_lapsed(&self, lease: Duration) -> bool {
        let mut has_lapsed = false;
        self.change(|state| {
            has_lapsed = state.lapsed.is_some_and(|since| since.elapsed() < lease);
        });
        has_lapsed
    }

    pub(crate) fn health(&self, lease: Duration) -> Health {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.is_running {
            return Health {
                is_live: true,
                is_ready: false,
                reasons: vec!["the service does not run".to_owned()],
            };
        }
        let mut reasons = Vec::new();
        reasons.extend(state.stuck.clone());
        if state.store_away {
            reasons.push("the store does not answer".to_owned());
        }
        reasons.extend(state.damage.clone());
        reasons.extend(state.held.clone());
        reasons.extend(
            state
                .paused
                .iter()
                .map(|(group, why)| format!("{group} is paused: {why}")),
        );
        let waits =
            "waits: another release of this handler asks for more events, or did a moment ago";
        reasons.extend(state.waiting.iter().map(|group| format!("{group} {waits}")));
        let is_current =
            |since: Option<Stopwatch>, limit| since.is_some_and(|s| s.elapsed() < limit);
        if !is_current(state.renewed, lease) {
            reasons.push("the lease is not renewed: other processes may take over".to_owned());
        }
        if !is_current(state.bound_read, BOUND_LATE) {
            reasons.push(format!("the log was not looked at for {BOUND_LATE:?}"));
        }
        let is_ready = !state.store_away
            && state.damage.is_none()
            && is_current(state.renewed, lease)
            && is_current(state.bound_read, BOUND_LATE);
        Health {
            is_live: state.stuck.is_none(),
            is_ready,
            reasons,
        }
    }
}
