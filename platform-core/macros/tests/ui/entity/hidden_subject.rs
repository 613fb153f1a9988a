//! A subject that is secret.
//! It would have to be shown in the clear.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(secret)]
    customer: String,
    #[entity(personal(subject = "customer"))]
    email: String,
}

fn main() {}
