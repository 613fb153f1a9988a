//! What a business object must tell about itself so that its changes can be published.
//!
//! The trait knows no store and no event: it names the object and lists its fields.

use crate::{Error, Fields, TenantId};

#[doc = include_str!("../docs/entity.md")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity",
    label = "its changes have no kind, id and version",
    note = "write #[derive(Entity)] and #[entity(kind = \"…\")] on it, or implement the trait by hand"
)]
pub trait Entity: Fields + Clone + Send + Sync + 'static {
    /// Stored name of this kind of object: `[a-z][a-z0-9_]*`, at most 63 bytes.
    const KIND: &'static str;

    /// Number of the shape of the stored fields; raised when readers must tell two shapes apart.
    const SCHEMA: u32 = 1;

    /// Returns the name of this object among its kind and tenant: 1 to 256 bytes without control characters.
    fn id(&self) -> String;

    /// Returns whose object it is.
    ///
    /// # Errors
    /// When the text is no tenant. A [`Change`](crate::Change) of such an object cannot be built.
    fn tenant(&self) -> Result<TenantId, Error> {
        Ok(TenantId::default())
    }

    /// Returns the version, which grows with every change; at most `i64::MAX`.
    fn version(&self) -> u64;

    /// Returns which object of this id it is, counted up when an id is used again after a deletion.
    fn incarnation(&self) -> u64 {
        0
    }
}
