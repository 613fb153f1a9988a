//! A field of two classes.
//! It has one.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(public, secret)]
    code: String,
}

fn main() {}
