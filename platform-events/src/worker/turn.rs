//! One lane's turn with what was read for it: batches first, one by one where something failed.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use platform_core::clock::Stopwatch;

use super::group::{Group, Lane};
use super::hold::Hold;
use super::settle::Done;
use super::{Halt, Worker};
use crate::blocked::Cause;
use crate::context::Unit;
use crate::envelope::Envelope;
use crate::handler::Effects;
use crate::input::Stored;
use crate::log::{Chunk, LogRow, READ_MAX};
use crate::outcome::{HandlerError, Verdict};

/// How long a batch may collect effects before it is committed.
const BATCH_FOR: Duration = Duration::from_millis(50);
/// How often an event is repeated at once because another transaction was in the way.
const CONFLICTS_MAX: u32 = 10;
/// How often an event may lose its connection although the store answered just before and nothing else ran.
pub(super) const LOSSES_MAX: u32 = 3;
/// Deaths of its owners after which a lane parks the event in hand: the one that made its events suspects, which is
/// nobody's fault yet, and three with this event in hand. With two, random kills of a busy process parked innocents.
const CRASHES_PARK: i64 = 4;

/// The work of one lane on one chunk of the log.
pub(super) struct Turn {
    worker: Arc<Worker>,
    seat: Seated,
    /// Sizes of the next batches, after one has failed.
    narrow: VecDeque<usize>,
    conflicts: u32,
    hold: Hold,
    /// One event only, to learn whether the group works again.
    is_probe: bool,
    /// Nothing else runs in this process.
    is_alone: bool,
}

/// A lane that is busy as long as this lives, however its task ends.
struct Seated {
    group: Arc<Group>,
    lane: Arc<Lane>,
    is_moving: bool,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.lane.took_in_hand(None);
        if !self.is_moving {
            self.lane.is_busy.store(false, Ordering::Release);
            self.group.wake.notify_one();
        }
    }
}

/// The events of a batch: those to handle, those behind a blocked key, and how many rows both are.
struct Cut {
    todo: Vec<usize>,
    skipped: Vec<usize>,
    len: usize,
}

impl Cut {
    /// The events to handle from the `from`-th to before the `end`-th, copied only where others lie between.
    fn slice<'e>(&self, rest: &'e [Stored], from: usize, end: usize) -> Cow<'e, [Stored]> {
        let todo = &self.todo[from..end];
        match (todo.first(), todo.last()) {
            (Some(&first), Some(&last)) if last - first == todo.len() - 1 => {
                Cow::Borrowed(&rest[first..=last])
            }
            _ => todo.iter().map(|&at| rest[at].clone()).collect(),
        }
    }

    /// The events passed over before the row `end`.
    fn skipped_before<'e>(&self, rest: &'e [Stored], end: usize) -> Vec<&'e Stored> {
        self.skipped
            .iter()
            .filter(|at| **at < end)
            .map(|&at| &rest[at])
            .collect()
    }
}

impl Turn {
    /// Starts the turn of a lane that was just made busy.
    pub(super) fn new(
        worker: &Arc<Worker>,
        group: &Arc<Group>,
        lane: &Arc<Lane>,
        is_probe: bool,
    ) -> Self {
        let seat = Seated {
            group: Arc::clone(group),
            lane: Arc::clone(lane),
            is_moving: false,
        };
        let worker = Arc::clone(worker);
        Self {
            worker,
            seat,
            narrow: VecDeque::new(),
            conflicts: 0,
            hold: Hold::default(),
            is_probe,
            is_alone: false,
        }
    }

    fn lane(&self) -> &Lane {
        &self.seat.lane
    }

    fn group(&self) -> &Arc<Group> {
        &self.seat.group
    }

    /// Handles the chunk and makes the lane idle again.
    pub(super) async fn run(mut self, chunk: Chunk) {
        let covered = chunk.covered;
        match self.handle(chunk).await {
            Ok(()) => {
                if let Some(to) = covered.filter(|to| *to > self.lane().position()) {
                    // Stays busy until the move is committed.
                    self.seat.is_moving = true;
                    let is_behind = self.worker.bound().position > to + READ_MAX;
                    self.worker
                        .moves
                        .push(self.group(), &self.seat.lane, to, is_behind);
                }
            }
            Err(halt) => self.halted(halt).await,
        }
    }

    async fn halted(&self, halt: Halt) {
        let error = match halt {
            Halt::Lost => return self.group().unseat(self.lane()),
            Halt::Paused => return,
            Halt::Store(error) => crate::outcome::chain(&error),
            Halt::Handler(error) => error.reason,
        };
        let _answers = self.worker.recover(self.group(), self.lane(), &error).await;
    }

    async fn handle(&mut self, chunk: Chunk) -> Result<(), Halt> {
        let events = self.wanted(&chunk.rows);
        let mut rest = &events[..];
        if self.lane().crashes() >= CRASHES_PARK {
            rest = self.park_suspect(rest).await?;
        }
        while !rest.is_empty() {
            if self.lane().is_lost() {
                return Err(Halt::Lost);
            }
            let is_shut = self.group().switch().is_open() && !self.is_probe;
            if self.worker.stop.is_cancelled()
                || self.lane().is_leaving.load(Ordering::Acquire)
                || is_shut
            {
                return Err(Halt::Paused);
            }
            let done = if self.is_suspicious(rest) {
                self.step_alone(rest).await?
            } else {
                let worker = Arc::clone(&self.worker);
                let _shared = worker.alone.read().await;
                self.step(rest).await?
            };
            if self.is_probe && done > 0 {
                return Err(Halt::Paused);
            }
            rest = &rest[done..];
            let (lane, stop) = (&self.seat.lane, &self.worker.stop);
            self.hold.wait(lane, stop).await?;
        }
        self.lane().suspects.store(0, Ordering::Release);
        Ok(())
    }

    /// The first event to handle of those that follow.
    fn first_free<'e>(&self, rest: &'e [Stored]) -> Option<&'e Stored> {
        rest.iter()
            .find(|event| !self.lane().is_blocked(event.key, event.seq))
    }

    /// Answers whether the next event may be one that takes its process or the database down.
    fn is_suspicious(&self, rest: &[Stored]) -> bool {
        let has_lost = |event: &Stored| self.lane().has_lost(event.seq);
        self.has_suspects() || self.first_free(rest).is_some_and(has_lost)
    }

    fn has_suspects(&self) -> bool {
        self.lane().suspects.load(Ordering::Acquire) > 0
    }

    /// Keeps what the handler asks for, above the lane's position.
    fn wanted(&self, rows: &[LogRow]) -> Vec<Stored> {
        let position = self.lane().position();
        let asked = rows
            .iter()
            .filter(|row| row.seq > position && self.group().matches(row));
        let redo = self.lane().redo();
        let events = asked.filter_map(|row| Stored::of(row).in_phase(redo.as_ref()));
        events
            .filter(|event| event.fault.is_some() || self.concerns(&event.envelope))
            .collect()
    }

    fn concerns(&self, envelope: &Envelope) -> bool {
        self.group().handler.concerns(envelope)
    }

    /// Handles the next events, as many as fit in one transaction, and returns how many rows are done.
    async fn step(&mut self, rest: &[Stored]) -> Result<usize, Halt> {
        let cut = self.cut(rest);
        let Some(&first) = cut.todo.first() else {
            let skipped = cut.skipped_before(rest, cut.len);
            self.worker
                .pass(self.group(), self.lane(), &skipped)
                .await?;
            return Ok(cut.len);
        };
        if self.is_careful() && !self.worker.store_answers().await {
            return Err(Halt::Paused);
        }
        let mut unit = Unit::new(&self.worker.ground, self.lane().token);
        if self.group().spec.effects == Effects::Transactional {
            // Before the handler's time runs: the wait for a turn is not its fault.
            unit.tx().await?;
        }
        let since = Stopwatch::start();
        let mut handled = 0;
        while handled < cut.todo.len() && (handled == 0 || since.elapsed() < BATCH_FOR) {
            let end = if self.group().spec.is_batch {
                cut.todo.len()
            } else {
                handled + 1
            };
            let events = cut.slice(rest, handled, end);
            self.lane().took_in_hand(Some(events[0].seq));
            let group = Arc::clone(self.group());
            let called = group.handler.handle(&group.spec, &events, &mut unit).await;
            if let Err((at, error)) = called {
                let error = excused(&unit, error, since.elapsed());
                let has_begun = unit.has_begun();
                unit.undo().await;
                let at = at.map(|at| handled + at);
                return self.failed(rest, &cut, (at, error, has_begun), since).await;
            }
            handled = end;
        }
        let consumed = cut.todo.get(handled).copied().unwrap_or(cut.len);
        let done = Done {
            unit,
            first: &rest[first],
            last: &rest[consumed - 1],
            events: handled,
            new: count_new(rest, &cut.todo[..handled]),
            took: since.elapsed(),
            skipped: cut.skipped_before(rest, consumed),
        };
        match self.worker.settle(self.group(), self.lane(), done).await {
            Ok(()) => self.succeeded(rest, &cut.todo[..handled]).await,
            Err(Halt::Handler(error)) => {
                return self.failed(rest, &cut, (None, error, true), since).await;
            }
            Err(halt) => return Err(halt),
        }
        Ok(consumed)
    }

    fn is_careful(&self) -> bool {
        self.lane().careful.load(Ordering::Acquire) > 0
    }

    fn cut(&mut self, rest: &[Stored]) -> Cut {
        let is_external = self.group().spec.effects == Effects::External;
        let is_batch = self.group().spec.is_batch;
        let most = match self.narrow.pop_front() {
            Some(size) => size,
            None if (is_external && !is_batch) || self.is_careful() || self.is_probe => 1,
            None => rest.len(),
        };
        let mut cut = Cut {
            todo: Vec::new(),
            skipped: Vec::new(),
            len: 0,
        };
        for (at, event) in rest.iter().enumerate() {
            if self.lane().is_blocked(event.key, event.seq) {
                cut.skipped.push(at);
            } else {
                let is_other = cut.todo.first().is_some_and(|&first: &usize| {
                    let first = &rest[first];
                    is_batch && (first.is_muted, first.again) != (event.is_muted, event.again)
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

    /// Says in the service's health why a lane holds, or that it goes on.
    fn say_held(&self, why: Option<&str>) {
        let name = self.group().spec.name;
        self.worker.vitals.paused(name, why);
    }

    async fn succeeded(&mut self, rest: &[Stored], handled: &[usize]) {
        self.conflicts = 0;
        if self.hold.end() {
            self.say_held(None);
        }
        let fewer = |left: usize| Some(left.saturating_sub(handled.len()));
        let _left = self
            .lane()
            .careful
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer);
        let _left = self
            .lane()
            .suspects
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer);
        if self.is_probe {
            let flip = self.group().switch().probed(true);
            self.worker.flipped(self.group(), flip, None).await;
            return;
        }
        let mut switch = self.group().switch();
        for &at in handled {
            switch.tried(rest[at].key, true);
        }
    }

    /// Decides what a failed call means: smaller batches, or the end of this event's first try. Returns how many
    /// rows are done.
    async fn failed(
        &mut self,
        rest: &[Stored],
        cut: &Cut,
        (at, error, has_begun): (Option<usize>, HandlerError, bool),
        since: Stopwatch,
    ) -> Result<usize, Halt> {
        let first = cut.todo[0];
        let event = &rest[first];
        let is_alone = cut.todo.len() == 1;
        let skipped = cut.skipped_before(rest, first);
        match error.verdict {
            Verdict::Conflict if self.conflicts < CONFLICTS_MAX => {
                self.conflicts += 1;
                self.narrow.push_front(cut.todo.len());
                return Ok(0);
            }
            Verdict::Unavailable => {
                // A connection that was never had cannot be lost.
                let is_suspect = is_alone && has_begun && self.is_careful();
                if is_suspect && self.lane().lost_connection(event.seq, self.is_alone) >= LOSSES_MAX
                {
                    let why = (
                        Cause::Database,
                        "takes the database down: its connection was lost three times",
                    );
                    self.worker
                        .park(self.group(), self.lane(), (event, &skipped), why)
                        .await?;
                    return Ok(first + 1);
                }
                self.lane()
                    .careful
                    .fetch_max(cut.todo.len(), Ordering::AcqRel);
                return Err(Halt::Store(crate::Error::new(
                    crate::ErrorKind::Store,
                    error.reason,
                )));
            }
            Verdict::Hold if is_alone && !self.is_probe => {
                self.hold.again(event.seq, &error.reason);
                self.say_held(Some(&error.reason));
                self.narrow.push_front(1);
                return Ok(0);
            }
            _ if self.is_probe => {
                let flip = self.group().switch().probed(false);
                self.worker.flipped(self.group(), flip, None).await;
                return Err(Halt::Paused);
            }
            _ => {}
        }
        if is_alone {
            self.conflicts = 0;
            let took = since.elapsed();
            let (group, lane) = (self.group(), self.lane());
            self.worker
                .first_failure(group, lane, (event, &skipped), &error, took)
                .await?;
            return Ok(first + 1);
        }
        self.part(at, cut.todo.len());
        Ok(0)
    }

    /// Makes the next batches smaller: up to the event that failed and that one alone, if it is known which.
    fn part(&mut self, at: Option<usize>, len: usize) {
        match at {
            Some(0) => self.narrow.push_front(1),
            Some(at) => {
                self.narrow.push_front(1);
                self.narrow.push_front(at);
            }
            None => self.narrow.extend(std::iter::repeat_n(1, len)),
        }
    }

    /// Handles one event while nothing else runs in this process; one that may kill it is counted before.
    async fn step_alone(&mut self, rest: &[Stored]) -> Result<usize, Halt> {
        let worker = Arc::clone(&self.worker);
        let _alone = worker.alone.write().await;
        self.narrow.push_front(1);
        if self.has_suspects()
            && let Some(event) = self.first_free(rest)
        {
            worker
                .take_in_hand(self.group(), self.lane(), event.seq)
                .await?;
        }
        self.is_alone = true;
        let done = self.step(rest).await;
        self.is_alone = false;
        done
    }

    /// Parks the event that was in hand when the process died for the third time, and returns what follows it.
    async fn park_suspect<'e>(&self, events: &'e [Stored]) -> Result<&'e [Stored], Halt> {
        let suspect = self.lane().suspect();
        let Some(at) = events.iter().position(|event| Some(event.seq) == suspect) else {
            return Ok(events);
        };
        let before: Vec<&Stored> = events[..at].iter().collect();
        let why = (
            Cause::Crash,
            "kills its process: it was in hand when its process died three times",
        );
        self.worker
            .park(self.group(), self.lane(), (&events[at], &before), why)
            .await?;
        self.lane().suspects.store(0, Ordering::Release);
        Ok(&events[at + 1..])
    }
}

/// Sees through two errors that are not what they say. An attempt that ended while it waited for its turn to
/// begin a transaction was none; a connection that was lost because the handler let it idle was not lost by the
/// database.
pub(super) fn excused(unit: &Unit, error: HandlerError, took: Duration) -> HandlerError {
    if unit.is_waiting() {
        return HandlerError::new(Verdict::Conflict, error.reason);
    }
    let idle = unit.idle_max();
    if error.verdict == Verdict::Unavailable && unit.has_begun() && took >= idle {
        let reason = format!(
            "the transaction may idle for {idle:?} and was ended; reach out before `cx.tx()`: {}",
            error.reason
        );
        return HandlerError::retry(reason);
    }
    error
}

/// How many of the events `todo` were not handled before.
fn count_new(rest: &[Stored], todo: &[usize]) -> usize {
    let is_new = |at: &&usize| rest[**at].again.is_none();
    todo.iter().filter(is_new).count()
}
