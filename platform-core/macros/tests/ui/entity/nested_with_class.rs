//! A nested struct with a class.
//! Its own fields have classes.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(nested, public)]
    address: String,
}

fn main() {}
