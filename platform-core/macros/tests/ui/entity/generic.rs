//! A generic struct is no entity.
//! One kind has one stored form; uses of the type cause no second error.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order<T> {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    status: T,
}

fn is_entity<T: Entity>() {}

fn main() {
    is_entity::<Order<String>>();
}
