//! One reader a process: it looks at the bound, and wakes the groups when it has moved.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use platform_core::clock::Stopwatch;

use super::group::{Group, Lane};
use super::turn::Turn;
use super::{BREATH, Worker};
use crate::blocked::BLOCKED_MAX;
use crate::log::{Bound, Position};

/// Between looks while nothing was published lately.
const CALM: Duration = Duration::from_millis(250);
/// Between looks within a second of news.
const LIVELY: Duration = Duration::from_millis(20);
/// Between looks after a publish whose commit is not ours to see, for [`HOT_FOR`].
const HOT: Duration = Duration::from_millis(5);
const HOT_FOR: Duration = Duration::from_millis(200);
const LIVELY_FOR: Duration = Duration::from_secs(1);
/// How often a group reads although the bound did not move: a server that crashed can come back with numbers
/// below a bound that was seen.
const RESYNC: Duration = Duration::from_secs(5);
/// Between two looks at the least.
const LEAST: Duration = Duration::from_millis(4);
/// A bound held back for longer is reported.
const HELD: Duration = Duration::from_secs(5);

impl Worker {
    /// Looks at the bound until the worker stops.
    pub(super) async fn read_bound(self: Arc<Self>) {
        let mut news = Stopwatch::start();
        let mut hot: Option<Stopwatch> = None;
        let mut held: Option<Stopwatch> = None;
        loop {
            match self.log.bound().await {
                Ok(bound) => {
                    if self.announce(&bound) {
                        news = Stopwatch::start();
                    }
                    held = self.watch_holder(&bound, held);
                }
                Err(error) => {
                    self.vitals.bound_failed(&error);
                    tracing::warn!(
                        error = crate::outcome::chain(&error),
                        "looking at the bound"
                    );
                    self.forget_bound();
                    if !self.store_answers().await {
                        return;
                    }
                    tokio::time::sleep(LIVELY).await;
                    continue;
                }
            }
            // Commits come faster than looks are worth.
            tokio::time::sleep(LEAST).await;
            hot = hot.filter(|since| since.elapsed() < HOT_FOR);
            let wait = match hot {
                Some(_) => HOT,
                None if news.elapsed() < LIVELY_FOR => LIVELY,
                None => CALM,
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.signal.wait() => {
                    if self.signal.take_elsewhere() {
                        hot = Some(Stopwatch::start());
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Wakes the groups if the bound has moved.
    fn announce(&self, bound: &Bound) -> bool {
        self.vitals.bound_read();
        let has_moved = self.bound.send_if_modified(|known| {
            let has_moved = known.position != bound.position;
            known.clone_from(bound);
            has_moved
        });
        if has_moved {
            for group in &self.groups {
                group.wake.notify_one();
            }
        }
        has_moved
    }

    fn watch_holder(&self, bound: &Bound, held: Option<Stopwatch>) -> Option<Stopwatch> {
        let Some(holder) = &bound.holder else {
            self.vitals.bound_held(None);
            return None;
        };
        let since = held.unwrap_or_else(Stopwatch::start);
        if since.elapsed() >= HELD && self.vitals.bound_held(Some((holder, since.elapsed()))) {
            tracing::warn!(
                pid = holder.pid,
                application = holder.application,
                waiting = bound.last - bound.position,
                "a transaction has published and stays open; everything after it waits"
            );
        }
        Some(since)
    }

    /// Forgets the bound and what was seen below it: a server that crashed can come back with lower numbers,
    /// and only a new look says which are decided.
    pub(super) fn forget_bound(&self) {
        self.bound.send_replace(Bound::default());
        for lane in self.groups.iter().flat_map(|group| group.lanes()) {
            lane.seen.store(lane.position(), Ordering::Release);
        }
    }

    /// Reads for one group whenever there is something to read, until the worker stops.
    pub(super) async fn read_group(self: Arc<Self>, group: Arc<Group>) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = group.wake.notified() => {}
                () = tokio::time::sleep(RESYNC) => {
                    for lane in group.lanes() {
                        lane.seen.store(lane.position(), Ordering::Release);
                    }
                }
            }
            if let Err(error) = self.hand_out(&group).await {
                tracing::warn!(
                    group = group.spec.name,
                    error = crate::outcome::chain(&error),
                    "reading the log"
                );
                self.forget_bound();
                tokio::time::sleep(BREATH).await;
                if !self.store_answers().await {
                    return;
                }
                self.signal.published();
            }
        }
    }

    /// Reads on in every idle lane and hands what it finds to a task of its own.
    async fn hand_out(self: &Arc<Self>, group: &Arc<Group>) -> Result<(), crate::Error> {
        if group.switch().is_open() || group.blocked_count() >= BLOCKED_MAX {
            return Ok(());
        }
        self.read_idle(group, usize::MAX, false).await.map(drop)
    }

    /// Reads in the idle lanes and hands out what up to `most` of them find. Answers how many lanes got work.
    pub(super) async fn read_idle(
        self: &Arc<Self>,
        group: &Arc<Group>,
        most: usize,
        is_probe: bool,
    ) -> Result<usize, crate::Error> {
        let bound = self.bound().position;
        let idle: Vec<Arc<Lane>> = group
            .lanes()
            .into_iter()
            .filter(|lane| !lane.is_busy.load(Ordering::Acquire))
            .filter(|lane| !lane.is_leaving.load(Ordering::Acquire))
            .filter(|lane| lane.seen.load(Ordering::Acquire) < bound)
            .collect();
        if idle.is_empty() {
            return Ok(0);
        }
        let from: Vec<(i16, Position)> = idle
            .iter()
            .map(|lane| (lane.number, lane.position()))
            .collect();
        let mut chunks = self.log.read(&from, bound, &group.like).await?;
        let mut handed_out = 0;
        for lane in idle {
            let found = chunks.iter().position(|(number, _)| *number == lane.number);
            match found.map(|at| chunks.swap_remove(at).1) {
                Some(chunk) if handed_out < most => {
                    // Two readers of one group (a probe beside the reading) must not hand a lane out twice.
                    if !lane.is_busy.swap(true, Ordering::AcqRel) {
                        handed_out += 1;
                        let turn = Turn::new(self, group, &lane, is_probe);
                        let cut = self.cut.clone();
                        self.tasks.spawn(async move {
                            tokio::select! {
                                () = cut.cancelled() => {}
                                () = turn.run(chunk) => {}
                            }
                        });
                    }
                }
                Some(_) => {}
                None => {
                    lane.seen.fetch_max(bound, Ordering::AcqRel);
                }
            }
        }
        Ok(handed_out)
    }

    /// Waits until the store answers after it failed with a lane in hand, and takes the lane again. Answers
    /// false when the worker is to stop meanwhile.
    pub(super) async fn recover(&self, group: &Group, lane: &Lane, error: &str) -> bool {
        let (name, number) = (group.spec.name, lane.number);
        tracing::warn!(
            group = name,
            lane = number,
            error,
            "the store failed; what was in hand is repeated"
        );
        lane.is_lost.store(true, Ordering::Release);
        tokio::time::sleep(BREATH).await;
        let answers = self.store_answers().await;
        if answers {
            self.take_again(group, lane).await;
        }
        answers
    }

    /// Takes a lane again whose state in memory may not be what the database holds.
    pub(super) async fn take_again(&self, group: &Group, old: &Lane) {
        old.is_lost.store(true, Ordering::Release);
        let _seating = group.seating.lock().await;
        group.unseat(old);
        if let Err(error) = self.seat_again(group, old.number, Some(old)).await {
            // The next beat finds a lane that is held and not seated.
            let error = crate::outcome::chain(&error);
            tracing::warn!(
                group = group.spec.name,
                lane = old.number,
                error,
                "taking a lane again"
            );
        }
    }

    /// Takes a lane that this process holds under a new token, and seats it.
    pub(super) async fn seat_again(
        &self,
        group: &Group,
        number: i16,
        old: Option<&Lane>,
    ) -> Result<(), crate::Error> {
        if let Some(taken) = self.lease.take_again(group.id, number).await? {
            let keys = crate::blocked::keys(self.store(), group.id, number).await?;
            group.seat(Lane::again(&taken, keys, old));
        }
        Ok(())
    }
}
