//! PostgreSQL for tests: one private server for a whole run, a database of its own for each test,
//! and dedicated servers for tests that kill theirs. It must not know what is kept in a database.
//!
//! A server lives in a temporary folder and listens on a free loopback port. It ends, and its
//! folder goes, with the process that started it, however that process ends.

mod database;
mod programs;
mod server;
mod watcher;

pub use database::{Database, fresh};
pub use server::Server;

/// Names a running server for all test binaries, such as `postgres://postgres@127.0.0.1:5432`.
pub const SHARED_SERVER: &str = "PLATFORM_TEST_POSTGRES";
