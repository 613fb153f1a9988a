//! An entity without a kind.
//! The stored name is never taken from the Rust type.

use platform_core::Entity;

#[derive(Clone, Entity)]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
