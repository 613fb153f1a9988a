//! A tenant as a TenantId, as a text, as the id itself, and none.
//! A text that is no tenant is an error of the change.

use platform_core::{Change, Entity};

#[derive(Clone, Entity)]
#[entity(kind = "shop")]
struct Shop {
    #[entity(id, tenant)]
    name: String,
    #[entity(version)]
    version: u64,
}

#[derive(Clone, Entity)]
#[entity(kind = "job")]
struct Job {
    #[entity(id)]
    number: u8,
    #[entity(version)]
    version: u64,
}

fn main() {
    let shop = |name: &str| Shop { name: name.into(), version: 1 };
    assert_eq!(Change::created(&shop("acme")).unwrap().tenant().as_str(), "acme");
    assert!(Change::created(&shop("a b")).is_err());
    assert_eq!(Change::created(&Job { number: 1, version: 1 }).unwrap().tenant().as_str(), "default");
}
