//! A type that is used as an entity and is none.
//! The message says which derive is missing.

use platform_core::Change;

#[derive(Clone)]
struct Order {
    id: u32,
}

fn main() {
    let _change = Change::created(&Order { id: 1 });
}
