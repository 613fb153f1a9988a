//! A generic nested struct.
//! Stored fields have known types.

use platform_core::Fields;

#[derive(Fields)]
struct Pair<T> {
    left: T,
}

fn main() {}
