//! What a user of the tasks can rely on, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod enqueuing;
mod failing;
mod running;
mod world;
