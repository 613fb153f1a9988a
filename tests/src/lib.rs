//! What the tests of this workspace stand on: private databases, children that can be killed,
//! seeded rounds and bounded waiting. It knows no platform crate, only processes and URLs.
//!
//! ```
//! use platform_tests::{Database, each_backend};
//!
//! async fn an_order_that_ships_is_remembered(database: Database) {
//!     assert!(database.url().contains("://"));
//! }
//! each_backend!(an_order_that_ships_is_remembered);
//! # fn main() {}
//! ```
#![expect(
    clippy::panic,
    clippy::print_stderr,
    reason = "a test harness fails by panicking and explains itself on the terminal"
)]

mod backend;
mod child;
mod eventually;
mod folder;
pub mod postgres;
mod seeds;
mod signal;

pub use backend::{Backend, Database};
pub use child::{Child, Role, at, stop_at};
pub use eventually::{eventually, until};
pub use seeds::{Round, is_long, seeds};
pub use signal::Signal;

/// The example of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
