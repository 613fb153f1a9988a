//! A word that no field has.
//! The message lists the words.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(skip)]
    status: String,
}

fn main() {}
