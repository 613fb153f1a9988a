//! An id that has no text.
//! The compiler points at the field.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: Vec<u8>,
    #[entity(version)]
    version: u64,
}

fn main() {}
