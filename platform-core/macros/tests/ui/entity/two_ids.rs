//! Two fields name the entity.
//! One of them does.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(id)]
    number: u32,
}

fn main() {}
