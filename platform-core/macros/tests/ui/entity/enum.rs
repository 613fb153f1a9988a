//! An enum is no entity.
//! Fields have names.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
enum Order {
    Placed,
    Shipped,
}

fn main() {}
