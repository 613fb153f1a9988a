//! What each derive was asked for, once every word is known to be right.
//! The only thing that goes from `valid` to `expand`: no attribute, no place in the source.

use proc_macro2::Ident;
use syn::{Path, Type};

/// A named field of the input.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
}

/// The input of `derive(Fields)`.
pub(crate) struct Fields {
    pub(crate) ident: Ident,
    pub(crate) core: Path,
    pub(crate) fields: Vec<Field>,
}

/// The input of `derive(Entity)`.
pub(crate) struct Entity {
    pub(crate) fields: Fields,
    pub(crate) kind: String,
    pub(crate) schema: Option<u32>,
    pub(crate) id: Member,
    pub(crate) version: Member,
    pub(crate) tenant: Option<Member>,
    pub(crate) incarnation: Option<Member>,
}

/// One field of an entity or of a nested struct.
pub(crate) struct Field {
    pub(crate) member: Member,
    /// Stored name.
    pub(crate) name: String,
    pub(crate) form: Form,
}

/// How a field is written and restored.
pub(crate) enum Form {
    Public,
    Personal { subject: Ident },
    Secret,
    Ignored,
    Nested,
    Version,
}

/// The input of `derive(Event)`.
pub(crate) struct Event {
    pub(crate) ident: Ident,
    pub(crate) events: Path,
    pub(crate) name: String,
    pub(crate) schema: Option<u32>,
    /// Nothing for a keyless event.
    pub(crate) key: Option<Member>,
    pub(crate) tenant: Option<Member>,
}
