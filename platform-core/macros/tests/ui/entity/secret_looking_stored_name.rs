//! A stored name that sounds like a secret.
//! The field is called otherwise, but this is what would be stored.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(rename = "password")]
    word: String,
}

fn main() {}
