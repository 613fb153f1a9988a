//! Which fields differ: between two states while a change is built, and inside a stored payload.
//!
//! Pure: compares text with text and knows neither types nor stores.

use crate::fields::{Leaf, LeafKind, Snapshot, StoredFields};

/// One changed field of a stored change.
///
/// Both values are absent for a secret field: that it changed is all that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldChange<'a> {
    /// Dotted path of the field.
    pub path: &'a str,
    /// Its JSON text before, if it was there.
    pub old: Option<&'a str>,
    /// Its JSON text after, if it is there.
    pub new: Option<&'a str>,
}

/// Looks up each of `paths` in both states.
pub(crate) fn between<'a>(
    paths: impl Iterator<Item = &'a str>,
    old: Option<&StoredFields<'a>>,
    new: Option<&StoredFields<'a>>,
) -> Vec<FieldChange<'a>> {
    let at = |state: Option<&StoredFields<'a>>, path| state.and_then(|state| state.get(path));
    paths
        .map(|path| FieldChange {
            path,
            old: at(old, path),
            new: at(new, path),
        })
        .collect()
}

/// All paths of one state, for a change that has no other side.
pub(crate) fn all(state: &Snapshot) -> Vec<String> {
    let is_listed = |leaf: &&Leaf| !matches!(leaf.kind, LeafKind::Version | LeafKind::Object);
    state
        .leaves()
        .iter()
        .filter(is_listed)
        .map(|leaf| leaf.path.to_string())
        .collect()
}

/// The paths that differ, in declaration order; a nested object that appears or vanishes is one path.
pub(crate) fn changed(old: &Snapshot, new: &Snapshot) -> Vec<String> {
    let mut changed = Changed::default();
    for (at, leaf) in new.leaves().iter().enumerate() {
        match old.find(&leaf.path, at) {
            Some(other) if is_same(old.text(other), other.kind, new.text(leaf), leaf.kind) => {}
            Some(other) => changed.note(leaf, [other.kind, leaf.kind].contains(&LeafKind::Object)),
            None => changed.note(leaf, leaf.kind == LeafKind::Object),
        }
    }
    for (at, leaf) in old.leaves().iter().enumerate() {
        if new.find(&leaf.path, at).is_none() {
            changed.note(leaf, leaf.kind == LeafKind::Object);
        }
    }
    changed.paths
}

fn is_same(old: &[u8], old_kind: LeafKind, new: &[u8], new_kind: LeafKind) -> bool {
    match (old_kind, new_kind) {
        // The fields inside speak for the object, and the payload for the version.
        (LeafKind::Object, LeafKind::Object) | (LeafKind::Version, LeafKind::Version) => true,
        _ => old_kind == new_kind && old == new,
    }
}

#[derive(Default)]
struct Changed {
    paths: Vec<String>,
    /// Paths that stand for all that is below them, each with its dot.
    wholes: Vec<String>,
}

impl Changed {
    fn note(&mut self, leaf: &Leaf, is_whole: bool) {
        if self
            .wholes
            .iter()
            .any(|whole| leaf.path.starts_with(whole.as_str()))
        {
            return;
        }
        self.paths.push(leaf.path.to_string());
        if is_whole {
            self.wholes.push(format!("{}.", leaf.path));
        }
    }
}
