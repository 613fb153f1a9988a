//! A word that is written twice on the struct.
//! Also across two attributes.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
#[entity(kind = "orders")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
