//! No field names the entity.
//! One must.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(version)]
    version: u64,
}

fn main() {}
