//! A word that takes no value.
//! It stands alone.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", keyless = true, crate = events)]
struct InvoiceOverdue {
    invoice: u32,
}

fn main() {}
