//! Retries of blocked keys, beside the reading: counted before they are made, fenced like everything else.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform_core::Key;
use platform_core::clock::Stopwatch;
use tokio::sync::{MutexGuard, OwnedSemaphorePermit, RwLockReadGuard, RwLockWriteGuard};

use super::group::{Group, Lane, locked};
use super::hold::HOLD_MAX;
use super::settle::CONFLICT_WAIT;
use super::turn::{LOSSES_MAX, excused};
use super::{Halt, Worker, jitter};
use crate::blocked::{self, Cause, Due, Next};
use crate::context::Unit;
use crate::fence::Step;
use crate::handler::Effects;
use crate::input::Stored;
use crate::outcome::{HandlerError, Reject, Verdict};
use crate::replay::{Phase, Redo};
use crate::runs::{self, Ended, Outcome};

/// The wait of an event whose connection was lost although the store answers.
const LOSS_WAIT: Duration = Duration::from_secs(1);
/// Between two looks at what is due.
const EVERY: Duration = Duration::from_millis(200);
/// The most rows of one look.
const LOOK_MAX: i64 = 200;

type Busy = Arc<Mutex<HashSet<(i64, Key)>>>;

/// One retry, or one probe of the kill switch.
struct Attempt {
    worker: Arc<Worker>,
    group: Arc<Group>,
    lane: Arc<Lane>,
    due: Due,
    is_probe: bool,
}

/// The right to run beside others, or while nothing else does.
enum Room<'w> {
    Shared(#[expect(dead_code, reason = "held, never read")] RwLockReadGuard<'w, ()>),
    Whole(#[expect(dead_code, reason = "held, never read")] RwLockWriteGuard<'w, ()>),
}

impl Worker {
    /// Retries what is due until the worker stops.
    pub(super) async fn retry_due(self: Arc<Self>) {
        let busy = Busy::default();
        loop {
            if let Err(error) = self.retry_round(&busy).await {
                tracing::warn!(error = crate::outcome::chain(&error), "looking for retries");
                if !self.store_answers().await {
                    return;
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.retry_wake.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn retry_round(self: &Arc<Self>, busy: &Busy) -> Result<(), crate::Error> {
        for due in blocked::due(self.store(), self.lease.process, LOOK_MAX).await? {
            let Some(group) = self.group(due.group).map(Arc::clone) else {
                continue;
            };
            if group.switch().is_open() && !due.is_discarded {
                continue;
            }
            self.dispatch(busy, &group, due, false);
        }
        for group in &self.groups {
            let turn = group.switch().probe_due();
            if let Some(turn) = turn {
                self.probe(busy, group, turn).await?;
            }
        }
        Ok(())
    }

    /// Probes a paused group: the oldest blocked keys and events nobody has tried, in turn, so that neither an
    /// old poison nor a new one decides alone.
    async fn probe(
        self: &Arc<Self>,
        busy: &Busy,
        group: &Arc<Group>,
        turn: u32,
    ) -> Result<(), crate::Error> {
        if turn % 2 == 1 && self.read_idle(group, 1, true).await? > 0 {
            return Ok(());
        }
        let process = self.lease.process;
        match blocked::oldest(self.store(), process, group.id, i64::from(turn / 2)).await? {
            Some(due) => self.dispatch(busy, group, due, true),
            None if turn > 1 => group.switch().probe_wraps(),
            None if self.read_idle(group, 1, true).await? == 0 => {
                group.switch().nothing_to_probe();
                self.flipped(group, super::switch::Flip::Closed, None).await;
            }
            None => {}
        }
        Ok(())
    }

    fn dispatch(self: &Arc<Self>, busy: &Busy, group: &Arc<Group>, due: Due, is_probe: bool) {
        let Some(lane) = group.lane(due.lane) else {
            return;
        };
        let Ok(permit) = Arc::clone(&group.retries).try_acquire_owned() else {
            return;
        };
        let id = (due.group, due.key);
        if lane.is_leaving.load(Ordering::Acquire) || !locked(busy).insert(id) {
            return;
        }
        lane.retries(due.key, Some(due.head));
        let hold = Hold {
            worker: Arc::clone(self),
            lane: Arc::clone(&lane),
            busy: Arc::clone(busy),
            id,
            _permit: permit,
        };
        let attempt = Attempt {
            worker: Arc::clone(self),
            group: Arc::clone(group),
            lane,
            due,
            is_probe,
        };
        self.tasks.spawn(async move {
            let worker = Arc::clone(&attempt.worker);
            let due = attempt.due.clone();
            tokio::select! {
                () = worker.cut.cancelled() => worker.uncount(&due).await,
                () = attempt.run() => {}
            }
            drop(hold);
        });
    }

    /// Takes a counted attempt back that was not made to its end through no fault of the event.
    async fn uncount(&self, due: &Due) {
        if let Err(error) = blocked::uncount(self.store(), due).await {
            tracing::warn!(
                error = crate::outcome::chain(&error),
                "taking a counted attempt back"
            );
        }
    }
}

/// What a retry holds as long as it runs, however it ends.
struct Hold {
    worker: Arc<Worker>,
    lane: Arc<Lane>,
    busy: Busy,
    id: (i64, Key),
    _permit: OwnedSemaphorePermit,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.lane.retries(self.id.1, None);
        locked(&self.busy).remove(&self.id);
        // Only now can the next look find the key's follower free.
        self.worker.retry_wake.notify_one();
    }
}

impl Attempt {
    async fn run(self) {
        let error = match self.handle().await {
            Ok(()) | Err(Halt::Paused) => return,
            Err(Halt::Lost) => return self.group.unseat(&self.lane),
            Err(Halt::Store(error)) => crate::outcome::chain(&error),
            Err(Halt::Handler(error)) => error.reason,
        };
        if self.worker.recover(&self.group, &self.lane, &error).await {
            self.worker.uncount(&self.due).await;
        }
    }

    async fn handle(&self) -> Result<(), Halt> {
        if self.due.cause.as_deref() == Some(Cause::Depth.as_str()) {
            return self.publish_again().await;
        }
        if self.due.is_discarded {
            return self.succeed(self.unit(), None, Duration::ZERO).await;
        }
        let Some(event) = self.event().await? else {
            return self
                .fail(&"its log row is gone".reject(), Duration::ZERO)
                .await;
        };
        if !self.is_probe {
            if self.due.attempts >= self.group.spec.retry.attempts {
                let error = HandlerError::retry("its process died during the last attempt");
                return self.fail(&error, Duration::ZERO).await;
            }
            self.count().await?;
        }
        let _room = self.room().await;
        let mut unit = self.unit();
        if self.group.spec.effects == Effects::Transactional {
            unit.tx().await?;
        }
        let since = Stopwatch::start();
        let events = std::slice::from_ref(&event);
        let called = self
            .group
            .handler
            .handle(&self.group.spec, events, &mut unit)
            .await;
        let ended = match called {
            Ok(()) => self.succeed(unit, Some(&event), since.elapsed()).await,
            Err((_, error)) => {
                let error = excused(&unit, error, since.elapsed());
                unit.undo().await;
                Err(Halt::Handler(error))
            }
        };
        match ended {
            Ok(()) => {
                self.tried(Ok(())).await;
                Ok(())
            }
            Err(Halt::Handler(error)) => self.failed(&error, since.elapsed()).await,
            Err(halt) => Err(halt),
        }
    }

    async fn failed(&self, error: &HandlerError, took: Duration) -> Result<(), Halt> {
        if error.verdict == Verdict::Unavailable && self.worker.store().ping().await.is_err() {
            // Not the event's fault as long as the store does not answer either.
            let lost = crate::Error::new(crate::ErrorKind::Store, error.reason.as_str());
            return Err(Halt::Store(lost));
        }
        self.fail(error, took).await?;
        if error.verdict == Verdict::Retry || self.is_probe {
            self.tried(Err(&error.reason)).await;
        }
        Ok(())
    }

    /// Waits for room beside the other work; an event that has lost its connection before runs alone.
    async fn room(&self) -> Room<'_> {
        if self.lane.has_lost(self.due.head) {
            Room::Whole(self.worker.alone.write().await)
        } else {
            Room::Shared(self.worker.alone.read().await)
        }
    }

    /// Counts that the connection was lost once more.
    fn losses(&self) -> u32 {
        let was_alone = self.lane.has_lost(self.due.head);
        self.lane.lost_connection(self.due.head, was_alone)
    }

    async fn tried(&self, went: Result<(), &str>) {
        if self.is_probe {
            let flip = self.group.switch().probed(went.is_ok());
            self.worker.flipped(&self.group, flip, went.err()).await;
        } else {
            self.worker.tried(&self.group, self.due.key, went).await;
        }
    }

    fn unit(&self) -> Unit {
        Unit::new(&self.worker.ground, self.lane.token)
    }

    /// Reads the head, with its edited payload if somebody edited it.
    async fn event(&self) -> Result<Option<Stored>, Halt> {
        let Some(mut row) = self.worker.log.at(self.due.head).await? else {
            return Ok(None);
        };
        if let Some(edited) = &self.due.edited {
            row.data = edited.clone().into();
        }
        Ok(Stored::of(&row).in_phase(self.due.redo.as_ref()))
    }

    /// Counts the attempt before it is made, so that one which kills the process counts too.
    async fn count(&self) -> Result<(), Halt> {
        let mut unit = self.unit();
        let tx = unit.tx().await?;
        if !blocked::count(tx, &self.due).await? {
            unit.undo().await;
            return Err(Halt::Paused);
        }
        let _last_look = self.last_look().await?;
        self.close(unit, 0).await
    }

    /// Waits for the lane's lock, after the transaction has begun.
    async fn last_look(&self) -> Result<MutexGuard<'_, ()>, Halt> {
        let guard = self.lane.commit.lock().await;
        if self.lane.is_lost() {
            Err(Halt::Lost)
        } else {
            Ok(guard)
        }
    }

    /// Commits the effects; the key moves on to its next follower, or is free.
    async fn succeed(
        &self,
        mut unit: Unit,
        event: Option<&Stored>,
        took: Duration,
    ) -> Result<(), Halt> {
        let produced = self
            .worker
            .append(&self.group, &self.lane, &mut unit, self.due.head)
            .await?;
        if event.is_some() {
            let run = self.ended(Outcome::Done, None, produced.count, took);
            runs::record(unit.tx().await?, &run).await?;
        }
        let _last_look = self.last_look().await?;
        let follower = self.follower(&mut unit).await?;
        let tx = unit.tx().await?;
        let next = follower.as_ref().map(|(seq, kind)| (*seq, kind.as_str()));
        if !blocked::advance(tx, &self.due, next).await? {
            unit.undo().await;
            return Err(Halt::Paused);
        }
        let is_new = event.is_some_and(|event| event.again.is_none());
        self.close(unit, usize::from(is_new)).await?;
        match follower {
            Some((seq, _)) => self.lane.block(self.due.key, seq),
            None => self.lane.free(self.due.key),
        }
        self.worker.note_deep(&self.group, &produced);
        Ok(())
    }

    /// Finds the next event of the key that the handler asks for, up to the lane's position.
    async fn follower(&self, unit: &mut Unit) -> Result<Option<(i64, String)>, Halt> {
        let to = self.lane.frontier();
        let mut from = self.due.head;
        loop {
            let conn = unit.tx().await?.conn();
            let rows = self
                .worker
                .log
                .followers(conn, self.due.key, (from, to))
                .await?;
            let Some((last, _)) = rows.last() else {
                return Ok(None);
            };
            from = *last;
            for (seq, kind) in rows {
                let is_done = Redo::phase(self.due.redo.as_ref(), seq) == Phase::Done;
                if !is_done && self.group.matches_type(&kind) && self.concerns(seq).await? {
                    return Ok(Some((seq, kind)));
                }
            }
        }
    }

    async fn concerns(&self, seq: i64) -> Result<bool, Halt> {
        let Some(row) = self.worker.log.at(seq).await? else {
            return Ok(false);
        };
        let event = Stored::of(&row);
        let is_wanted = event.fault.is_some() || self.group.handler.concerns(&event.envelope);
        Ok(is_wanted && self.group.matches(&row))
    }

    /// Puts the event off, or parks it; a failed probe changes nothing.
    async fn fail(&self, error: &HandlerError, took: Duration) -> Result<(), Halt> {
        if self.is_probe && error.verdict != Verdict::Reject {
            return Ok(());
        }
        let tried = self.due.attempts + 1;
        let unit = jitter(self.due.key, tried);
        let by_policy = || Next::by(&self.group.spec.retry, tried, self.due.age, unit);
        let (attempts, outcome, next) = match error.verdict {
            Verdict::Snooze(wait) => (self.due.attempts, Outcome::Snoozed, Next::Again(wait)),
            Verdict::Hold => (self.due.attempts, Outcome::Snoozed, Next::Again(HOLD_MAX)),
            Verdict::Reject => (tried, Outcome::Rejected, Next::Park(Cause::Rejected)),
            Verdict::Conflict => (
                self.due.attempts,
                Outcome::Failed,
                Next::Again(CONFLICT_WAIT),
            ),
            // The store answers, yet this event's connection was lost: not its fault unless it happens again.
            Verdict::Unavailable if self.losses() < LOSSES_MAX => {
                (self.due.attempts, Outcome::Failed, Next::Again(LOSS_WAIT))
            }
            Verdict::Unavailable => (tried, Outcome::Crashed, Next::Park(Cause::Database)),
            Verdict::Retry => (tried, Outcome::Failed, by_policy()),
        };
        let mut unit = self.unit();
        let tx = unit.tx().await?;
        runs::record(tx, &self.ended(outcome, Some(&error.reason), 0, took)).await?;
        if !blocked::put_off(tx, &self.due, (attempts, &error.reason), &next).await? {
            unit.undo().await;
            return Err(Halt::Paused);
        }
        let _last_look = self.last_look().await?;
        self.close(unit, 0).await?;
        if let Next::Park(cause) = next {
            tracing::warn!(
                group = self.group.spec.name,
                seq = self.due.head,
                cause = cause.as_str(),
                "parked"
            );
            let event = self.event().await?;
            let id = event.map_or_else(String::new, |event| event.envelope.id().to_owned());
            self.worker.parked.note(self.group.id, cause, &id, 1);
        }
        Ok(())
    }

    /// Publishes an event that was one cause too many, as the root of a new chain; somebody said so.
    async fn publish_again(&self) -> Result<(), Halt> {
        let mut unit = self.unit();
        let tx = unit.tx().await?;
        if let Some(event) = self
            .due
            .edited
            .as_deref()
            .filter(|_| !self.due.is_discarded)
        {
            let record = self.worker.publisher.rooted(event)?;
            self.worker.publisher.append_caused(tx, &[record]).await?;
        }
        if !blocked::advance(tx, &self.due, None).await? {
            unit.undo().await;
            return Err(Halt::Paused);
        }
        let _last_look = self.last_look().await?;
        self.close(unit, 0).await
    }

    /// Ends the transaction without touching where the lane reads.
    async fn close(&self, unit: Unit, handled: usize) -> Result<(), Halt> {
        let step = Step {
            to: None,
            handled,
            is_calm: false,
        };
        self.worker.close(&self.group, &self.lane, unit, step).await
    }

    fn ended<'r>(
        &self,
        outcome: Outcome,
        reason: Option<&'r str>,
        produced: usize,
        took: Duration,
    ) -> Ended<'r> {
        Ended {
            group: self.due.group,
            lane: self.due.lane,
            positions: (self.due.head, self.due.head),
            events: 1,
            attempt: self.due.attempts + 1,
            outcome,
            reason,
            produced,
            took,
        }
    }
}
