//! A tenant that is not checked yet.
//! Its type says that it is one.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: u32,
    #[event(tenant)]
    tenant: String,
}

fn main() {}
