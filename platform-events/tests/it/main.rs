//! What a user of the crate can call, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod deploying;
mod failing;
mod following;
mod paging;
mod postgres;
mod publishing;
mod replaying;
mod running;
mod sqlite;
mod trimming;
mod world;
