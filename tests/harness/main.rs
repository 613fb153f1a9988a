//! The harness proves itself: servers, databases, children, waiting.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod children;
mod databases;
mod failures;
mod servers;
mod waiting;
