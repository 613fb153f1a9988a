//! One lane's turn with what was read for it: batches first, one by one where something failed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use platform_core::clock::Stopwatch;

use super::group::{Group, Lane};
use super::settle::{Done, Failed};
use super::{Halt, Worker};
use crate::blocked::Cause;
use crate::context::Unit;
use crate::handler::Effects;
use crate::input::Stored;
use crate::log::{Chunk, LogRow, Position, READ_MAX};
use crate::outcome::{HandlerError, Reject, Verdict};

/// How long a batch may collect effects before it is committed.
const BATCH_FOR: Duration = Duration::from_millis(50);
/// How many events of a batch are handled between two looks at the clock.
const BATCH_STEP: usize = 16;
/// How often an event is repeated at once because another transaction was in the way.
const CONFLICTS_MAX: u32 = 10;
/// How often an event may lose its own connection although the store answered just before.
const LOSSES_MAX: u32 = 3;
/// Process deaths after which a lane runs alone, and after which the event in hand is parked.
const CRASHES_ALONE: i64 = 2;
const CRASHES_PARK: i64 = 3;

/// The work of one lane on one chunk of the log.
pub(super) struct Turn {
    worker: Arc<Worker>,
    group: Arc<Group>,
    lane: Arc<Lane>,
    /// Sizes of the next batches, after one has failed.
    narrow: VecDeque<usize>,
    conflicts: u32,
}

/// The events of a batch: those to handle, those behind a blocked key, and how many rows both are.
struct Cut {
    todo: Vec<usize>,
    skipped: Vec<usize>,
    len: usize,
}

impl Turn {
    pub(super) fn new(worker: &Arc<Worker>, group: &Arc<Group>, lane: &Arc<Lane>) -> Self {
        Self {
            worker: Arc::clone(worker),
            group: Arc::clone(group),
            lane: Arc::clone(lane),
            narrow: VecDeque::new(),
            conflicts: 0,
        }
    }

    /// Handles the chunk and makes the lane idle again.
    pub(super) async fn run(mut self, chunk: Chunk) {
        let covered = chunk.covered;
        let is_full = i64::try_from(chunk.rows.len()).is_ok_and(|rows| rows >= READ_MAX / 2);
        let result = self.handle(chunk).await;
        self.lane.took_in_hand(None);
        match result {
            Ok(()) => {
                if let Some(to) = covered.filter(|to| *to > self.lane.position()) {
                    // Stays busy until the move is committed.
                    self.worker.moves.push(
                        &self.group,
                        &self.lane,
                        to,
                        is_full || self.is_behind(to),
                    );
                    return;
                }
            }
            Err(halt) => self.halted(halt).await,
        }
        self.lane.is_busy.store(false, Ordering::Release);
        self.group.wake.notify_one();
    }

    fn is_behind(&self, position: Position) -> bool {
        self.worker.bound().position > position + READ_MAX
    }

    async fn halted(&self, halt: Halt) {
        match halt {
            Halt::Lost => self.group.unseat(&self.lane),
            Halt::Paused => {}
            Halt::Store(error) => {
                let error = crate::outcome::chain(&error);
                let (group, lane) = (self.group.spec.name, self.lane.number);
                tracing::warn!(
                    group,
                    lane,
                    error,
                    "the store failed; what was in hand is repeated"
                );
                if self.worker.store_answers().await
                    && let Err(Halt::Store(error)) =
                        self.worker.reload(&self.group, &self.lane).await
                {
                    tracing::warn!(
                        group,
                        lane,
                        error = crate::outcome::chain(&error),
                        "reloading"
                    );
                    self.group.unseat(&self.lane);
                }
            }
        }
    }

    async fn handle(&mut self, chunk: Chunk) -> Result<(), Halt> {
        if self.lane.crashes() >= CRASHES_PARK {
            self.park_suspect(&chunk.rows).await?;
        }
        let events = self.wanted(chunk.rows)?;
        let mut rest = &events[..];
        while let Some(first) = rest.first() {
            if self.worker.stop.is_cancelled()
                || self.lane.is_leaving.load(Ordering::Acquire)
                || self.group.switch().is_open()
            {
                return Err(Halt::Paused);
            }
            if self.lane.is_lost.load(Ordering::Acquire) {
                return Err(Halt::Lost);
            }
            self.lane.took_in_hand(Some(first.seq));
            let done = if self.lane.crashes() >= CRASHES_ALONE {
                self.step_alone(rest).await?
            } else {
                let worker = Arc::clone(&self.worker);
                let _shared = worker.alone.read().await;
                self.step(rest).await?
            };
            rest = &rest[done..];
        }
        Ok(())
    }

    /// Keeps what the handler asks for, above the lane's position.
    fn wanted(&self, rows: Vec<LogRow>) -> Result<Vec<Stored>, Halt> {
        let position = self.lane.position();
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            if row.seq <= position || !self.group.matches(&row) {
                continue;
            }
            let stored = stored(&row)?;
            if self.group.handler.concerns(&stored.envelope) {
                events.push(stored);
            }
        }
        Ok(events)
    }

    /// Handles the next events, as many as fit in one transaction, and returns how many rows are done.
    async fn step(&mut self, rest: &[Stored]) -> Result<usize, Halt> {
        let cut = self.cut(rest);
        if cut.todo.is_empty() {
            self.skip(rest, &cut).await?;
            return Ok(cut.len);
        }
        let mut unit = self.unit();
        let since = Stopwatch::start();
        let is_alone = cut.todo.len() == 1;
        if is_alone
            && self.lane.careful.load(Ordering::Acquire) > 0
            && !self.worker.store_answers().await
        {
            return Err(Halt::Paused);
        }
        let mut handled = 0;
        while handled < cut.todo.len() && (handled == 0 || since.elapsed() < BATCH_FOR) {
            let end = self.step_end(&cut, handled);
            let events: Vec<Stored> = cut.todo[handled..end]
                .iter()
                .map(|&at| rest[at].clone())
                .collect();
            let called = self
                .group
                .handler
                .handle(&self.group.spec, &events, &mut unit)
                .await;
            if let Err((at, error)) = called {
                unit.undo().await;
                let failed_at = at.map(|at| handled + at);
                return self.batch_failed(rest, &cut, failed_at, error, since).await;
            }
            handled = end;
        }
        let consumed = cut.todo.get(handled).copied().unwrap_or(cut.len);
        let skipped = cut
            .skipped
            .iter()
            .filter(|at| **at < consumed)
            .map(|&at| &rest[at])
            .collect();
        let done = Done {
            unit,
            first: &rest[cut.todo[0]],
            last: &rest[consumed - 1],
            events: handled,
            took: since.elapsed(),
            skipped,
        };
        match self.worker.settle(&self.group, &self.lane, done).await? {
            Ok(()) => self.succeeded(rest, &cut.todo[..handled]),
            Err(error) if is_alone => {
                let event = &rest[cut.todo[0]];
                self.fail(event, &error, since).await?;
                return Ok(cut.todo[0] + 1);
            }
            Err(_) => {
                self.narrow.extend(std::iter::repeat_n(1, handled));
                return Ok(0);
            }
        }
        Ok(consumed)
    }

    /// Events of one call: a whole slice of equal mutedness for a batch handler, a few for the others.
    fn step_end(&self, cut: &Cut, from: usize) -> usize {
        if self.group.spec.is_batch {
            cut.todo.len()
        } else {
            (from + BATCH_STEP).min(cut.todo.len())
        }
    }

    fn cut(&mut self, rest: &[Stored]) -> Cut {
        let is_external = self.group.spec.effects == Effects::External;
        let is_careful = self.lane.careful.load(Ordering::Acquire) > 0;
        let most = match self.narrow.pop_front() {
            Some(size) => size,
            None if is_external || is_careful => 1,
            None => rest.len(),
        };
        let mut cut = Cut {
            todo: Vec::new(),
            skipped: Vec::new(),
            len: 0,
        };
        for (at, event) in rest.iter().enumerate() {
            if self.lane.is_blocked(event.key) {
                cut.skipped.push(at);
            } else {
                let is_other = cut.todo.first().is_some_and(|&first: &usize| {
                    self.group.spec.is_batch && rest[first].is_muted != event.is_muted
                });
                if cut.todo.len() == most || is_other {
                    break;
                }
                cut.todo.push(at);
            }
            cut.len = at + 1;
        }
        cut
    }

    fn unit(&self) -> Unit {
        Unit::new(&self.worker.ground, self.lane.token)
    }

    async fn skip(&self, rest: &[Stored], cut: &Cut) -> Result<(), Halt> {
        let skipped: Vec<&Stored> = cut.skipped.iter().map(|&at| &rest[at]).collect();
        self.worker
            .pass(&self.group, &self.lane, self.unit(), &skipped)
            .await
    }

    fn succeeded(&mut self, rest: &[Stored], handled: &[usize]) {
        self.conflicts = 0;
        let careful = self.lane.careful.load(Ordering::Acquire);
        self.lane
            .careful
            .store(careful.saturating_sub(handled.len()), Ordering::Release);
        let mut switch = self.group.switch();
        for &at in handled {
            switch.tried(rest[at].key, true);
        }
    }

    /// Decides what a failed call means: smaller batches, or the end of this event's first try.
    async fn batch_failed(
        &mut self,
        rest: &[Stored],
        cut: &Cut,
        at: Option<usize>,
        error: HandlerError,
        since: Stopwatch,
    ) -> Result<usize, Halt> {
        let is_alone = cut.todo.len() == 1;
        match error.verdict {
            Verdict::Conflict if self.conflicts < CONFLICTS_MAX => {
                self.conflicts += 1;
                self.narrow.push_front(cut.todo.len());
                return Ok(0);
            }
            Verdict::Unavailable => {
                let event = &rest[cut.todo[0]];
                let was_careful = self.lane.careful.load(Ordering::Acquire) > 0;
                if is_alone && was_careful && self.lane.lost_connection(event.seq) >= LOSSES_MAX {
                    let reason = format!("takes the database down: {}", error.reason);
                    let failed = Failed {
                        reason: &reason,
                        park: Some(Cause::Database),
                    };
                    self.worker
                        .fail(&self.group, &self.lane, event, failed, since.elapsed())
                        .await?;
                    return Ok(cut.todo[0] + 1);
                }
                self.lane
                    .careful
                    .fetch_max(cut.todo.len(), Ordering::AcqRel);
                let lost = crate::Error::new(crate::ErrorKind::Store, error.reason);
                return Err(Halt::Store(lost));
            }
            _ => {}
        }
        if is_alone {
            self.fail(&rest[cut.todo[0]], &error, since).await?;
            return Ok(cut.todo[0] + 1);
        }
        match at {
            Some(0) => self.narrow.push_front(1),
            Some(at) => {
                self.narrow.push_front(1);
                self.narrow.push_front(at);
            }
            None => self.narrow.extend(std::iter::repeat_n(1, cut.todo.len())),
        }
        Ok(0)
    }

    async fn fail(
        &mut self,
        event: &Stored,
        error: &HandlerError,
        since: Stopwatch,
    ) -> Result<(), Halt> {
        self.conflicts = 0;
        let careful = self.lane.careful.load(Ordering::Acquire);
        self.lane
            .careful
            .store(careful.saturating_sub(1), Ordering::Release);
        let failed = Failed::by(error);
        self.worker
            .first_failure(
                &self.group,
                &self.lane,
                event,
                (error, failed),
                since.elapsed(),
            )
            .await
    }

    /// Handles one event while nothing else runs in this process, counted before it is begun.
    async fn step_alone(&mut self, rest: &[Stored]) -> Result<usize, Halt> {
        let worker = Arc::clone(&self.worker);
        let _alone = worker.alone.write().await;
        self.narrow.push_front(1);
        let Some(event) = rest.iter().find(|event| !self.lane.is_blocked(event.key)) else {
            return self.step(rest).await;
        };
        worker
            .take_in_hand(&self.group, &self.lane, event.seq)
            .await?;
        self.step(rest).await
    }

    /// Parks the event that was in hand when the process died for the third time.
    async fn park_suspect(&self, rows: &[LogRow]) -> Result<(), Halt> {
        let Some(row) = self
            .lane
            .suspect()
            .and_then(|seq| rows.iter().find(|row| row.seq == seq))
        else {
            return Ok(());
        };
        let event = stored(row)?;
        let reason = "kills its process: it was in hand when its process died three times";
        let failed = Failed {
            reason,
            park: Some(Cause::Crash),
        };
        self.worker
            .fail(&self.group, &self.lane, &event, failed, Duration::ZERO)
            .await
    }
}

/// Reads the envelope of a row.
pub(super) fn stored(row: &LogRow) -> Result<Stored, crate::Error> {
    Ok(Stored {
        seq: row.seq,
        key: row.key,
        tenant: row.tenant.clone(),
        kind: row.kind.clone(),
        is_muted: row.is_muted,
        recorded_at: row.recorded_at,
        envelope: Arc::new(row.envelope()?),
    })
}

/// A failure that no second try can mend.
pub(super) fn hopeless(reason: String) -> HandlerError {
    reason.reject()
}
