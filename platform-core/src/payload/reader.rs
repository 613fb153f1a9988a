//! Reads a stored change back: the head is parsed, the two states stay text until they are asked for.
//!
//! Everything here comes from the stored bytes alone, so a local and a received change give the same answers.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::diff::{self, FieldChange};
use crate::fields::{StoredFields, describe};
use crate::{Entity, Error};

/// A stored change, borrowed from its bytes.
///
/// # Example
/// ```
/// # use platform_core::{Change, ChangePayload, Entity};
/// # #[derive(Clone, Entity)]
/// # #[entity(kind = "order")]
/// # struct Order { #[entity(id)] id: u32, #[entity(version)] version: u64, status: String }
/// # let old = Order { id: 7, version: 1, status: "placed".into() };
/// # let new = Order { version: 2, status: "shipped".into(), ..old.clone() };
/// let bytes = Change::updated(&old, &new)?.payload(None).bytes;
///
/// let stored = ChangePayload::parse(&bytes)?;
/// for field in stored.diff() {
///     assert_eq!((field.path, field.old, field.new), ("status", Some("\"placed\""), Some("\"shipped\"")));
/// }
/// let (_, after) = stored.restore::<Order>()?;
/// assert_eq!(after.map(|order| order.status), Some("shipped".to_owned()));
/// # Ok::<(), platform_core::Error>(())
/// ```
#[derive(Clone)]
pub struct ChangePayload<'a> {
    head: Head<'a>,
    before: Option<StoredFields<'a>>,
    after: Option<StoredFields<'a>>,
}

#[derive(Clone, Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    verb: Cow<'a, str>,
    version: u64,
    previous_version: Option<u64>,
    incarnation: u64,
    schema: u32,
    #[serde(borrow)]
    before: Option<&'a RawValue>,
    #[serde(borrow)]
    after: Option<&'a RawValue>,
    changed: Vec<String>,
    batch: Option<String>,
    actor_name: Option<String>,
}

impl<'a> ChangePayload<'a> {
    /// Parses the head of a payload; keys that are not known are left alone.
    ///
    /// # Errors
    /// When the bytes are not the payload of a change. The error quotes none of them.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let head: Head<'a> = serde_json::from_slice(bytes).map_err(|error| {
            Error::invalid(format!(
                "the payload is not one of an entity's change: {}",
                describe(&error)
            ))
        })?;
        let state =
            |raw: Option<&'a RawValue>| raw.map(|raw| StoredFields::parse(raw.get())).transpose();
        let (before, after) = (state(head.before)?, state(head.after)?);
        Ok(Self {
            head,
            before,
            after,
        })
    }

    /// Returns what happened: `created`, `shipped`.
    pub fn verb(&self) -> &str {
        &self.head.verb
    }

    /// Returns the version that the change led to.
    pub fn version(&self) -> u64 {
        self.head.version
    }

    /// Returns the version that the change started from; none for a created entity.
    pub fn previous_version(&self) -> Option<u64> {
        self.head.previous_version
    }

    /// Returns which object of its id it is.
    pub fn incarnation(&self) -> u64 {
        self.head.incarnation
    }

    /// Returns the number of the shape of the stored fields.
    pub fn schema(&self) -> u32 {
        self.head.schema
    }

    /// Returns the state before; none for a created entity.
    pub fn before(&self) -> Option<&StoredFields<'a>> {
        self.before.as_ref()
    }

    /// Returns the state after; none for a deleted entity.
    pub fn after(&self) -> Option<&StoredFields<'a>> {
        self.after.as_ref()
    }

    /// Returns the dotted paths of the changed fields, secret ones included.
    pub fn changed(&self) -> &[String] {
        &self.head.changed
    }

    /// Returns the import or bulk operation it belongs to.
    pub fn batch(&self) -> Option<&str> {
        self.head.batch.as_deref()
    }

    /// Returns the name that people read of whoever did it.
    pub fn actor_name(&self) -> Option<&str> {
        self.head.actor_name.as_deref()
    }

    /// Returns every changed field with its old and new value, in the order of [`changed`](Self::changed).
    ///
    /// A nested object that appeared or vanished is one change. An array is compared as a whole.
    pub fn diff(&self) -> Vec<FieldChange<'_>> {
        let paths = self.head.changed.iter().map(String::as_str);
        diff::between(paths, self.before(), self.after())
    }

    /// Restores the entity before and after; secret and ignored fields are `Default::default()`.
    ///
    /// # Errors
    /// When a field is missing and its type has no value for `null`, or a stored value does not fit its type.
    pub fn restore<E: Entity>(&self) -> Result<(Option<E>, Option<E>), Error> {
        let entity =
            |state: Option<&StoredFields<'a>>| state.map(StoredFields::restore).transpose();
        Ok((entity(self.before())?, entity(self.after())?))
    }
}

/// Paths only: values do not belong into logs.
impl fmt::Debug for ChangePayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangePayload")
            .field("verb", &self.head.verb)
            .field("version", &self.head.version)
            .field("changed", &self.head.changed)
            .finish_non_exhaustive()
    }
}
