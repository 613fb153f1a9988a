//! An enum does not list its fields.
//! The trait can be implemented by hand.

use platform_core::Fields;

#[derive(Fields)]
enum Payment {
    Cash,
}

fn main() {}
