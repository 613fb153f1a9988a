#![doc = include_str!("../docs/lib.md")]

mod address;
mod body;
mod folder;
mod header;
mod ledger;
mod mail;
mod notifications;
mod notify;
mod record;
mod rule;

pub use address::Mailbox;
pub use notifications::{MIGRATIONS, Notifications};
pub use notify::Notify;
pub use rule::Rules;
