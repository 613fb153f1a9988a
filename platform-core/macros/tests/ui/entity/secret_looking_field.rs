//! Fields that sound like secrets, without a class.
//! Each says secret, or public if it is meant to be seen.

use platform_core::Entity;

#[derive(Clone, Entity)]
#[entity(kind = "order")]
struct Order {
    #[entity(id)]
    id: u32,
    #[entity(version)]
    version: u64,
    payment_token: String,
    pin: u16,
    stripe_api_key: String,
    credentials: Vec<String>,
}

fn main() {}
