//! Two fields say whose the entity is.
//! One of them does.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(tenant)]
    owner: String,
    #[entity(tenant)]
    shop: String,
}

fn main() {}
