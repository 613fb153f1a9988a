#![doc = include_str!("../docs/lib.md")]

mod entries;
mod entry;
mod history;
mod ledger;
mod timeline;

pub use entry::{ChangedField, Entry};
pub use history::{History, MIGRATIONS};
pub use timeline::Timeline;
