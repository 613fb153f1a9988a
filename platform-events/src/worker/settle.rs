//! How work ends: effects, published events, blocked keys, run and position in one commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use platform_core::Tx;

use super::group::{Group, Lane};
use super::switch::Flip;
use super::{Halt, Worker, jitter};
use crate::blocked::{self, Cause, Next};
use crate::context::{Unit, unpublishable};
use crate::fence::Step;
use crate::input::Stored;
use crate::log::{Position, Record};
use crate::outcome::{HandlerError, Reject, Verdict};
use crate::publisher::DEPTH_MAX;
use crate::runs::{self, Ended, Outcome};

/// A batch that was handled without an error.
pub(super) struct Done<'e> {
    pub(super) unit: Unit,
    pub(super) first: &'e Stored,
    pub(super) last: &'e Stored,
    pub(super) events: usize,
    /// How many of them were not handled before.
    pub(super) new: usize,
    pub(super) took: Duration,
    /// Events that were passed over because their key was blocked.
    pub(super) skipped: Vec<&'e Stored>,
}

/// What became of the events that a unit published.
pub(super) struct Produced {
    /// How many were published; a silent replay appends none of them.
    pub(super) count: usize,
    /// The ids of those that were parked, being one cause too many.
    too_deep: Vec<String>,
}

/// The wait of an event that other transactions were in the way of, over and over.
pub(super) const CONFLICT_WAIT: Duration = Duration::from_millis(200);

impl Worker {
    /// Commits a batch.
    pub(super) async fn settle(
        &self,
        group: &Group,
        lane: &Lane,
        mut done: Done<'_>,
    ) -> Result<(), Halt> {
        let produced = self
            .append(group, lane, &mut done.unit, done.last.seq)
            .await?;
        let run = Ended {
            group: group.id,
            lane: lane.number,
            positions: (done.first.seq, done.last.seq),
            events: done.events,
            attempt: 1,
            outcome: Outcome::Done,
            reason: None,
            produced: produced.count,
            took: done.took,
        };
        runs::record(done.unit.tx().await?, &run).await?;
        let is_calm = lane.suspects.load(Ordering::Acquire) <= 1;
        let step = Step {
            to: Some(done.last.seq),
            handled: done.new,
            is_calm,
        };
        self.commit(group, lane, done.unit, step, (&done.skipped, None))
            .await?;
        self.note_deep(group, &produced);
        Ok(())
    }

    /// Appends what was published in a unit; what would be one cause too many is parked instead.
    pub(super) async fn append(
        &self,
        group: &Group,
        lane: &Lane,
        unit: &mut Unit,
        cause_seq: Position,
    ) -> Result<Produced, Halt> {
        let published = unit.published();
        let records = unit.records(&self.publisher).map_err(|error| {
            // A mistake in a published event is the handler's: trying again cannot help.
            Halt::Handler(unpublishable(&error))
        })?;
        let (records, too_deep) = split_by_depth(records);
        let tx = unit.tx().await?;
        self.publisher.append_caused(tx, &records).await?;
        self.park_deep(tx, (group, lane), &too_deep, cause_seq)
            .await?;
        Ok(Produced {
            count: published - too_deep.len(),
            too_deep: too_deep.into_iter().map(|record| record.id).collect(),
        })
    }

    /// Reports what was parked for its depth, once that is committed.
    pub(super) fn note_deep(&self, group: &Group, produced: &Produced) {
        if let Some(first) = produced.too_deep.first() {
            self.parked
                .note(group.id, Cause::Depth, first, produced.too_deep.len());
        }
    }

    /// Moves past events whose keys are blocked; they are found again by key.
    pub(super) async fn pass(
        &self,
        group: &Group,
        lane: &Lane,
        skipped: &[&Stored],
    ) -> Result<(), Halt> {
        let Some(last) = skipped.last() else {
            return Ok(());
        };
        let unit = Unit::new(&self.ground, lane.token);
        let step = Step {
            to: Some(last.seq),
            handled: 0,
            is_calm: false,
        };
        self.commit(group, lane, unit, step, (skipped, None)).await
    }

    /// Ends a transaction of the reading: what was passed over is looked at once more, the lane's row comes
    /// last, then the commit.
    async fn commit(
        &self,
        group: &Group,
        lane: &Lane,
        mut unit: Unit,
        step: Step,
        (skipped, failed): (&[&Stored], Option<&Stored>),
    ) -> Result<(), Halt> {
        // The transaction first, the lane's lock second, everywhere: both can be waited for.
        unit.tx().await?;
        let _last_look = lane.commit.lock().await;
        if lane.is_lost() {
            unit.undo().await;
            return Err(Halt::Lost);
        }
        let tx = unit.tx().await?;
        let mut heads: Vec<&Stored> = failed.into_iter().collect();
        for event in skipped {
            // The head may have been freed since this event was passed over: then it is the head itself, unless a
            // replay met it, and it was handled before the key was freed.
            let is_free =
                !lane.is_blocked(event.key, event.seq) && !lane.has_been_through(event.seq);
            if is_free && heads.iter().all(|head| head.key != event.key) {
                let first = (0, None, &Next::Again(Duration::ZERO));
                blocked::block(tx, (group.id, lane.number), event, first, None).await?;
                heads.push(event);
            }
        }
        self.close(group, lane, unit, step).await?;
        for head in heads {
            lane.block(head.key, head.seq);
            self.retry_wake.notify_one();
        }
        Ok(())
    }

    /// Ends an owner's transaction, while the lane's lock is held.
    pub(super) async fn close(
        &self,
        group: &Group,
        lane: &Lane,
        unit: Unit,
        step: Step,
    ) -> Result<(), Halt> {
        let closed = self.try_close(group, lane, unit, step).await;
        if let Err(Halt::Store(_)) = &closed {
            // Whether it committed is not known: nobody may build on what is in memory.
            lane.is_lost.store(true, Ordering::Release);
        }
        closed
    }

    async fn try_close(
        &self,
        group: &Group,
        lane: &Lane,
        mut unit: Unit,
        step: Step,
    ) -> Result<(), Halt> {
        let fence = lane.fence(group.id);
        let tx = unit.tx().await?;
        crate::failpoint::reached(if step.to.is_some() {
            "before-fence"
        } else {
            "before-retry-fence"
        });
        let Some(place) = fence.close(tx, step).await? else {
            unit.undo().await;
            return Err(
                if self.lease.holds(group.id, lane.number, lane.token).await? {
                    Halt::Handler(
                        "the handler ended the transaction itself; leave that to the worker"
                            .reject(),
                    )
                } else {
                    Halt::Lost
                },
            );
        };
        crate::failpoint::reached("before-commit");
        let Some((tx, _permit)) = unit.into_tx() else {
            return Ok(());
        };
        tx.commit().await?;
        crate::failpoint::reached("after-commit");
        lane.committed(step, place);
        Ok(())
    }

    /// Ends the first try of an event that failed: its key is blocked, the lane moves on.
    pub(super) async fn first_failure(
        &self,
        group: &Arc<Group>,
        lane: &Lane,
        (event, skipped): (&Stored, &[&Stored]),
        error: &HandlerError,
        took: Duration,
    ) -> Result<(), Halt> {
        let unit = jitter(event.key, 1);
        let (attempts, outcome, next) = match error.verdict {
            Verdict::Snooze(wait) => (0, Outcome::Snoozed, Next::Again(wait)),
            Verdict::Conflict => (0, Outcome::Failed, Next::Again(CONFLICT_WAIT)),
            Verdict::Reject => (1, Outcome::Rejected, Next::Park(Cause::Rejected)),
            _ => (
                1,
                Outcome::Failed,
                Next::by(&group.spec.retry, 1, Duration::ZERO, unit),
            ),
        };
        let row = (attempts, error.reason.as_str(), outcome);
        self.block(group, lane, (event, skipped), (row, &next), took)
            .await?;
        if error.verdict == Verdict::Retry {
            self.tried(group, event.key, Err(&error.reason)).await;
        }
        Ok(())
    }

    /// Parks an event that takes its process or the database down.
    pub(super) async fn park(
        &self,
        group: &Group,
        lane: &Lane,
        (event, skipped): (&Stored, &[&Stored]),
        (cause, reason): (Cause, &str),
    ) -> Result<(), Halt> {
        let row = (1, reason, Outcome::Crashed);
        self.block(
            group,
            lane,
            (event, skipped),
            (row, &Next::Park(cause)),
            Duration::ZERO,
        )
        .await
    }

    async fn block(
        &self,
        group: &Group,
        lane: &Lane,
        (event, skipped): (&Stored, &[&Stored]),
        ((attempts, reason, outcome), next): ((u32, &str, Outcome), &Next),
        took: Duration,
    ) -> Result<(), Halt> {
        let mut unit = Unit::new(&self.ground, lane.token);
        let tx = unit.tx().await?;
        let row = (attempts, Some(reason), next);
        let redo = lane.redo().filter(|_| event.again.is_some());
        blocked::block(tx, (group.id, lane.number), event, row, redo).await?;
        let run = Ended {
            group: group.id,
            lane: lane.number,
            positions: (event.seq, event.seq),
            events: 1,
            attempt: 1,
            outcome,
            reason: Some(reason),
            produced: 0,
            took,
        };
        runs::record(tx, &run).await?;
        crate::failpoint::reached("parking");
        let step = Step {
            to: Some(event.seq),
            handled: 0,
            is_calm: true,
        };
        self.commit(group, lane, unit, step, (skipped, Some(event)))
            .await?;
        if let Next::Park(cause) = next {
            tracing::warn!(
                group = group.spec.name,
                seq = event.seq,
                cause = cause.as_str(),
                "parked"
            );
            self.parked.note(group.id, *cause, event.envelope.id(), 1);
        }
        Ok(())
    }

    /// Writes down which event is in hand, before it is begun.
    pub(super) async fn take_in_hand(
        &self,
        group: &Group,
        lane: &Lane,
        seq: Position,
    ) -> Result<(), Halt> {
        let mut tx = self.store().begin().await?;
        let hit = tx
            .query(IN_HAND)
            .bind(group.id)
            .bind(lane.number)
            .bind(lane.token)
            .bind(seq)
            .execute()
            .await?;
        if hit == 0 {
            tx.rollback().await?;
            return Err(Halt::Lost);
        }
        tx.commit().await?;
        Ok(())
    }

    /// Parks what would be one cause too many, while its cause succeeds. The row keeps the whole event.
    async fn park_deep(
        &self,
        tx: &mut Tx,
        (group, lane): (&Group, &Lane),
        records: &[Record],
        cause_seq: Position,
    ) -> Result<(), Halt> {
        for record in records {
            let reason = format!(
                "it would be cause {} in a row; a circle of handlers?",
                record.depth
            );
            let event = record.envelope()?.to_json();
            tx.query(PARK_DEEP)
                .bind(group.id)
                .bind(record.id_key)
                .bind(lane.number)
                .bind(record.tenant.as_str())
                .bind(cause_seq)
                .bind(record.kind.as_str())
                .bind(reason)
                .bind(event)
                .execute()
                .await?;
        }
        Ok(())
    }

    /// Tells the kill switch of a group how an ordinary try went; a failure says why.
    pub(super) async fn tried(
        &self,
        group: &Group,
        key: platform_core::Key,
        went: Result<(), &str>,
    ) {
        let flip = group.switch().tried(key, went.is_ok());
        self.flipped(group, flip, went.err()).await;
    }

    pub(super) async fn flipped(&self, group: &Group, flip: Flip, why: Option<&str>) {
        let reason = match flip {
            Flip::None => return,
            Flip::Opened => {
                let why = why.unwrap_or("no reason was given");
                tracing::warn!(
                    group = group.spec.name,
                    why,
                    "nothing succeeds any more: paused, probing"
                );
                Some(format!(
                    "nothing succeeds any more; probing until three events in a row succeed; the last one said: {why}"
                ))
            }
            Flip::Closed => {
                tracing::info!(group = group.spec.name, "works again");
                group.wake.notify_one();
                None
            }
        };
        let reason = reason.as_deref();
        self.vitals.paused(group.spec.name, reason);
        if let Err(error) = self.lease.pause(group.id, reason).await {
            tracing::warn!(
                error = crate::outcome::chain(&error),
                "saying that a group is paused"
            );
        }
    }
}

fn split_by_depth(records: Vec<Record>) -> (Vec<Record>, Vec<Record>) {
    let most = i16::try_from(DEPTH_MAX).unwrap_or(i16::MAX);
    records.into_iter().partition(|record| record.depth <= most)
}

/// Deaths are counted for one event: another one in hand starts with the death that made it a suspect.
const IN_HAND: &str = "update platform_lane
    set crashes = case when in_hand = $4 then crashes else 1 end, in_hand = $4
    where group_id = $1 and lane = $2 and token = $3";
const PARK_DEEP: &str =
    "insert into platform_blocked (group_id, key, lane, tenant, head, type, state, cause,
        reason, attempts, edited, first_failed_at, due, updated_at)
    values ($1, $2, $3, $4, $5, $6, 'parked', 'depth', $7, 0, $8, (select now from platform_time),
        (select now from platform_time), (select now from platform_time))
    on conflict (group_id, key) do nothing";
