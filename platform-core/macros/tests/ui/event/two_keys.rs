//! Two fields name what the event is about.
//! One of them does.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: u32,
    #[event(key)]
    customer: u32,
}

fn main() {}
