//! A value that is its own subject.
//! The subject is a pseudonym, not the value.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(personal(subject = "email"))]
    email: String,
}

fn main() {}
