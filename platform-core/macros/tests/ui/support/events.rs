//! The trait that `derive(Event)` implements, reduced to what the derive writes.
//! Stands in for `platform_events`, which this crate cannot depend on.

#![allow(dead_code, reason = "not every case uses all of it")]

use platform_core::TenantId;

pub trait Event: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static {
    const TYPE: &'static str;
    const SCHEMA: u32 = 1;

    fn key(&self) -> Option<String>;

    fn tenant(&self) -> Option<TenantId> {
        None
    }
}
