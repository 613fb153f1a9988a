//! A personal value about two persons.
//! A value is about one person.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    customer: String,
    #[entity(personal(subject = "customer", subject = "id"))]
    email: String,
}

fn main() {}
