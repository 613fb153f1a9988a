//! Stories: business sentences about the log, told on SQLite and on PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bad_input;
mod clocks;
mod gaps;
mod holding;
mod isolation;
mod latecomers;
mod load;
mod mistakes;
mod oracle;
mod pinned;
mod plans;
mod prepared;
mod questions;
mod restoring;
mod running;
mod shared_rows;
mod tenants;
mod test_kit;
mod two_logs;
mod world;
mod wrap;
mod writers;
