//! An enum is no event.
//! Fields have names.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", keyless, crate = events)]
enum InvoiceOverdue {
    Once,
    Twice,
}

fn main() {}
