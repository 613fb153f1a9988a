//! Collections without an order.
//! Equal values would have different texts.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    prices: std::collections::HashMap<String, i64>,
    tags: Option<std::collections::HashSet<String>>,
}

fn main() {}
