//! The heartbeat: renews the lease, shares lanes with other processes, tidies.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use platform_core::clock::Stopwatch;

use super::Worker;
use super::group::{Group, Lane};
use crate::retention::{self, Retention};
use crate::subscription::Admission;
use crate::{Error, blocked};

/// How often what dead processes left, and old runs, are removed.
const TIDY: Duration = Duration::from_secs(60);

impl Worker {
    /// Renews the lease four times within its length, and does nothing else, until it is aborted.
    pub(super) async fn keep_lease(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.settings.lease / 4).await;
            if let Some((group, lane, event)) = self.stuck() {
                // The lease runs out, so that another process takes over.
                let what =
                    format!("{group} lane {lane} makes no progress with the event at {event}");
                self.vitals.stuck(Some(what));
                continue;
            }
            self.vitals.stuck(None);
            if let Err(error) = self.renew().await {
                tracing::warn!(error = crate::outcome::chain(&error), "renewing the lease");
            }
        }
    }

    pub(super) async fn renew(&self) -> Result<(), Error> {
        let groups: Vec<(i64, &str)> = self
            .groups
            .iter()
            .map(|group| (group.id, group.subscription.as_str()))
            .collect();
        self.lease.renew(&self.service, &groups).await?;
        self.vitals.renewed(self.settings.lease);
        Ok(())
    }

    /// Shares lanes, reports what was parked and tidies, until the worker stops.
    pub(super) async fn keep_lanes(self: Arc<Self>) {
        let mut tidied = Stopwatch::start();
        loop {
            for group in &self.groups {
                if let Err(error) = self.share_lanes(group).await {
                    let (group, error) = (group.spec.name, crate::outcome::chain(&error));
                    tracing::warn!(group, error, "sharing lanes");
                    if !self.store_answers().await {
                        return;
                    }
                }
            }
            self.report_parked().await;
            if tidied.elapsed() >= TIDY {
                tidied = Stopwatch::start();
                if let Err(error) = self.lease.tidy(self.settings.keep_runs).await {
                    tracing::warn!(error = crate::outcome::chain(&error), "tidying");
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(self.settings.lease / 4) => {}
            }
        }
    }

    /// Trims the log now and then until the worker stops.
    pub(super) async fn keep_retention(self: Arc<Self>, retention: Retention) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(retention.every()) => {}
            }
            match retention::trim(self.store(), &retention).await {
                Ok(trimmed) if trimmed.events > 0 => {
                    tracing::info!(
                        events = trimmed.events,
                        up_to = trimmed.up_to,
                        "trimmed the log"
                    );
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = crate::outcome::chain(&error), "trimming the log");
                }
            }
        }
    }

    /// Finds a lane that shows no progress, reading or retrying, for twice its handler's time-out.
    fn stuck(&self) -> Option<(&'static str, i16, i64)> {
        self.groups.iter().find_map(|group| {
            let limit = 2 * group.spec.timeout + self.settings.lease;
            group.lanes().iter().find_map(|lane| {
                let (seq, elapsed) = lane.in_hand()?;
                (elapsed > limit).then_some((group.spec.name, lane.number, seq))
            })
        })
    }

    /// Takes free lanes up to the fair share, or gives back what is above it.
    async fn share_lanes(&self, group: &Arc<Group>) -> Result<(), Error> {
        let _seating = group.seating.lock().await;
        let asks = &group.subscription;
        let admission = asks
            .admit(self.store(), group.id, self.lease.process)
            .await?;
        let is_admitted = admission == Admission::Admitted;
        self.vitals.admitted(group.spec.name, is_admitted);
        self.reconcile(group).await?;
        if !is_admitted {
            return Ok(());
        }
        let share = self.lease.share(group.id).await?;
        let lanes = group.lanes();
        let mine = i64::try_from(lanes.len()).unwrap_or(i64::MAX);
        let leaving = lanes
            .iter()
            .filter(|lane| lane.is_leaving.load(Ordering::Acquire))
            .count();
        let above = usize::try_from(mine - share.fair())
            .unwrap_or(0)
            .saturating_sub(leaving);
        let staying = lanes
            .iter()
            .rev()
            .filter(|lane| !lane.is_leaving.load(Ordering::Acquire));
        for lane in staying.take(above) {
            lane.is_leaving.store(true, Ordering::Release);
        }
        for lane in lanes
            .iter()
            .filter(|lane| lane.is_leaving.load(Ordering::Acquire))
        {
            self.give_back(group, lane).await?;
        }
        if share.free > 0 && mine < share.fair() && !self.vitals.has_lapsed(self.settings.lease) {
            crate::failpoint::reached("taking-lanes");
            let taken = self.lease.take(group.id, share.fair() - mine).await?;
            crate::failpoint::reached("lanes-taken");
            for taken in taken {
                // Loaded after the take-over has committed: nobody else changes them from then on.
                let keys = blocked::keys(self.store(), group.id, taken.lane).await?;
                tracing::debug!(
                    group = group.spec.name,
                    lane = taken.lane,
                    token = taken.token,
                    "taken"
                );
                group.seat(Lane::new(&taken, keys));
            }
        }
        Ok(())
    }

    /// Brings the seated lanes in line with what the database says this process holds.
    async fn reconcile(&self, group: &Group) -> Result<(), Error> {
        let held = self.lease.held(group.id).await?;
        for lane in group.lanes() {
            if !held.contains(&(lane.number, lane.token)) {
                group.unseat(&lane);
            }
        }
        for (number, _) in held {
            if group.lane(number).is_none() {
                self.seat_again(group, number, None).await?;
            }
        }
        Ok(())
    }

    /// Releases a lane once it has nothing in hand.
    async fn give_back(&self, group: &Group, lane: &Lane) -> Result<(), Error> {
        let Ok(_last_look) = lane.commit.try_lock() else {
            return Ok(());
        };
        if lane.is_busy.load(Ordering::Acquire) || lane.is_retrying() {
            return Ok(());
        }
        group.unseat(lane);
        self.lease.release(group.id, lane.number, lane.token).await
    }
}
