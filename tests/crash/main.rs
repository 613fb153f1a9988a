//! Crashes: processes and servers that are killed, frozen, cut off and stopped half way, on SQLite
//! and on PostgreSQL. What was committed is handled once and in order all the same.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cancelling;
mod kills;
mod one_file;
mod outages;
mod part;
mod poison;
mod postmaster;
mod running;
mod sharing;
mod stalls;
mod stopping;
mod turmoil;
mod twice;
mod world;
