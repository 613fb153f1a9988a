//! A tuple struct has no field names.
//! Fields have names.

use platform_core::Fields;

#[derive(Fields)]
struct Point(i32, i32);

fn main() {}
