#![doc = include_str!("../docs/lib.md")]

mod blocked;
mod builder;
pub mod consequence;
mod context;
mod decision;
pub mod envelope;
mod error;
pub mod event;
mod failpoint;
mod fence;
mod groups;
pub mod handler;
mod health;
mod input;
mod invoke;
mod lease;
mod ledger;
mod log;
mod outcome;
mod overview;
pub mod parking;
mod pattern;
mod publisher;
pub mod questions;
pub mod receiving;
mod registry;
mod relay;
pub mod replay;
pub mod retention;
mod runs;
mod seconds;
mod service;
mod signal;
#[cfg(feature = "signal")]
mod signals;
pub mod status;
mod subscription;
#[cfg(feature = "test-kit")]
pub mod test_kit;
pub mod transport;
mod ways;
mod worker;

pub use builder::Builder;
pub use context::Context;
pub use error::{Error, ErrorKind};
pub use event::Event;
pub use handler::{BatchHandler, Effects, Handler, HandlerError, Lanes, Start};
pub use input::{EntityChanged, Received};
pub use outcome::{Reject, snooze};
pub use platform_core_macros::Event;
pub use publisher::{Published, Publisher};
pub use service::Service;
#[cfg(feature = "signal")]
pub use signals::shutdown_signal;
