//! A word that no event has.
//! The message lists the words.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", topic = "billing", crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: u32,
}

fn main() {}
