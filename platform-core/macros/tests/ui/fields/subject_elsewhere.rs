//! A subject that is a field of the surrounding struct.
//! It must be a field of the same struct.

use platform_core::Fields;

#[derive(Fields)]
struct Address {
    #[entity(personal(subject = "customer"))]
    street: String,
    city: String,
}

fn main() {}
