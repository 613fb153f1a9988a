//! A personal value about nobody.
//! The subject is needed to erase it.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(personal)]
    email: String,
}

fn main() {}
