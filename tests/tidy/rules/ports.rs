//! The two sides of a store port read side by side: where there is `sqlite.rs` there is `mod.rs`
//! and `postgres.rs`. What others can call has the same names in the same order on both sides;
//! private functions may exist on one side alone, and those on both keep the order too.

use std::collections::BTreeSet;

use crate::source::Function;
use crate::tree::{Complaint, File, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let sides = tree.files.iter().filter(|file| {
        file.is_library()
            && ["sqlite", "postgres"].contains(&file.stem())
            && file.source().is_some()
    });
    let folders: BTreeSet<&str> = sides.map(File::folder).collect();
    folders
        .into_iter()
        .flat_map(|folder| of_folder(tree, folder))
        .collect()
}

fn of_folder(tree: &Tree, folder: &str) -> Vec<Complaint> {
    let file = |name: &str| tree.file(&format!("{folder}/{name}"));
    if file("mod.rs").or_else(|| file("lib.rs")).is_none() {
        return vec![Complaint::at(
            folder,
            1,
            "a store port has a mod.rs with its contract",
        )];
    }
    let (Some(sqlite), Some(postgres)) = (file("sqlite.rs"), file("postgres.rs")) else {
        return vec![Complaint::at(
            folder,
            1,
            "a store port has both sqlite.rs and postgres.rs",
        )];
    };
    let (ours, theirs) = compared(&functions(sqlite), &functions(postgres));
    let same = ours
        .iter()
        .zip(&theirs)
        .take_while(|((a, _), (b, _))| a == b)
        .count();
    match (ours.get(same), theirs.get(same)) {
        (None, None) => Vec::new(),
        (Some((name, line)), other) => {
            let text = format!("fn {name} stands where postgres.rs has {}", named(other));
            vec![Complaint::at(&sqlite.path, *line, text)]
        }
        (None, Some((name, line))) => {
            let text = format!("fn {name} stands where sqlite.rs has {}", named(None));
            vec![Complaint::at(&postgres.path, *line, text)]
        }
    }
}

fn named(function: Option<&(&str, usize)>) -> String {
    function.map_or_else(|| "nothing".to_owned(), |(name, _)| format!("fn {name}"))
}

type Names<'a> = Vec<(&'a str, usize)>;

/// The names and lines to compare: what is visible, and what stands on both sides.
fn compared<'a>(ours: &[&'a Function], theirs: &[&'a Function]) -> (Names<'a>, Names<'a>) {
    let keep = |side: &[&'a Function], other: &[&Function]| {
        let is_shared = |name: &str| other.iter().any(|function| function.name == name);
        let kept = side
            .iter()
            .filter(|own| own.is_visible || is_shared(&own.name));
        kept.map(|own| (own.name.as_str(), *own.lines.start()))
            .collect()
    };
    (keep(ours, theirs), keep(theirs, ours))
}

/// Functions of the file and its impls; tests and nested ones left out.
fn functions(file: &File) -> Vec<&Function> {
    let Some(source) = file.source() else {
        return Vec::new();
    };
    let mut end = 0;
    let mut found = Vec::new();
    for function in &source.functions {
        let start = *function.lines.start();
        let is_nested = start < end;
        if !is_nested && !source.is_test_line(start) {
            end = *function.lines.end();
            found.push(function);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    const SQLITE: &str = "pub fn append() {\n fn inner() {}\n}\nfn row() {}\nfn only() {}\npub fn read() {}\n#[cfg(test)]\nmod tests { fn x() {} }";

    fn said_beside(postgres: &str) -> Vec<String> {
        let files = [
            ("platform-events/src/log/mod.rs", ""),
            ("platform-events/src/log/sqlite.rs", SQLITE),
            ("platform-events/src/log/postgres.rs", postgres),
        ];
        said(super::check, &files)
    }

    #[test]
    fn sides_that_do_not_line_up_are_refused() {
        let order = "pub fn append() {}\npub fn trim() {}\nfn row() {}\npub fn read() {}";
        assert_eq!(
            said_beside(order),
            ["platform-events/src/log/sqlite.rs:4: fn row stands where postgres.rs has fn trim"]
        );
        let more =
            "pub fn append() {}\nfn row() {}\npub fn read() {}\nimpl A for B { fn trim() {} }";
        assert_eq!(
            said_beside(more),
            ["platform-events/src/log/postgres.rs:4: fn trim stands where sqlite.rs has nothing"]
        );
        let private = "pub fn append() {}\nfn fence() {}\nfn row() {}\npub fn read() {}";
        assert_eq!(said_beside(private), Vec::<String>::new());
    }

    #[test]
    fn a_port_with_one_side_is_refused() {
        let files = [
            ("platform-tasks/src/queue/mod.rs", ""),
            ("platform-tasks/src/queue/sqlite.rs", SQLITE),
        ];
        let said = said(super::check, &files);
        assert_eq!(
            said,
            ["platform-tasks/src/queue:1: a store port has both sqlite.rs and postgres.rs"]
        );
    }
}
