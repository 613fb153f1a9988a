//! A type without a dot and in upper case.
//! The message shows the form.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "InvoiceOverdue", crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: u32,
}

fn main() {}
