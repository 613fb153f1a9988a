//! What a user of the notifications can rely on, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod mails;
mod telling;
mod world;
