//! A stored name with a dot.
//! Dots are for paths into nested structs.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(rename = "address.city")]
    city: String,
}

fn main() {}
