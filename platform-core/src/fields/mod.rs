//! The fields of a struct, one by one, each under its class.
//!
//! Knows JSON text and nothing of events or stores. Values are serialised once and compared as text.

mod reader;
mod snapshot;
mod stored;
mod writer;

use std::fmt;

pub use reader::FieldReader;
pub use snapshot::Personal;
pub use stored::StoredFields;
pub use writer::FieldWriter;

pub(crate) use snapshot::{Leaf, LeafKind, Snapshot};
pub(crate) use stored::describe;

use crate::Error;

/// A struct whose fields can be written and restored one by one, each under its [`Class`]. Derived.
///
/// `#[derive(Fields)]` is for a struct inside an entity (`#[entity(nested)]`); `#[derive(Entity)]` implements
/// this trait too. [`Entity`](crate::Entity) shows the hand-written form and the words of the attributes.
///
/// A field that is not nested is one value, written by its own `Serialize` as a whole: classes do not reach
/// into it. Equal values must serialise to equal text (no `HashMap`).
///
/// # Example
/// ```
/// use platform_core::Fields;
///
/// #[derive(Clone, Fields)]
/// struct Address {
///     #[entity(personal(subject = "resident"))]
///     street: String,
///     city: String,
///     resident: String,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not list its fields",
    label = "cannot be nested",
    note = "write #[derive(Fields)] on it, or leave #[entity(nested)] away to store it as one value"
)]
pub trait Fields: Sized {
    /// Writes every field, in declaration order.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, or a name is not one.
    fn write(&self, out: &mut FieldWriter<'_>) -> Result<(), Error>;

    /// Builds the struct from stored fields; secret and ignored ones become `Default::default()`.
    ///
    /// # Errors
    /// When a field is missing and its type has no value for `null`, or a stored value does not fit its type.
    fn restore(fields: &mut FieldReader<'_>) -> Result<Self, Error>;
}

/// Nothing is stored as `null` in place of the object.
impl<T: Fields> Fields for Option<T> {
    fn write(&self, out: &mut FieldWriter<'_>) -> Result<(), Error> {
        match self {
            Some(fields) => fields.write(out),
            None => out.null(),
        }
    }

    fn restore(fields: &mut FieldReader<'_>) -> Result<Self, Error> {
        if fields.is_null() {
            Ok(None)
        } else {
            T::restore(fields).map(Some)
        }
    }
}

/// What a field may show of itself.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Class<'a> {
    /// Its value is stored.
    Public,
    /// Its value is stored, and known to be about a person, so that it can be sealed and erased.
    Personal {
        /// Whom the value is about: a pseudonym such as a customer's id, shown in the clear.
        subject: &'a dyn fmt::Display,
    },
    /// Only that it changed is stored: no value, neither the new nor the old one, and no hash.
    Secret,
    /// Nothing is stored, and its change is none.
    Ignored,
}

impl fmt::Debug for Class<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "Public",
            Self::Personal { .. } => "Personal",
            Self::Secret => "Secret",
            Self::Ignored => "Ignored",
        })
    }
}
