//! A generic struct is no event.
//! One type has one stored form.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", keyless, crate = events)]
struct InvoiceOverdue<T> {
    invoice: T,
}

fn main() {}
