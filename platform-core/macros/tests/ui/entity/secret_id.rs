//! An id that is not stored.
//! It is in every event.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id, secret)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
