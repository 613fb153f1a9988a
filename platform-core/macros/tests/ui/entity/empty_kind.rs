//! A kind of no characters.
//! The stored name is a word.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
