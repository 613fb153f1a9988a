//! An id that sounds like a secret.
//! A role is no class.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    token: String,
    #[entity(version)]
    version: u64,
}

fn main() {}
