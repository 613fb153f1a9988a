//! Events with a key, without one, with a tenant and with a schema.
//! The trait stands where `crate` says.

#[path = "../support/events.rs"]
mod events;

use events::Event as _;
use platform_core::TenantId;
use platform_core_macros::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Event)]
#[event(type = "invoice.overdue", schema = 2, crate = events)]
struct InvoiceOverdue {
    #[event(key)]
    invoice: u32,
    #[event(tenant)]
    tenant: TenantId,
}

#[derive(Serialize, Deserialize, Event)]
#[event(type = "night.began", keyless, crate = crate::events)]
struct NightBegan {
    #[event(tenant)]
    tenant: Option<TenantId>,
}

#[derive(Serialize, Deserialize, Event)]
#[event(type = "tick.made", keyless)]
#[event(crate = events)]
struct TickMade {}

fn main() {
    let overdue = InvoiceOverdue { invoice: 7, tenant: TenantId::default() };
    assert_eq!((InvoiceOverdue::TYPE, InvoiceOverdue::SCHEMA), ("invoice.overdue", 2));
    assert_eq!((overdue.key(), overdue.tenant()), (Some("7".to_owned()), Some(TenantId::default())));
    assert_eq!((NightBegan::SCHEMA, NightBegan { tenant: None }.key()), (1, None));
    assert_eq!((TickMade {}.key(), TickMade {}.tenant()), (None, None));
}
