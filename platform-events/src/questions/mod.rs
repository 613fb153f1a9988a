//! What an operator asks: why something happened, why it did not, how far everything is, what is missing.
//!
//! Each question is one call of [`Service`](crate::Service) and answered by indexed queries, whether or not a worker
//! is alive.

mod audit;
mod lag;
mod why;
mod why_not;

pub use audit::{Audit, Complaint};
pub use lag::{GroupLag, LaneLag};
pub use why::{Decided, Explained, Held, Subject, Why};
pub use why_not::WhyNot;

use platform_core::store::Row;

use crate::envelope::Envelope;
use crate::input::{Received, Stored};
use crate::log::LogRow;
use crate::{Error, ErrorKind};

/// Reads an event as a handler would see it; one that cannot be read says so.
fn received(row: &LogRow) -> Result<Received<Envelope>, String> {
    Received::decode(&Stored::of(row))
}

fn not_found(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, what)
}

/// Reads a column that is null where nothing is known.
fn text(row: &Row, name: &str) -> Result<String, Error> {
    Ok(row.get::<Option<String>>(name)?.unwrap_or_default())
}
