//! A unit struct is no event.
//! Braces without fields are.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", keyless, crate = events)]
struct InvoiceOverdue;

fn main() {}
