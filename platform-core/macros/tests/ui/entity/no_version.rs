//! No field orders the changes.
//! One must.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
}

fn main() {}
