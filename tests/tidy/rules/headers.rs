//! Every Rust file opens with what it is for.

use crate::tree::{Complaint, Tree};

const ADVICE: &str = "opens with `//!` lines: what it is for and what it must not know";

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let missing = tree.rust().filter(|(file, _)| {
        let first = file
            .text
            .lines()
            .find(|line| !line.trim().is_empty() && !line.starts_with("#!/"));
        let opens = |line: &str| {
            line.strip_prefix("//!")
                .is_some_and(|head| !head.trim().is_empty())
                || line.starts_with("#![doc = include_str!(")
        };
        !first.is_some_and(opens)
    });
    missing
        .map(|(file, _)| Complaint::at(&file.path, 1, ADVICE))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn a_file_without_a_header_is_refused() {
        let files = [
            ("a.rs", "//! Rows.\nfn a() {}"),
            ("b.rs", "#![doc = include_str!(\"../README.md\")]"),
            ("c.rs", "//!\nfn c() {}"),
            ("d.rs", "/// Doc.\nfn d() {}"),
        ];
        let said = said(super::check, &files);
        assert_eq!(said.len(), 2);
        assert!(
            said[0].starts_with("c.rs:1:") && said[1].starts_with("d.rs:1:"),
            "{said:?}"
        );
    }
}
