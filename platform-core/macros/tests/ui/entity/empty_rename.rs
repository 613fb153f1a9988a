//! A stored name of no characters.
//! Names have characters.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(rename = "")]
    status: String,
}

fn main() {}
