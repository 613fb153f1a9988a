//! An event without a stored type.
//! It is never taken from the Rust type.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: u32,
}

fn main() {}
