//! Bounded waiting: the only place of the tests that sleeps, 5 ms at a time.
//! It must not know what is waited for.

use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(5);

/// Asks `condition` every 5 ms until it holds, and panics when `bound` has passed.
///
/// On a paused tokio clock the bound is counted in that clock's time.
///
/// # Panics
///
/// When the condition does not hold within `bound`.
///
/// # Cancel safety
///
/// Holds nothing between two questions; the question in hand is dropped with it.
#[track_caller]
pub fn eventually<F>(bound: Duration, mut condition: F) -> impl Future<Output = ()>
where
    F: AsyncFnMut() -> bool,
{
    let asked_at = std::panic::Location::caller();
    async move {
        let deadline = tokio::time::Instant::now() + bound;
        while !condition().await {
            if tokio::time::Instant::now() >= deadline {
                panic!("waited {bound:?} in vain at {asked_at}");
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Asks `condition` every 5 ms, on this thread, until it holds or `bound` has passed.
///
/// Answers whether it held in time.
#[must_use]
pub fn until(bound: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + bound;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL);
    }
}
