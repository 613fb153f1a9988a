//! A version that is not stored.
//! It is in every event.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version, ignored)]
    version: u64,
}

fn main() {}
