//! A personal value with another word than subject.
//! There is one word.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(personal(of = "customer"))]
    email: String,
}

fn main() {}
