//! A tuple struct is no entity.
//! Fields have names.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order(#[entity(id)] u32, #[entity(version)] u64);

fn main() {}
