//! The only file that reads the time of this process.
//!
//! Leases, schedules and everything that two processes must agree on use the database's clock instead.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Reads the wall clock, for time stamps that describe and never decide.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Measures a span of time on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns how long it has been running.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
