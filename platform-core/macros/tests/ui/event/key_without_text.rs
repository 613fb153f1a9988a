//! A key that has no text.
//! The compiler points at the field.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: Vec<u32>,
}

fn main() {}
