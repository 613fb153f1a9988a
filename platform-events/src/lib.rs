#![doc = include_str!("../docs/lib.md")]

#[cfg(test)]
extern crate self as platform_events;

mod blocked;
mod context;
pub mod envelope;
mod error;
mod event;
mod failpoint;
mod fence;
mod groups;
mod handler;
mod health;
mod input;
mod invoke;
mod lease;
mod log;
mod outcome;
mod overview;
mod parking;
mod pattern;
mod publisher;
mod registry;
mod runs;
mod service;
mod signal;
mod worker;

pub use context::Context;
pub use error::{Error, ErrorKind};
pub use event::{Draft, Event, IntoDrafts};
pub use handler::{BatchHandler, Effects, Handler, Lanes, Start};
pub use health::Health;
pub use input::{EntityChanged, Input, Received};
pub use outcome::{HandlerError, Reject, snooze};
pub use overview::Overview;
pub use parking::{Filter, ParkedEvent, Parking};
pub use platform_core_macros::Event;
pub use publisher::{Published, Publisher};
pub use registry::Registration;
pub use runs::Run;
pub use service::{Consequence, MIGRATIONS, Runner, Service, Wiring};
