//! The little of a `Cargo.toml` that rules ask about, read line by line.
//! It must not know what is a good manifest.

use crate::tree::Tree;

/// The consequence crates, which know nothing of each other.
pub(crate) const CONSEQUENCES: [&str; 3] =
    ["platform-history", "platform-notify", "platform-tasks"];

/// One `key = value`, with the table it stands in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) table: String,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) line: usize,
}

impl Entry {
    /// Whether it names a dependency, of whatever kind.
    pub(crate) fn is_dependency(&self) -> bool {
        self.table.split('.').any(|name| {
            matches!(
                name,
                "dependencies" | "dev-dependencies" | "build-dependencies"
            )
        })
    }

    /// What it depends on: of `tokio.workspace = true` and `[dependencies.tokio]` as well.
    pub(crate) fn dependency(&self) -> &str {
        let own_table = self.table.split_once("dependencies.").map(|(_, name)| name);
        own_table.unwrap_or_else(|| self.key.split('.').next().unwrap_or_default())
    }
}

/// Reads the entries of a manifest; a value that spans lines is joined.
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    let mut table = String::new();
    let mut found: Vec<Entry> = Vec::new();
    let mut depth = 0_usize;
    for (index, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if depth > 0 {
            if let Some(entry) = found.last_mut() {
                entry.value.push_str(line);
            }
        } else if line.starts_with('[') {
            table = line.trim_matches(['[', ']']).to_owned();
            continue;
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            found.push(Entry {
                table: table.clone(),
                key,
                value,
                line: index + 1,
            });
        }
        depth += line.matches(['[', '{']).count();
        depth = depth.saturating_sub(line.matches([']', '}']).count());
    }
    found
}

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its folder: `platform-core/macros`.
    pub(crate) folder: String,
    /// Its name: `platform-core-macros`.
    pub(crate) name: String,
    pub(crate) entries: Vec<Entry>,
}

impl Member {
    /// Where its manifest is.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

/// The packages that the root manifest names.
pub(crate) fn members(tree: &Tree) -> Vec<Member> {
    let root = tree
        .file("Cargo.toml")
        .map(|file| entries(&file.text))
        .unwrap_or_default();
    let list = root
        .into_iter()
        .find(|entry| entry.table == "workspace" && entry.key == "members");
    let list = list.map(|entry| entry.value).unwrap_or_default();
    quoted(&list).map(|folder| member(tree, folder)).collect()
}

fn member(tree: &Tree, folder: &str) -> Member {
    let manifest = tree.file(&format!("{folder}/Cargo.toml"));
    let entries = manifest.map(|file| entries(&file.text)).unwrap_or_default();
    let name = entries
        .iter()
        .find(|entry| entry.table == "package" && entry.key == "name");
    let name = name
        .map(|entry| entry.value.trim_matches('"').to_owned())
        .unwrap_or_default();
    Member {
        folder: folder.to_owned(),
        name,
        entries,
    }
}

/// The texts in quotes.
pub(crate) fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_over_several_lines_are_joined() {
        let found = entries(
            "[workspace]\nmembers = [\n  \"a\", # first\n  \"b/c\",\n]\nresolver = \"3\"\n",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(quoted(&found[0].value).collect::<Vec<_>>(), ["a", "b/c"]);
        assert_eq!((found[1].key.as_str(), found[1].line), ("resolver", 6));
    }

    #[test]
    fn a_dependency_is_found_in_every_form() {
        let text = "[dependencies]\na.workspace = true\nb = \"1\"\n[dev-dependencies.c]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nd = {}\n[features]\ne = []";
        let found = entries(text);
        let names: Vec<_> = found
            .iter()
            .filter(|entry| entry.is_dependency())
            .map(Entry::dependency)
            .collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }
}
