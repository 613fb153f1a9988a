//! Two fields with one stored name.
//! Stored names are unique.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    status: String,
    #[entity(rename = "status")]
    state: String,
}

fn main() {}
