//! A word that only an entity has.
//! The message lists the words of nested structs.

use platform_core::Fields;

#[derive(Fields)]
struct Address {
    #[entity(id)]
    id: u32,
}

fn main() {}
