//! One state of an entity as JSON text, with a note of where each field lies in it.
//!
//! A snapshot lives only while a change is built: secret values never leave it.

use std::borrow::Cow;
use std::ops::Range;

use super::{FieldWriter, Fields};
use crate::Error;

/// The fields of one state, in declaration order.
pub(crate) struct Snapshot {
    pub(super) kind: &'static str,
    /// The visible fields as one JSON object.
    pub(super) json: Vec<u8>,
    /// The values of secret fields, for comparing and nothing else.
    pub(super) hidden: Vec<u8>,
    pub(super) leaves: Vec<Leaf>,
    pub(super) personal: Vec<Personal>,
}

/// One field of a snapshot: its dotted path and where its text lies.
pub(crate) struct Leaf {
    pub(crate) path: Cow<'static, str>,
    pub(crate) kind: LeafKind,
    pub(super) range: Range<usize>,
}

/// A value about a person: where it lies in the JSON bytes, and whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// The bytes of the value, quotes included.
    pub range: Range<usize>,
    /// Whom the value is about.
    pub subject: String,
}

/// How the text of a [`Leaf`] is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeafKind {
    /// A value in the JSON text.
    Shown,
    /// A value that must not be seen.
    Hidden,
    /// The entity's own version.
    Version,
    /// A nested object; its fields follow as leaves of their own.
    Object,
    /// A nested object that is absent.
    Null,
}

impl Snapshot {
    /// Writes `fields`; `kind` names the whole in errors.
    pub(crate) fn of(kind: &'static str, fields: &impl Fields) -> Result<Self, Error> {
        let (json, hidden, leaves, personal) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut snapshot = Self {
            kind,
            json,
            hidden,
            leaves,
            personal,
        };
        let mut writer = FieldWriter::of(&mut snapshot, String::new());
        fields.write(&mut writer)?;
        writer.close();
        Ok(snapshot)
    }

    pub(crate) fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The serialised value of one of this snapshot's leaves.
    pub(crate) fn text(&self, leaf: &Leaf) -> &[u8] {
        let bytes = if leaf.kind == LeafKind::Hidden {
            &self.hidden
        } else {
            &self.json
        };
        bytes.get(leaf.range.clone()).unwrap_or_default()
    }

    /// Finds a leaf by path; `hint` is where it probably is.
    pub(crate) fn find(&self, path: &str, hint: usize) -> Option<&Leaf> {
        let hinted = self.leaves.get(hint).filter(|leaf| leaf.path == path);
        hinted.or_else(|| self.leaves.iter().find(|leaf| leaf.path == path))
    }

    /// Forgets the secret values and keeps what may be stored.
    pub(crate) fn into_visible(self) -> (Vec<u8>, Vec<Personal>) {
        (self.json, self.personal)
    }
}
