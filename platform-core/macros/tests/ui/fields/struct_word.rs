//! A kind on a nested struct.
//! Only entities have kinds.

use platform_core::Fields;

#[derive(Fields)]
#[entity(kind = "address")]
struct Address {
    city: String,
}

fn main() {}
