//! The service as people use it: its program, typed at, killed, fed with what is wrong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asking;
mod killing;
mod parking;
mod program;
mod readme;
mod repeating;
mod stopping;
mod wrong_input;
