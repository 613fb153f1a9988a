//! A kind without a value.
//! The message shows the form.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind)]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
