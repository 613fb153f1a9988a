//! What a user of the history can rely on, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod paging;
mod remembering;
mod world;
