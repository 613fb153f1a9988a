//! What has to come of a sequence, in memory: per item a queue, its blocked head, and its effects.

use std::collections::VecDeque;

/// How the handling of one version goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// So many times, less often than the policy allows.
    Fails(u32),
    Panics(u32),
    Snoozes(u32),
    /// Until it is mended.
    AlwaysFails,
    AlwaysPanics,
    Rejects,
}

impl Fault {
    /// Whether only a person can help.
    fn parks(self) -> bool {
        matches!(self, Self::AlwaysFails | Self::AlwaysPanics | Self::Rejects)
    }
}

#[derive(Debug, Default)]
struct Line {
    id: String,
    newest: u64,
    waiting: VecDeque<(u64, bool)>,
    is_parked: bool,
    effects: Vec<i64>,
}

#[derive(Debug)]
pub(super) struct Model {
    lines: Vec<Line>,
}

impl Model {
    pub(super) fn of(ids: Vec<String>) -> Self {
        Self {
            lines: ids
                .into_iter()
                .map(|id| Line {
                    id,
                    ..Line::default()
                })
                .collect(),
        }
    }

    /// The item's id and its next version.
    pub(super) fn next(&self, item: usize) -> (String, u64) {
        let line = &self.lines[item];
        (line.id.clone(), line.newest + 1)
    }

    pub(super) fn published(&mut self, item: usize, fault: Option<Fault>) {
        let line = &mut self.lines[item];
        line.newest += 1;
        line.waiting
            .push_back((line.newest, fault.is_some_and(Fault::parks)));
    }

    /// Handles everything that can be: a parked head holds up what is behind it.
    pub(super) fn work(&mut self) {
        for line in &mut self.lines {
            while !line.is_parked
                && let Some((version, parks)) = line.waiting.front().copied()
            {
                if parks {
                    line.is_parked = true;
                } else {
                    line.effects.push(i64::try_from(version).unwrap());
                    line.waiting.pop_front();
                }
            }
        }
    }

    /// How many events are parked.
    pub(super) fn parked(&self) -> u64 {
        self.lines.iter().filter(|line| line.is_parked).count() as u64
    }

    /// The parked events.
    pub(super) fn heads(&self) -> Vec<(String, u64)> {
        let parked = self.lines.iter().filter(|line| line.is_parked);
        parked
            .map(|line| (line.id.clone(), line.waiting[0].0))
            .collect()
    }

    pub(super) fn redrive(&mut self, is_mended: bool) {
        for line in self.lines.iter_mut().filter(|line| line.is_parked) {
            line.is_parked = false;
            if is_mended {
                line.waiting[0].1 = false;
            }
        }
    }

    pub(super) fn discard(&mut self) {
        for line in self.lines.iter_mut().filter(|line| line.is_parked) {
            line.is_parked = false;
            line.waiting.pop_front();
        }
    }

    /// What each item's handler has to have done, in order.
    pub(super) fn effects(&self) -> Vec<(String, Vec<i64>)> {
        self.lines
            .iter()
            .map(|line| (line.id.clone(), line.effects.clone()))
            .collect()
    }
}
