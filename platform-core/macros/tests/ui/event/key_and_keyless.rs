//! A key on an event that says it has none.
//! One of the two.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", keyless, crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: u32,
}

fn main() {}
