//! Two fields order the changes.
//! One of them does.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(version)]
    revision: u64,
}

fn main() {}
