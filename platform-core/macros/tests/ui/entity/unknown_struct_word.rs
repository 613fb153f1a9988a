//! A word that no struct has.
//! The message lists the words.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order", table = "orders")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
