//! An event that leaves its key open.
//! One of the two.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", crate = events)]
struct InvoiceOverdue {
    invoice: u32,
}

fn main() {}
