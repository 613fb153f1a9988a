//! A tuple struct is no event.
//! Fields have names.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", crate = events)]
struct InvoiceOverdue(#[event(key)] u32);

fn main() {}
