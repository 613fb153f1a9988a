//! The top of the tree holds what is listed here and nothing else; a stranger reads it first.

use crate::tree::{Complaint, Tree};

const ENTRIES: [&str; 14] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "components",
    "examples",
    "platform-core",
    "platform-events",
    "platform-history",
    "platform-notify",
    "platform-tasks",
    "tests",
];

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let strange = tree
        .entries
        .iter()
        .filter(|entry| !ENTRIES.contains(&entry.as_str()));
    let strange = strange.map(|entry| Complaint::at(entry, 1, "has no place at the top"));
    let missing = ENTRIES
        .into_iter()
        .filter(|entry| !tree.entries.contains(*entry));
    let missing = missing.map(|entry| Complaint::at(entry, 1, "is missing at the top"));
    strange.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn strange_and_missing_entries_are_refused() {
        let files: Vec<(&str, &str)> = ENTRIES.into_iter().map(|entry| (entry, "")).collect();
        assert!(said(check, &files).is_empty());
        let files: Vec<_> = files
            .into_iter()
            .skip(1)
            .chain([("notes/a.md", "")])
            .collect();
        let expected = [
            "notes:1: has no place at the top",
            "CHANGELOG.md:1: is missing at the top",
        ];
        assert_eq!(said(check, &files), expected);
    }
}
