//! A field that is the id and the version.
//! Only the id and the tenant can be one field.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id, version)]
    id: u64,
}

fn main() {}
