//! A subject that is no field.
//! The message lists the fields.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    customer: String,
    #[entity(personal(subject = "custmer"))]
    email: String,
}

fn main() {}
