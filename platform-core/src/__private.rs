//! What the derives name in the code they write.
//! Not for use by hand: it changes without notice.

use std::any::Any;
use std::fmt::Display;

pub use std::result::Result::Ok;

pub use crate::{Class, FieldReader, FieldWriter, TenantId};

/// The result of writing and restoring fields.
pub type Result<T> = std::result::Result<T, crate::Error>;

/// Takes a field as the tenant: a [`TenantId`] as it is, other text when it is one.
pub fn tenant<T: Display + 'static>(field: &T) -> Result<TenantId> {
    match (field as &dyn Any).downcast_ref::<TenantId>() {
        Some(tenant) => Ok(tenant.clone()),
        None => TenantId::parse(&field.to_string()),
    }
}

/// Takes a field as the tenant of an event.
pub fn event_tenant<T: EventTenant>(field: &T) -> Option<TenantId> {
    field.event_tenant()
}

/// A field of an event that can be its tenant: already checked, so that naming it cannot fail.
#[diagnostic::on_unimplemented(
    message = "the tenant of an event cannot be a `{Self}`",
    label = "use a TenantId or an Option<TenantId>",
    note = "TenantId::parse checks a text once, where the event is made"
)]
pub trait EventTenant {
    /// Returns the tenant, if there is one.
    fn event_tenant(&self) -> Option<TenantId>;
}

impl EventTenant for TenantId {
    fn event_tenant(&self) -> Option<TenantId> {
        Some(self.clone())
    }
}

impl EventTenant for Option<TenantId> {
    fn event_tenant(&self) -> Option<TenantId> {
        self.clone()
    }
}
