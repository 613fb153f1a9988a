//! An attribute without words.
//! Both the form and the missing kind are named.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
