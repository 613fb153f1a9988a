//! A unit struct is no entity.
//! Fields have names.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order;

fn main() {}
