//! An id of several fields.
//! It is one value.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id, nested)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
