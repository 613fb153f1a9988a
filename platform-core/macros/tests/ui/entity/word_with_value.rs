//! A word that takes no value.
//! It stands alone.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id = "id")]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
