//! The README fits into five minutes, and its crate map names exactly the packages there are.
//!
//! The map is the section whose heading contains "crate map": one table row or list item for each
//! package, which begins with its folder or name in backticks.

use std::collections::BTreeSet;

use crate::manifest;
use crate::tree::{Complaint, Tree};

const README: &str = "README.md";
const LINES_MAX: usize = 200;
const HEADING: &str = "crate map";

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let Some(readme) = tree.file(README) else {
        return vec![Complaint::at(README, 1, "is missing")];
    };
    let mut complaints = Vec::new();
    let lines = readme.text.lines().count();
    if lines > LINES_MAX {
        let text = format!("has {lines} lines, at most {LINES_MAX}");
        complaints.push(Complaint::at(README, LINES_MAX, text));
    }
    let mut unmentioned: BTreeSet<String> = BTreeSet::new();
    let members = manifest::members(tree);
    unmentioned.extend(members.iter().map(|member| member.folder.clone()));
    for (line, name) in mapped(&readme.text) {
        match members
            .iter()
            .find(|member| member.folder == name || member.name == name)
        {
            Some(member) => drop(unmentioned.remove(&member.folder)),
            None => complaints.push(Complaint::at(README, line, format!("{name} is no package"))),
        }
    }
    let missing = unmentioned.into_iter();
    complaints.extend(
        missing.map(|folder| {
            Complaint::at(README, 1, format!("the {HEADING} does not name {folder}"))
        }),
    );
    complaints
}

/// The first text in backticks of each row or item of the crate map.
fn mapped(readme: &str) -> Vec<(usize, &str)> {
    let mut is_map = false;
    let mut found = Vec::new();
    for (index, line) in readme.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            is_map = line.to_lowercase().contains(HEADING);
        } else if is_map && line.starts_with(['|', '-', '*']) {
            let name = line
                .split('`')
                .nth(1)
                .map(|name| name.trim_end_matches('/'));
            found.extend(name.map(|name| (index + 1, name)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    const MANIFESTS: [(&str, &str); 3] = [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"platform-core\", \"platform-core/macros\"]",
        ),
        (
            "platform-core/Cargo.toml",
            "[package]\nname = \"platform-core\"",
        ),
        (
            "platform-core/macros/Cargo.toml",
            "[package]\nname = \"platform-core-macros\"",
        ),
    ];

    fn said_about(readme: &str) -> Vec<String> {
        let mut files = MANIFESTS.to_vec();
        files.push((super::README, readme));
        said(super::check, &files)
    }

    #[test]
    fn a_complete_map_is_accepted() {
        let readme = "# Platform\n- `other`\n## Crate map\n| Crate | For |\n|---|---|\n| [`platform-core/`](x) | `words` |\n| `platform-core-macros` | derives |\n## Next\n- `read`";
        assert_eq!(said_about(readme), Vec::<String>::new());
    }

    #[test]
    fn an_incomplete_map_is_refused() {
        let said = said_about("## The crate map\n- `platform-core`\n- `platform-gone`\n");
        assert_eq!(
            said,
            [
                "README.md:3: platform-gone is no package",
                "README.md:1: the crate map does not name platform-core/macros",
            ]
        );
    }

    #[test]
    fn a_missing_or_long_readme_is_refused() {
        assert_eq!(said(super::check, &MANIFESTS), ["README.md:1: is missing"]);
        let said = said_about(&"\n".repeat(201));
        assert_eq!(said[0], "README.md:200: has 201 lines, at most 200");
    }
}
