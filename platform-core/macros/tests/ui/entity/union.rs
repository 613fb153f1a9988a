//! A union is no entity.
//! Fields have names.

use platform_core::Entity;

#[derive(Clone, Copy, Entity)]
#[entity(kind = "order")]
union Order {
    id: u32,
    version: u64,
}

fn main() {}
