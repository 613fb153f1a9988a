//! A word that is written twice on a field.
//! One of the two is enough.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(secret, secret)]
    pin: String,
}

fn main() {}
