#![doc = include_str!("../docs/lib.md")]

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
mod retention;
mod runs;
mod service;
mod signal;
#[cfg(feature = "signal")]
mod signals;
mod worker;

pub use blocked::Cause;
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
pub use retention::{Retention, Trimmed};
pub use runs::Run;
#[cfg(feature = "signal")]
pub use signals::shutdown_signal;
pub use service::{Consequence, MIGRATIONS, Runner, Service, Wiring};
pub use worker::EventsParked;
