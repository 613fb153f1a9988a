//! Every Rust file can be parsed: what cannot be is seen by no other rule.

use crate::tree::{Complaint, Tree};

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let broken = tree
        .files
        .iter()
        .filter_map(|file| Some((file, file.syntax_error()?)));
    broken
        .map(|(file, error)| {
            Complaint::at(
                &file.path,
                error.span().start().line,
                format!("does not parse: {error}"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn a_broken_file_is_refused() {
        let said = said(super::check, &[("a.rs", "fn ok() {}"), ("b.rs", "\nfn (")]);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("b.rs:2: does not parse"), "{said:?}");
    }
}
