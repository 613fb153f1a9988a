//! Versions and package facts stand in the root manifest alone; members say `workspace = true`.
//! A crate of ours that tests alone need may be named by its path, without a version: so publishing
//! has no cycle.

use crate::manifest::{self, Entry, Member};
use crate::tree::{Complaint, Tree};

const FACTS: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];
const FIXED_HERE: [&str; 7] = ["version", "path", "git", "branch", "rev", "tag", "registry"];

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    manifest::members(tree).iter().flat_map(of_member).collect()
}

fn of_member(member: &Member) -> Vec<Complaint> {
    let path = member.manifest();
    let wrong = member.entries.iter().filter(|entry| fixes_version(entry));
    let mut complaints: Vec<Complaint> = wrong
        .map(|entry| {
            let text = format!(
                "{}: the version stands in the root manifest",
                entry.dependency()
            );
            Complaint::at(&path, entry.line, text)
        })
        .collect();
    let fact = |fact: &&str| {
        let key = format!("{fact}.workspace");
        member
            .entries
            .iter()
            .any(|entry| entry.table == "package" && entry.key == key)
    };
    let missing = FACTS.iter().filter(|name| !fact(name));
    complaints.extend(
        missing.map(|name| Complaint::at(&path, 1, format!("says {name}.workspace = true"))),
    );
    if !member
        .entries
        .iter()
        .any(|entry| entry.table == "lints" && entry.key == "workspace")
    {
        complaints.push(Complaint::at(&path, 1, "says [lints] workspace = true"));
    }
    complaints
}

fn fixes_version(entry: &Entry) -> bool {
    if !entry.is_dependency() {
        return false;
    }
    if entry.table.contains("dependencies.") {
        return FIXED_HERE.contains(&entry.key.as_str());
    }
    let inline = entry
        .value
        .strip_prefix('{')
        .and_then(|value| value.strip_suffix('}'));
    match inline {
        // `a = { workspace = true, features = ["x"] }`
        Some(table) => {
            let pairs: Vec<_> = table.split(',').map(|pair| pair.replace(' ', "")).collect();
            let has = |start: &str| pairs.iter().any(|pair| pair.starts_with(start));
            let is_test_path = entry.table.contains("dev-") && has("path=") && !has("version=");
            !has("workspace=true") && !is_test_path
        }
        // `a.workspace = true`, but not `a = "1"`
        None => !entry.key.ends_with(".workspace"),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    const ROOT: (&str, &str) = ("Cargo.toml", "[workspace]\nmembers = [\"a\"]");

    #[test]
    fn a_version_in_a_member_is_refused() {
        let facts = super::FACTS
            .map(|fact| format!("{fact}.workspace = true\n"))
            .concat();
        let manifest = format!(
            "[lints]\nworkspace = true\n[package]\n{facts}[dependencies]\nb = \"1\"\nc.workspace = true\nd = {{ path = \"../d\" }}\ne = {{ workspace = true, features = [\n\"x\",\n] }}\n[dev-dependencies]\ng = {{ path = \"..\" }}\n[dev-dependencies.f]\nversion = \"1\"\n"
        );
        let said = said(super::check, &[ROOT, ("a/Cargo.toml", &manifest)]);
        assert_eq!(
            said,
            [
                "a/Cargo.toml:10: b: the version stands in the root manifest",
                "a/Cargo.toml:12: d: the version stands in the root manifest",
                "a/Cargo.toml:19: f: the version stands in the root manifest",
            ]
        );
    }

    #[test]
    fn facts_of_its_own_are_refused() {
        let said = said(
            super::check,
            &[ROOT, ("a/Cargo.toml", "[package]\nversion = \"1.0.0\"")],
        );
        assert_eq!(said.len(), 6);
        assert_eq!(said[0], "a/Cargo.toml:1: says version.workspace = true");
    }
}
