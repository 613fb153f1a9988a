//! The rules of the project's style that a program can check, run over the whole tree.
//! Each rule is a pure function from files to complaints, with its own failing example.

mod exceptions;
mod manifest;
mod rules;
mod source;
mod tree;

use std::env;
use std::path::{Path, PathBuf};

use tree::{Complaint, Tree};

#[test]
fn the_tree_is_tidy() {
    let tree = Tree::load(&root()).expect("the workspace can be read");
    let complaints = complaints(&tree);
    let (count, list) = (complaints.len(), complaints.join("\n"));
    assert!(complaints.is_empty(), "{count} complaints:\n{list}");
}

fn root() -> PathBuf {
    // Cargo names the folder when the test runs; the compiled-in one may have moved since.
    let package = env::var_os("CARGO_MANIFEST_DIR");
    package
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

fn complaints(tree: &Tree) -> Vec<String> {
    let found: Vec<(&str, Complaint)> = rules::ALL
        .iter()
        .flat_map(|(name, check)| check(tree).into_iter().map(|complaint| (*name, complaint)))
        .collect();
    let unused = exceptions::ALL.iter().filter(|exception| {
        !found
            .iter()
            .any(|(rule, complaint)| exception.covers(rule, &complaint.path))
    });
    let unused = unused.map(|exception| {
        format!(
            "exceptions: {} needs none from {} any more",
            exception.path, exception.rule
        )
    });
    found
        .iter()
        .filter(|(rule, complaint)| {
            !exceptions::ALL
                .iter()
                .any(|exception| exception.covers(rule, &complaint.path))
        })
        .map(|(rule, complaint)| format!("{rule}: {complaint}"))
        .chain(unused)
        .collect()
}
