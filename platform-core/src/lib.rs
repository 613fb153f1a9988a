#![doc = include_str!("../docs/lib.md")]

#[cfg(test)]
extern crate self as platform_core;

#[doc(hidden)]
pub mod __private;
mod actor;
mod change;
pub mod clock;
mod diff;
mod entity;
mod error;
mod fields;
mod id;
mod key;
mod page;
mod payload;
mod retry;
pub mod store;
mod text;

pub use actor::{Actor, ActorKind};
pub use change::Change;
pub use diff::FieldChange;
pub use entity::Entity;
pub use error::{Error, ErrorKind};
pub use fields::{Class, FieldReader, FieldWriter, Fields, Personal, StoredFields};
pub use id::{CorrelationId, TenantId};
pub use key::Key;
pub use page::{Cursor, Page};
pub use payload::{ChangePayload, Payload};
pub use platform_core_macros::{Entity, Fields};
pub use retry::RetryPolicy;
pub use store::{Store, Tx};
