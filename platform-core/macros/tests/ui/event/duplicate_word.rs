//! A word that is written twice.
//! One of the two is enough.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", type = "invoice.late", crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: u32,
}

fn main() {}
