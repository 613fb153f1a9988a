//! A nested value of a type that lists no fields.
//! The message says which derive is missing.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(nested)]
    address: Address,
}

#[derive(Clone)]
struct Address {
    city: String,
}

fn main() {}
