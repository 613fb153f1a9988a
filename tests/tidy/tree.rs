//! The files of the workspace as rules see them: paths from the root, text, parsed Rust.
//! It must not know any rule.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fmt, fs, io};

use crate::source::Source;

/// Rules speak about what is written by hand.
const SKIPPED_FOLDERS: [&str; 2] = ["target", "node_modules"];
const SKIPPED_FILES: [&str; 1] = ["Cargo.lock"];
/// Hidden folders that hold files of ours.
const HIDDEN_FOLDERS: [&str; 2] = [".ci", ".github"];

/// What a rule found.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) path: String,
    line: usize,
    text: String,
}

impl Complaint {
    pub(crate) fn at(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// A text file.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// What a `.rs` file says; an error if it cannot be parsed.
    rust: Option<syn::Result<Source>>,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        // What the compiler is meant to refuse is data of a test.
        let is_rust = has_extension(path, "rs") && !path.contains("/ui/");
        let rust = is_rust.then(|| Source::parse(text));
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            rust,
        }
    }

    /// The parsed file, if it is Rust and can be parsed.
    pub(crate) fn source(&self) -> Option<&Source> {
        self.rust.as_ref().and_then(|parsed| parsed.as_ref().ok())
    }

    /// Why a Rust file cannot be parsed.
    pub(crate) fn syntax_error(&self) -> Option<&syn::Error> {
        self.rust.as_ref().and_then(|parsed| parsed.as_ref().err())
    }

    /// The names on the way: `platform-core`, `src`, `store`, and for the file `sqlite`.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let (path, _) = self.path.rsplit_once('.').unwrap_or((&self.path, ""));
        path.split('/')
    }

    /// The file's name without its extension.
    pub(crate) fn stem(&self) -> &str {
        self.names().last().unwrap_or_default()
    }

    /// Where it lies, without a slash at the end; empty for the root.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// Whether it only holds tests: a file in a folder `tests` or `benches`, or `tests.rs`.
    pub(crate) fn is_test(&self) -> bool {
        self.names()
            .any(|name| name == "tests" || name == "benches")
    }

    /// Whether it belongs to a library crate of the platform, without its tests.
    pub(crate) fn is_library(&self) -> bool {
        self.path.starts_with("platform-") && !self.is_test()
    }
}

/// All files, in the order of their paths.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    /// Names of files and folders at the top, hidden ones and `target` left out.
    pub(crate) entries: BTreeSet<String>,
}

impl Tree {
    /// Reads the workspace.
    pub(crate) fn load(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        collect(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut entries = BTreeSet::new();
        for entry in fs::read_dir(root)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && name != "target" {
                entries.insert(name);
            }
        }
        Ok(Self { files, entries })
    }

    /// A small tree for a rule's own test.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let top = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
        Self {
            files: files
                .iter()
                .map(|(path, text)| File::new(path, text))
                .collect(),
            entries: files.iter().map(|(path, _)| top(path)).collect(),
        }
    }

    /// The Rust files that can be parsed.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files
            .iter()
            .filter_map(|file| Some((file, file.source()?)))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, found)| found == extension)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            let is_hidden = name.starts_with('.') && !HIDDEN_FOLDERS.contains(&name.as_str());
            if !is_hidden && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                collect(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if !SKIPPED_FILES.contains(&name.as_str()) {
            match fs::read_to_string(entry.path()) {
                Ok(text) => files.push(File::new(&path, &text)),
                // Not text, a link to a folder, or gone since the folder was read.
                Err(error) if is_no_text(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn is_no_text(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory, NotFound};
    matches!(error.kind(), InvalidData | IsADirectory | NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_knows_its_place() {
        let tree = Tree::of(&[("platform-core/src/store/sqlite.rs", "//! Rows.")]);
        let file = &tree.files[0];
        assert_eq!(file.stem(), "sqlite");
        assert_eq!(file.folder(), "platform-core/src/store");
        assert_eq!(
            file.names().collect::<Vec<_>>(),
            ["platform-core", "src", "store", "sqlite"]
        );
        assert!(file.is_library() && !file.is_test());
    }

    #[test]
    fn the_whole_workspace_is_read() {
        let tree = Tree::load(&crate::root()).unwrap();
        assert!(
            tree.file("tests/tidy/tree.rs")
                .is_some_and(|file| file.source().is_some())
        );
        assert!(tree.entries.contains("Cargo.toml") && !tree.entries.contains("target"));
    }
}
