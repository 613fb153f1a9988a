//! Several mistakes in one struct.
//! All of them are shown at once, and uses of the type cause no further error.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "Order", colour = "red")]
struct Order {
    #[entity(id, secret)]
    id: u32,
    #[entity(nested, ignored)]
    password: String,
    #[entity(personal(subject = "x"))]
    email: String,
}

fn is_entity<T: Entity>() {}

fn main() {
    is_entity::<Order>();
}
