//! The heartbeat: renews the lease, shares lanes with other processes, tidies.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use platform_core::clock::Stopwatch;

use super::Worker;
use super::group::{Group, Lane};
use crate::{Error, blocked};

/// How often what dead processes left, and old runs, are removed.
const TIDY: Duration = Duration::from_secs(60);

impl Worker {
    /// Beats four times within a lease until the worker stops.
    pub(super) async fn keep_lease(self: Arc<Self>) {
        let mut tidied = Stopwatch::start();
        loop {
            if let Err(error) = self.beat().await {
                tracing::warn!(error = crate::outcome::chain(&error), "renewing the lease");
                if !self.store_answers().await {
                    return;
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

    async fn beat(&self) -> Result<(), Error> {
        if let Some((group, lane, event)) = self.stuck() {
            // The lease runs out, so that another process takes over.
            self.vitals.stuck(Some(format!(
                "{group} lane {lane} makes no progress with event {event}"
            )));
            return Ok(());
        }
        self.vitals.stuck(None);
        self.lease.renew(&self.service).await?;
        self.vitals.renewed();
        for group in &self.groups {
            self.share_lanes(group).await?;
        }
        Ok(())
    }

    /// Finds a lane that shows no progress for twice its handler's time-out.
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
        let share = self.lease.share(group.id).await?;
        let lanes = group.lanes();
        let mine = i64::try_from(lanes.len()).unwrap_or(i64::MAX);
        let above = usize::try_from(mine - share.fair()).unwrap_or(0);
        for lane in lanes
            .iter()
            .filter(|lane| lane.is_leaving.load(Ordering::Acquire))
        {
            self.give_back(group, lane).await?;
        }
        for lane in lanes.iter().rev().take(above) {
            lane.is_leaving.store(true, Ordering::Release);
            self.give_back(group, lane).await?;
        }
        if share.free > 0 && mine < share.fair() {
            crate::failpoint::reached("taking-lanes");
            for taken in self.lease.take(group.id, share.fair() - mine).await? {
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

    /// Releases a lane once it has nothing in hand.
    async fn give_back(&self, group: &Group, lane: &Lane) -> Result<(), Error> {
        let _no_retry = lane.commit.lock().await;
        if lane.is_busy.load(Ordering::Acquire) {
            return Ok(());
        }
        group.unseat(lane);
        self.lease.release(group.id, lane.number, lane.token).await
    }
}
