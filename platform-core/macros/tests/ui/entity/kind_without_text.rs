//! A kind that is not written as a text.
//! The message shows the form.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = order)]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
}

fn main() {}
