//! A kind that is not lower case.
//! Kinds become parts of event types.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "Order-Line")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
