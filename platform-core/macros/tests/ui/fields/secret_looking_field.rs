//! A field that sounds like a secret, without a class.
//! It says secret, or public if it is meant to be seen.

use platform_core::Fields;

#[derive(Fields)]
struct Login {
    password: String,
}

fn main() {}
