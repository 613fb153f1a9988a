//! Comments say why: no code that was switched off, and no TODO without a reason.

use crate::source::Source;
use crate::tree::{Complaint, Tree};

const MARKS: [&str; 2] = ["TODO", "FIXME"];
const REASON_WORDS_MIN: usize = 4;

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let complaints = |(file, source): (&crate::tree::File, &Source)| {
        let complain = |comment: &crate::source::Text| {
            let advice = if lacks_reason(&comment.value) {
                "a TODO says what is missing and why it may wait"
            } else if is_code(&comment.value) {
                "code that is switched off goes; the history keeps it"
            } else {
                return None;
            };
            Some(Complaint::at(&file.path, comment.line, advice))
        };
        source
            .comments
            .iter()
            .filter_map(complain)
            .collect::<Vec<_>>()
    };
    tree.rust().flat_map(complaints).collect()
}

fn lacks_reason(comment: &str) -> bool {
    let text = comment.trim_start_matches(['/', '!', ' ']);
    let task = MARKS.into_iter().find_map(|mark| text.strip_prefix(mark));
    task.is_some_and(|task| {
        let words = task
            .split_whitespace()
            .filter(|word| word.chars().any(char::is_alphabetic));
        words.count() < REASON_WORDS_MIN
    })
}

/// A line that ends as code does and can be parsed. Documentation may show code.
fn is_code(comment: &str) -> bool {
    let line = comment.trim();
    if comment.starts_with(['/', '!']) || !line.contains(['(', '=', ':', '{']) {
        return false;
    }
    let statement = match line.chars().last() {
        Some(';') => line.to_owned(),
        Some('{') => format!("{line} }}"),
        _ => return false,
    };
    syn::parse_str::<syn::Item>(&statement).is_ok()
        || syn::parse_str::<syn::Block>(&format!("{{ {statement} }}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn switched_off_code_is_refused() {
        for code in [
            " let x = 1;",
            " use std::fmt;",
            " fn old() {",
            " self.call(1)?;",
            "if a == b {",
        ] {
            assert!(is_code(code), "{code}");
        }
        for prose in [
            " rows first, ids second;",
            " see f(x).",
            "/ let x = 1;",
            " a set {",
            " done;",
        ] {
            assert!(!is_code(prose), "{prose}");
        }
    }

    #[test]
    fn a_todo_needs_a_reason() {
        let text =
            "// TODO\nfn a() {} // TODO: later\n// TODO: wait for the index of the next release\n";
        let said = said(check, &[("a.rs", text)]);
        assert_eq!(said.len(), 2);
        assert!(said[1].starts_with("a.rs:2: a TODO says"), "{said:?}");
    }
}
