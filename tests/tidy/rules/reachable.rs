//! Every Rust file is compiled: it is a crate root, or a chain of `mod` leads to it.

use std::collections::BTreeSet;

use crate::manifest;
use crate::tree::{Complaint, File, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut reached = BTreeSet::new();
    for root in roots(tree) {
        follow(tree, root, true, &mut reached);
    }
    let lost = tree
        .rust()
        .filter(|(file, _)| !reached.contains(file.path.as_str()));
    lost.map(|(file, _)| Complaint::at(&file.path, 1, "no `mod` leads to this file"))
        .collect()
}

/// The files from which Cargo compiles: the named targets and those found by their place.
fn roots(tree: &Tree) -> Vec<&File> {
    let mut roots = Vec::new();
    for member in manifest::members(tree) {
        let named = member
            .entries
            .iter()
            .filter(|entry| entry.key == "path" && !entry.is_dependency());
        for entry in named {
            let path = format!("{}/{}", member.folder, entry.value.trim_matches('"'));
            roots.extend(tree.file(&path));
        }
        let says_no = |key: &str| {
            member
                .entries
                .iter()
                .any(|entry| entry.key == key && entry.value == "false")
        };
        roots.extend(tree.files.iter().filter(|file| {
            let inside = file.path.strip_prefix(&format!("{}/", member.folder));
            inside.is_some_and(|path| is_discovered(path, &says_no))
        }));
    }
    roots
}

/// Whether Cargo finds a target at this place of a package.
fn is_discovered(path: &str, says_no: &dyn Fn(&str) -> bool) -> bool {
    if matches!(path, "src/lib.rs" | "src/main.rs" | "build.rs") {
        return true;
    }
    let shelves = [
        ("src/bin/", "autobins"),
        ("tests/", "autotests"),
        ("benches/", "autobenches"),
        ("examples/", "autoexamples"),
    ];
    shelves.into_iter().any(|(shelf, switch)| {
        let rest = path
            .strip_prefix(shelf)
            .filter(|rest| rest.ends_with(".rs"));
        rest.is_some_and(|rest| match rest.split_once('/') {
            None => !says_no(switch),
            Some((_, file)) => file == "main.rs" && !says_no(switch),
        })
    })
}

fn follow<'a>(tree: &'a Tree, file: &'a File, is_root: bool, reached: &mut BTreeSet<&'a str>) {
    if !reached.insert(&file.path) {
        return;
    }
    let Some(source) = file.source() else { return };
    let owns_folder = is_root || file.stem() == "mod";
    let home = match owns_folder {
        true => file.folder().to_owned(),
        false => format!("{}/{}", file.folder(), file.stem()),
    };
    for module in modules(&source.syntax.items, &home, file.folder()) {
        for path in module {
            if let Some(next) = tree.file(path.trim_start_matches('/')) {
                follow(tree, next, false, reached);
            }
        }
    }
}

/// For each `mod name;` the places where its file may lie.
fn modules(items: &[syn::Item], home: &str, beside: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for item in items {
        let syn::Item::Mod(module) = item else {
            continue;
        };
        let name = module.ident.to_string();
        match (&module.content, named_path(&module.attrs)) {
            (Some((_, items)), _) => {
                found.extend(modules(
                    items,
                    &format!("{home}/{name}"),
                    &format!("{home}/{name}"),
                ));
            }
            (None, Some(path)) => found.push(vec![joined(beside, &path)]),
            (None, None) => {
                found.push(vec![
                    format!("{home}/{name}.rs"),
                    format!("{home}/{name}/mod.rs"),
                ]);
            }
        }
    }
    found
}

/// The text of a `#[path = "…"]`.
fn named_path(attributes: &[syn::Attribute]) -> Option<String> {
    let path = attributes
        .iter()
        .find(|attribute| attribute.path().is_ident("path"))?;
    let syn::Expr::Lit(value) = &path.meta.require_name_value().ok()?.value else {
        return None;
    };
    let syn::Lit::Str(text) = &value.lit else {
        return None;
    };
    Some(text.value())
}

fn joined(folder: &str, path: &str) -> String {
    let mut names: Vec<&str> = folder.split('/').collect();
    for name in path.split('/') {
        match name {
            ".." => drop(names.pop()),
            "." => {}
            name => names.push(name),
        }
    }
    names.join("/")
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn a_file_that_nobody_declares_is_refused() {
        let files = [
            ("Cargo.toml", "[workspace]\nmembers = [\"a\", \"t\"]"),
            ("a/Cargo.toml", "[package]\nname = \"a\""),
            (
                "a/src/lib.rs",
                "mod log;\nmod inline { mod deep; }\n#[path = \"../shared/x.rs\"]\nmod x;",
            ),
            ("a/src/log/mod.rs", "mod sqlite;"),
            ("a/src/log/sqlite.rs", "#[cfg(test)]\nmod tests;"),
            ("a/src/log/sqlite/tests.rs", ""),
            ("a/src/log/postgres.rs", ""),
            ("a/src/inline/deep.rs", ""),
            ("a/shared/x.rs", ""),
            ("a/tests/it/main.rs", ""),
            ("a/tests/it/lost.rs", ""),
            ("a/tests/ui/refused.rs", "not even Rust"),
            (
                "t/Cargo.toml",
                "[package]\nautotests = false\n[[test]]\npath = \"tidy/main.rs\"",
            ),
            ("t/tidy/main.rs", "mod tree;"),
            ("t/tidy/tree.rs", ""),
            ("t/tests/off.rs", ""),
        ];
        let lost: Vec<_> = said(super::check, &files)
            .iter()
            .map(|text| text.split(':').next().unwrap().to_owned())
            .collect();
        assert_eq!(
            lost,
            [
                "a/src/log/postgres.rs",
                "a/tests/it/lost.rs",
                "t/tests/off.rs"
            ]
        );
    }
}
