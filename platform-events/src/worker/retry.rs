//! Retries of blocked keys, beside the reading: counted before they are made, fenced like everything else.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform_core::Key;
use platform_core::clock::Stopwatch;

use super::group::{Group, Lane, locked};
use super::turn::{hopeless, stored};
use super::{Halt, Worker, jitter};
use crate::blocked::{self, Cause, Due, Next};
use crate::context::{Unit, unpublishable};
use crate::input::Stored;
use crate::outcome::{HandlerError, Verdict};
use crate::runs::{self, Ended};

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
            let Some(turn) = turn else { continue };
            let process = self.lease.process;
            match blocked::oldest(self.store(), process, group.id, i64::from(turn)).await? {
                Some(due) => self.dispatch(busy, group, due, true),
                None if turn == 0 => {
                    group.switch().nothing_to_probe();
                    self.flipped(group, super::switch::Flip::Closed).await;
                }
                None => group.switch().probe_wraps(),
            }
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
        if !locked(busy).insert(id) {
            return;
        }
        let busy = Arc::clone(busy);
        let worker = Arc::clone(self);
        let attempt = Attempt {
            worker,
            group: Arc::clone(group),
            lane,
            due,
            is_probe,
        };
        self.tasks.spawn(async move {
            attempt.run().await;
            locked(&busy).remove(&id);
            drop(permit);
        });
    }
}

impl Attempt {
    async fn run(self) {
        let result = self.handle().await;
        match result {
            Ok(()) | Err(Halt::Paused) => {}
            Err(Halt::Lost) => self.group.unseat(&self.lane),
            Err(Halt::Store(error)) => {
                let error = crate::outcome::chain(&error);
                tracing::warn!(
                    group = self.group.spec.name,
                    error,
                    "the store failed during a retry"
                );
                if self.worker.store_answers().await
                    && let Err(Halt::Lost) = self.worker.reload(&self.group, &self.lane).await
                {
                    self.group.unseat(&self.lane);
                }
            }
        }
        self.worker.retry_wake.notify_one();
    }

    async fn handle(&self) -> Result<(), Halt> {
        if self.due.cause.as_deref() == Some(Cause::Depth.as_str()) {
            return self.publish_again().await;
        }
        if self.due.is_discarded {
            return self
                .succeed(self.unit(), None, Duration::ZERO)
                .await
                .map(drop);
        }
        let Some(event) = self.event().await? else {
            return self
                .fail(&hopeless("its log row is gone".to_owned()), Duration::ZERO)
                .await;
        };
        if !self.is_probe {
            if self.due.attempts >= self.group.spec.retry.attempts {
                let error =
                    HandlerError::new(Verdict::Retry, "its process died during the last attempt");
                return self.fail(&error, Duration::ZERO).await;
            }
            self.count().await?;
        }
        let _shared = self.worker.alone.read().await;
        let since = Stopwatch::start();
        let mut unit = self.unit();
        let events = std::slice::from_ref(&event);
        let called = self
            .group
            .handler
            .handle(&self.group.spec, events, &mut unit)
            .await;
        let failed = match called {
            Ok(()) => self
                .succeed(unit, Some(&event), since.elapsed())
                .await?
                .err(),
            Err((_, error)) => {
                unit.undo().await;
                Some(error)
            }
        };
        match failed {
            None => {
                self.tried(true).await;
                Ok(())
            }
            Some(error) if matches!(error.verdict, Verdict::Unavailable) => {
                // Not the event's fault as long as the store does not answer either.
                if self.worker.store().ping().await.is_ok() {
                    self.fail(&error, since.elapsed()).await
                } else {
                    Err(Halt::Store(crate::Error::new(
                        crate::ErrorKind::Store,
                        error.reason,
                    )))
                }
            }
            Some(error) => {
                self.fail(&error, since.elapsed()).await?;
                self.tried(false).await;
                Ok(())
            }
        }
    }

    async fn tried(&self, is_success: bool) {
        if self.is_probe {
            let flip = self.group.switch().probed(is_success);
            self.worker.flipped(&self.group, flip).await;
        } else {
            self.worker
                .tried(&self.group, self.due.key, is_success)
                .await;
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
        Ok(Some(stored(&row)?))
    }

    /// Counts the attempt before it is made, so that one which kills the process counts too.
    async fn count(&self) -> Result<(), Halt> {
        let mut unit = self.unit();
        let _last_look = self.lane.commit.lock().await;
        let tx = unit.tx().await?;
        if !blocked::count(tx, &self.due).await? {
            unit.undo().await;
            return Err(Halt::Paused);
        }
        self.close(unit, 0).await
    }

    /// Commits the effects; the key moves on to its next follower, or is free.
    async fn succeed(
        &self,
        mut unit: Unit,
        event: Option<&Stored>,
        took: Duration,
    ) -> Result<Result<(), HandlerError>, Halt> {
        let records = match unit.records(&self.worker.publisher) {
            Ok(records) => records,
            Err(error) => {
                unit.undo().await;
                return Ok(Err(unpublishable(&error)));
            }
        };
        let tx = unit.tx().await?;
        self.worker.publisher.append_caused(tx, &records).await?;
        if event.is_some() {
            runs::record(tx, &self.ended("done", None, records.len(), took)).await?;
        }
        let _last_look = self.lane.commit.lock().await;
        let follower = self.follower(&mut unit).await?;
        let tx = unit.tx().await?;
        let next = follower.as_ref().map(|(seq, kind)| (*seq, kind.as_str()));
        if !blocked::advance(tx, &self.due, next).await? {
            unit.undo().await;
            return Err(Halt::Paused);
        }
        self.close(unit, usize::from(event.is_some())).await?;
        match follower {
            Some((seq, _)) => self.group.block(&self.lane, self.due.key, seq),
            None => self.group.free(&self.lane, self.due.key),
        }
        Ok(Ok(()))
    }

    /// Finds the next event of the key that the handler asks for, up to the lane's position.
    async fn follower(&self, unit: &mut Unit) -> Result<Option<(i64, String)>, Halt> {
        let to = self.lane.position();
        let mut from = self.due.head;
        loop {
            let conn = unit.tx().await?.conn();
            let rows = self
                .worker
                .log
                .followers(conn, self.due.key, (from, to))
                .await?;
            let Some((last, ..)) = rows.last() else {
                return Ok(None);
            };
            from = *last;
            for (seq, kind, _) in rows {
                if self.group.matches_type(&kind) && self.concerns(seq).await? {
                    return Ok(Some((seq, kind)));
                }
            }
        }
    }

    async fn concerns(&self, seq: i64) -> Result<bool, Halt> {
        let Some(row) = self.worker.log.at(seq).await? else {
            return Ok(false);
        };
        Ok(self.group.handler.concerns(&row.envelope()?))
    }

    /// Puts the event off, or parks it; a failed probe changes nothing.
    async fn fail(&self, error: &HandlerError, took: Duration) -> Result<(), Halt> {
        if self.is_probe && !matches!(error.verdict, Verdict::Reject) {
            return Ok(());
        }
        let attempts = self.due.attempts + 1;
        let (outcome, next) = match error.verdict {
            Verdict::Snooze(wait) => ("snoozed", Next::Again(wait)),
            Verdict::Reject => ("rejected", Next::Park(Cause::Rejected)),
            Verdict::Conflict => ("failed", Next::Again(Duration::from_millis(50))),
            _ => {
                let unit = jitter(self.due.key, attempts);
                (
                    "failed",
                    Next::by(&self.group.spec.retry, attempts, self.due.age, unit),
                )
            }
        };
        let mut unit = self.unit();
        let _last_look = self.lane.commit.lock().await;
        let tx = unit.tx().await?;
        runs::record(tx, &self.ended(outcome, Some(&error.reason), 0, took)).await?;
        if !blocked::put_off(tx, &self.due, &error.reason, &next).await? {
            unit.undo().await;
            return Err(Halt::Paused);
        }
        self.close(unit, 0).await?;
        if let Next::Park(cause) = next {
            let id = self.due.head.to_string();
            tracing::warn!(group = self.group.spec.name, seq = self.due.head, "parked");
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
        let _last_look = self.lane.commit.lock().await;
        self.close(unit, 0).await
    }

    /// Ends an owner's transaction without moving its position.
    async fn close(&self, mut unit: Unit, handled: usize) -> Result<(), Halt> {
        let fence = self.lane.fence(self.group.id);
        let position = self.lane.position();
        let tx = unit.tx().await?;
        crate::failpoint::reached("before-retry-fence");
        let Some(place) = fence.close(tx, (position, handled)).await? else {
            unit.undo().await;
            return Err(Halt::Lost);
        };
        let Some((tx, _permit)) = unit.into_tx() else {
            return Ok(());
        };
        tx.commit().await?;
        self.lane.committed(position, place);
        Ok(())
    }

    fn ended<'r>(
        &self,
        outcome: &'static str,
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
