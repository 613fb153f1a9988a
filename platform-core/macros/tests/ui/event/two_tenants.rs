//! Two fields say whose the event is.
//! One of them does.

#[path = "../support/events.rs"]
mod events;

use platform_core_macros::Event;

#[derive(serde::Serialize, serde::Deserialize, Event)]
#[event(type = "invoice.overdue", crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: u32,
    #[event(tenant)]
    seller: platform_core::TenantId,
    #[event(tenant)]
    buyer: platform_core::TenantId,
}

fn main() {}
