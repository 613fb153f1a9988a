//! The wait of a lane whose way out is closed: longer each time, and over at once when the lane is to go.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Halt;
use super::group::Lane;
use crate::log::Position;

/// The first wait; it doubles up to [`HOLD_MAX`].
const HOLD_MIN: Duration = Duration::from_millis(50);
/// The longest wait.
pub(super) const HOLD_MAX: Duration = Duration::from_secs(5);
/// How often a lane that waits looks whether it is to be given back.
const LOOK: Duration = Duration::from_millis(200);

/// How long to wait before the next step, and how often in a row that has been needed.
#[derive(Debug, Default)]
pub(super) struct Hold {
    wait: Option<Duration>,
    times: u32,
}

impl Hold {
    /// The way out is closed for the event at `seq`, once more.
    pub(super) fn again(&mut self, seq: Position, why: &str) {
        tracing::debug!(seq, why, "the lane holds");
        let wait = HOLD_MIN * 2_u32.pow(self.times.min(10));
        self.wait = Some(wait.min(HOLD_MAX));
        self.times += 1;
    }

    /// The way out is open; answers whether it was closed before.
    pub(super) fn end(&mut self) -> bool {
        std::mem::take(&mut self.times) > 0
    }

    /// Waits if that is needed; the caller holds no lock.
    pub(super) async fn wait(&mut self, lane: &Lane, stop: &CancellationToken) -> Result<(), Halt> {
        let Some(mut left) = self.wait.take() else {
            return Ok(());
        };
        // Waiting is progress: a lane that holds is not stuck.
        lane.took_in_hand(None);
        while !left.is_zero() && !lane.is_leaving.load(Ordering::Acquire) {
            let wait = left.min(LOOK);
            left -= wait;
            tokio::select! {
                () = stop.cancelled() => return Err(Halt::Paused),
                () = tokio::time::sleep(wait) => {}
            }
        }
        Ok(())
    }
}
