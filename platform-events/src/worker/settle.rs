//! How work ends: effects, published events, blocked keys, run and position in one commit.

use std::sync::Arc;
use std::time::Duration;

use platform_core::Tx;

use super::group::{Group, Lane};
use super::switch::Flip;
use super::{Halt, Worker, jitter};
use crate::blocked::{self, Cause, Next};
use crate::context::{Unit, unpublishable};
use crate::input::Stored;
use crate::log::{Position, Record};
use crate::outcome::{HandlerError, Verdict};
use crate::publisher::DEPTH_MAX;
use crate::runs::{self, Ended};

/// A batch that was handled without an error.
pub(super) struct Done<'e> {
    pub(super) unit: Unit,
    pub(super) first: &'e Stored,
    pub(super) last: &'e Stored,
    pub(super) events: usize,
    pub(super) took: Duration,
    /// Events that were passed over because their key was blocked.
    pub(super) skipped: Vec<&'e Stored>,
}

/// A failed try and whether it is the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed<'r> {
    pub(super) reason: &'r str,
    pub(super) park: Option<Cause>,
}

impl<'r> Failed<'r> {
    pub(super) fn by(error: &'r HandlerError) -> Self {
        let park = (error.verdict == Verdict::Reject).then_some(Cause::Rejected);
        Self {
            reason: &error.reason,
            park,
        }
    }
}

impl Worker {
    /// Commits a batch. The inner error is the handler's: it published what cannot be published.
    pub(super) async fn settle(
        &self,
        group: &Group,
        lane: &Lane,
        mut done: Done<'_>,
    ) -> Result<Result<(), HandlerError>, Halt> {
        let records = match done.unit.records(&self.publisher) {
            Ok(records) => records,
            Err(error) => {
                let error = unpublishable(&error);
                done.unit.undo().await;
                return Ok(Err(error));
            }
        };
        let (records, too_deep) = split_by_depth(records);
        let tx = done.unit.tx().await?;
        self.publisher.append_caused(tx, &records).await?;
        self.park_deep(tx, (group, lane), &too_deep, done.last.seq)
            .await?;
        let run = Ended {
            group: group.id,
            lane: lane.number,
            positions: (done.first.seq, done.last.seq),
            events: done.events,
            attempt: 1,
            outcome: "done",
            reason: None,
            produced: records.len(),
            took: done.took,
        };
        runs::record(tx, &run).await?;
        self.commit_batch(
            group,
            lane,
            done.unit,
            (done.last.seq, done.events),
            &done.skipped,
        )
        .await?;
        if !too_deep.is_empty() {
            self.parked
                .note(group.id, Cause::Depth, &too_deep[0].id, too_deep.len());
        }
        self.vitals.handled(done.events);
        Ok(Ok(()))
    }

    /// Moves past events whose keys are blocked; they are found again by key.
    pub(super) async fn pass(
        &self,
        group: &Group,
        lane: &Lane,
        mut unit: Unit,
        skipped: &[&Stored],
    ) -> Result<(), Halt> {
        let Some(last) = skipped.last() else {
            return Ok(());
        };
        unit.tx().await?;
        self.commit_batch(group, lane, unit, (last.seq, 0), skipped)
            .await
    }

    async fn commit_batch(
        &self,
        group: &Group,
        lane: &Lane,
        mut unit: Unit,
        to: (Position, usize),
        skipped: &[&Stored],
    ) -> Result<(), Halt> {
        let _last_look = lane.commit.lock().await;
        let tx = unit.tx().await?;
        let mut heads: Vec<&Stored> = Vec::new();
        for event in skipped {
            // The head may have been freed since this event was passed over: then it is the head itself.
            let is_head =
                !lane.is_blocked(event.key) && heads.iter().all(|head| head.key != event.key);
            if is_head {
                let first = (0, None, &Next::Again(Duration::ZERO));
                blocked::block(tx, (group.id, lane.number), event, first).await?;
                heads.push(event);
            }
        }
        self.close(group, lane, unit, to).await?;
        for head in heads {
            group.block(lane, head.key, head.seq);
            self.retry_wake.notify_one();
        }
        Ok(())
    }

    /// Ends an owner's transaction: the lane's row last, then the commit.
    async fn close(
        &self,
        group: &Group,
        lane: &Lane,
        mut unit: Unit,
        to: (Position, usize),
    ) -> Result<(), Halt> {
        let fence = lane.fence(group.id);
        let tx = unit.tx().await?;
        crate::failpoint::reached("before-fence");
        let Some(place) = fence.close(tx, to).await? else {
            unit.undo().await;
            return Err(Halt::Lost);
        };
        crate::failpoint::reached("before-commit");
        let Some((tx, _permit)) = unit.into_tx() else {
            return Ok(());
        };
        tx.commit().await?;
        crate::failpoint::reached("after-commit");
        lane.committed(to.0, place);
        Ok(())
    }

    /// Ends the first try of an event that failed: its key is blocked, the lane moves on.
    pub(super) async fn first_failure(
        &self,
        group: &Arc<Group>,
        lane: &Lane,
        event: &Stored,
        (error, failed): (&HandlerError, Failed<'_>),
        took: Duration,
    ) -> Result<(), Halt> {
        let (attempts, outcome, next) = match (error.verdict, failed.park) {
            (Verdict::Snooze(wait), _) => (0, "snoozed", Next::Again(wait)),
            (_, Some(cause)) => (1, "rejected", Next::Park(cause)),
            _ => {
                let unit = jitter(event.key, 1);
                (
                    1,
                    "failed",
                    Next::by(&group.spec.retry, 1, Duration::ZERO, unit),
                )
            }
        };
        let ended = (attempts, outcome, &next);
        self.block(group, lane, event, (failed.reason, ended), took)
            .await?;
        if outcome == "failed" {
            self.tried(group, event.key, false).await;
        }
        Ok(())
    }

    /// Parks an event that must not be tried again.
    pub(super) async fn fail(
        &self,
        group: &Group,
        lane: &Lane,
        event: &Stored,
        failed: Failed<'_>,
        took: Duration,
    ) -> Result<(), Halt> {
        let next = Next::Park(failed.park.unwrap_or(Cause::Rejected));
        self.block(
            group,
            lane,
            event,
            (failed.reason, (1, "crashed", &next)),
            took,
        )
        .await
    }

    async fn block(
        &self,
        group: &Group,
        lane: &Lane,
        event: &Stored,
        (reason, (attempts, outcome, next)): (&str, (u32, &'static str, &Next)),
        took: Duration,
    ) -> Result<(), Halt> {
        let mut unit = Unit::new(&self.ground, lane.token);
        let _last_look = lane.commit.lock().await;
        let tx = unit.tx().await?;
        let row = (attempts, Some(reason), next);
        blocked::block(tx, (group.id, lane.number), event, row).await?;
        runs::record(
            tx,
            &Ended {
                group: group.id,
                lane: lane.number,
                positions: (event.seq, event.seq),
                events: 1,
                attempt: 1,
                outcome,
                reason: Some(reason),
                produced: 0,
                took,
            },
        )
        .await?;
        crate::failpoint::reached("parking");
        self.close(group, lane, unit, (event.seq, 0)).await?;
        group.block(lane, event.key, event.seq);
        if let Next::Park(cause) = next {
            tracing::warn!(
                group = group.spec.name,
                seq = event.seq,
                cause = cause.as_str(),
                "parked"
            );
            self.parked.note(group.id, *cause, event.envelope.id(), 1);
        }
        self.retry_wake.notify_one();
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

    /// Tells the kill switch of a group how an ordinary try went.
    pub(super) async fn tried(&self, group: &Group, key: platform_core::Key, is_success: bool) {
        let flip = group.switch().tried(key, is_success);
        self.flipped(group, flip).await;
    }

    pub(super) async fn flipped(&self, group: &Group, flip: Flip) {
        let reason = match flip {
            Flip::None => return,
            Flip::Opened => {
                tracing::warn!(
                    group = group.spec.name,
                    "nothing succeeds any more: paused, probing"
                );
                Some("nothing succeeds any more; probing until three events in a row succeed")
            }
            Flip::Closed => {
                tracing::info!(group = group.spec.name, "works again");
                group.wake.notify_one();
                None
            }
        };
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

const IN_HAND: &str = "update platform_lane set in_hand = $4
    where group_id = $1 and lane = $2 and token = $3";
const PARK_DEEP: &str =
    "insert into platform_blocked (group_id, key, lane, tenant, head, type, state, cause,
        reason, attempts, edited, first_failed_at, due, updated_at)
    values ($1, $2, $3, $4, $5, $6, 'parked', 'depth', $7, 0, $8, (select now from platform_time),
        (select now from platform_time), (select now from platform_time))
    on conflict (group_id, key) do nothing";
