//! A version that is no u64.
//! The compiler says so once.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: i64,
}

fn main() {}
