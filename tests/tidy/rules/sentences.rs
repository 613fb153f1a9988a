//! Tests are sentences: at least three words in lower snake case.

use crate::source::Source;
use crate::tree::{Complaint, File, Tree};

const WORDS_MIN: usize = 3;

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    tree.rust()
        .flat_map(|(file, source)| of_file(file, source))
        .collect()
}

fn of_file(file: &File, source: &Source) -> Vec<Complaint> {
    let wrong = tests(source)
        .into_iter()
        .filter(|(name, _)| !is_sentence(name));
    wrong
        .map(|(name, line)| {
            Complaint::at(
                &file.path,
                line,
                format!("{name}: a test's name is a sentence"),
            )
        })
        .collect()
}

fn is_sentence(name: &str) -> bool {
    let is_lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(is_lower)
        && name.split('_').filter(|word| !word.is_empty()).count() >= WORDS_MIN
}

/// Functions under an attribute that ends in `test`, also inside of macros, and told stories.
fn tests(source: &Source) -> Vec<(&str, usize)> {
    let tokens = &source.tokens;
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    for index in 0..tokens.len() {
        if text(index) == "each_backend" && text(index + 1) == "!" {
            let names = tokens[index + 3..]
                .iter()
                .take_while(|token| token.text != ")");
            let names = names.filter(|token| token.text != "," && !token.text.starts_with('$'));
            found.extend(names.map(|token| (token.text.as_str(), token.line)));
        }
        let closes = text(index) == "test" && ["]", "("].contains(&text(index + 1));
        let opens = ["[", "::"].contains(&text(index.wrapping_sub(1)));
        if closes && opens {
            let function = (index..tokens.len()).find(|next| text(*next) == "fn");
            let name = function.and_then(|function| tokens.get(function + 1));
            found.extend(name.map(|name| (name.text.as_str(), name.line)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn a_test_that_is_no_sentence_is_refused() {
        let text = "#[test]\nfn roundtrip() {}\n#[tokio::test(start_paused = true)]\nasync fn works_well() {}\n#[test]\nfn a_copy_equals_its_source() {}\nproptest! { #[test]\nfn prop(x: u8) {} }\neach_backend!(story, a_long_story);\n#[cfg(test)]\nmod tests { fn helper() {} }";
        let said = said(super::check, &[("a.rs", text)]);
        assert_eq!(
            said,
            [
                "a.rs:2: roundtrip: a test's name is a sentence",
                "a.rs:4: works_well: a test's name is a sentence",
                "a.rs:8: prop: a test's name is a sentence",
                "a.rs:9: story: a test's name is a sentence",
            ]
        );
    }
}
