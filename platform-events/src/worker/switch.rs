//! The kill switch of a group: when nothing works any more, trying on only spends attempts.
//!
//! Pure bookkeeping: what opens it, when a probe is due, what closes it.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use platform_core::Key;
use platform_core::clock::Stopwatch;

/// How many different keys must fail before a ratio says something.
const KEYS: usize = 20;
/// How many tries are remembered.
const WINDOW: usize = 100;
/// Tries without any success that open it.
const STREAK: usize = 20;
/// Successful probes that close it.
const PROBES: u32 = 3;
const WAIT_LEAST: Duration = Duration::from_millis(500);
const WAIT_MOST: Duration = Duration::from_secs(30);

/// The kill switch of one group in one process.
#[derive(Debug, Default)]
pub(super) struct Switch {
    tries: VecDeque<(Key, bool)>,
    streak: HashSet<Key>,
    streak_len: usize,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    successes: u32,
    next: u32,
    wait: Duration,
    since: Stopwatch,
}

/// What a recorded try changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flip {
    None,
    Opened,
    Closed,
}

impl Switch {
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Records a try of an ordinary event.
    pub(super) fn tried(&mut self, key: Key, is_success: bool) -> Flip {
        if self.open.is_some() {
            return Flip::None;
        }
        self.tries.push_back((key, is_success));
        if self.tries.len() > WINDOW {
            self.tries.pop_front();
        }
        if is_success {
            self.streak.clear();
            self.streak_len = 0;
        } else {
            self.streak.insert(key);
            self.streak_len += 1;
        }
        // One key that fails over and over is a poison, not an outage.
        let is_streak = self.streak_len >= STREAK && self.streak.len() > 1;
        if is_success || (!is_streak && !self.is_ratio()) {
            return Flip::None;
        }
        *self = Self::default();
        self.open = Some(Open {
            successes: 0,
            next: 0,
            wait: WAIT_LEAST,
            since: Stopwatch::start(),
        });
        Flip::Opened
    }

    fn is_ratio(&self) -> bool {
        let failed = self.tries.iter().filter(|(_, is_success)| !is_success);
        let keys: HashSet<Key> = failed.clone().map(|(key, _)| *key).collect();
        keys.len() >= KEYS && failed.count() * 2 > self.tries.len()
    }

    /// Returns which key's turn it is to probe, counted from the oldest, if a probe is due.
    pub(super) fn probe_due(&mut self) -> Option<u32> {
        let open = self.open.as_mut()?;
        if open.since.elapsed() < open.wait {
            return None;
        }
        open.since = Stopwatch::start();
        let turn = open.next;
        open.next += 1;
        Some(turn)
    }

    /// Starts again with the oldest key.
    pub(super) fn probe_wraps(&mut self) {
        if let Some(open) = &mut self.open {
            open.next = 0;
        }
    }

    /// Records a probe.
    pub(super) fn probed(&mut self, is_success: bool) -> Flip {
        let Some(open) = &mut self.open else {
            return Flip::None;
        };
        if is_success {
            open.successes += 1;
            open.next = 0;
            open.wait = Duration::ZERO;
            if open.successes >= PROBES {
                *self = Self::default();
                return Flip::Closed;
            }
        } else {
            open.wait = (open.wait * 2).clamp(WAIT_LEAST, WAIT_MOST);
        }
        Flip::None
    }

    /// Closes it when there is nothing left to probe.
    pub(super) fn nothing_to_probe(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        Key::of("test", &[&n.to_be_bytes()])
    }

    #[test]
    fn twenty_failures_of_different_keys_open_it_and_three_probes_close_it() {
        let mut switch = Switch::default();
        let flips: Vec<Flip> = (0..20).map(|n| switch.tried(key(n), false)).collect();
        assert!(flips[..19].iter().all(|flip| *flip == Flip::None));
        assert_eq!(flips[19], Flip::Opened);
        assert_eq!(switch.probed(true), Flip::None);
        assert_eq!(switch.probed(false), Flip::None);
        assert_eq!(switch.probed(true), Flip::None);
        assert_eq!(switch.probed(true), Flip::Closed);
        assert!(!switch.is_open());
    }

    #[test]
    fn one_poison_does_not_open_it() {
        let mut switch = Switch::default();
        assert!((0..100).all(|_| switch.tried(key(1), false) == Flip::None));
    }

    #[test]
    fn a_few_failures_among_successes_do_not_open_it() {
        let mut switch = Switch::default();
        assert!((0..500).all(|n| switch.tried(key(n), n % 3 != 0) == Flip::None));
    }
}
