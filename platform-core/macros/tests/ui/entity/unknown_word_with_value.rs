//! Unknown words with values.
//! Each is named once, and their values cause no second error.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    #[entity(column(name = "s"), default = "x")]
    status: String,
}

fn main() {}
