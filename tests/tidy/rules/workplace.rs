//! The project speaks of the project: not of who wrote it, how, or on which machine.

use crate::tree::{Complaint, Tree};

/// Words, in lower case.
const WORDS: [&str; 7] = [
    "as an ai",
    "claude",
    "chatgpt",
    "language model",
    "coding agent",
    "issue #",
    "pull request #",
];
/// Folders of one machine, in lower case, where a path begins with them.
const FOLDERS: [&str; 4] = [
    "/home/",
    "/users/",
    concat!("/", "work/"),
    concat!("/", "root/"),
];

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(word) = found(line) {
                let text = format!("{word:?} belongs to the workplace, not to the project");
                complaints.push(Complaint::at(&file.path, index + 1, text));
            }
        }
    }
    complaints
}

fn found(line: &str) -> Option<&'static str> {
    let lower = line.to_lowercase();
    let begins = |wanted: &&str, is_inside: fn(char) -> bool| {
        let mut places = lower.match_indices(*wanted);
        places.any(|(at, _)| !lower[..at].chars().next_back().is_some_and(is_inside))
    };
    let word = WORDS
        .into_iter()
        .find(|word| begins(word, char::is_alphanumeric));
    let in_path = |c: char| c.is_alphanumeric() || "._-/~*}>".contains(c);
    word.or_else(|| FOLDERS.into_iter().find(|folder| begins(folder, in_path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn words_of_the_workplace_are_refused() {
        for (line, word) in [
            ("see /home/ada/notes", Some("/home/")),
            ("path = \"/Users/ada/.cargo\"", Some("/users/")),
            ("As an AI I", Some("as an ai")),
            ("fixes issue #12", Some("issue #")),
            ("was an aid to tissue #", None),
            ("examples/home/a and ~/home/b", None),
        ] {
            assert_eq!(found(line), word, "{line}");
        }
    }

    #[test]
    fn every_text_file_is_read() {
        let files = [
            ("README.md", "ok"),
            ("components/a.yaml", "x: 1\npath: /home/x"),
        ];
        let said = said(check, &files);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("components/a.yaml:2:"), "{said:?}");
    }
}
