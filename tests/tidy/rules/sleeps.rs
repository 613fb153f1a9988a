//! Tests do not sleep: they poll with a bound or use a clock of their own.

use crate::tree::{Complaint, Tree};

const SLEEPS: [&str; 3] = ["sleep", "sleep_until", "sleep_ms"];
const ADVICE: &str = "a test waits with platform_tests::eventually or on a paused clock";

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (file, source) in tree.rust() {
        let lines = SLEEPS
            .into_iter()
            .flat_map(|name| source.lines_of(&[name, "("]));
        let lines = lines.filter(|line| file.is_test() || source.is_test_line(*line));
        complaints.extend(lines.map(|line| Complaint::at(&file.path, line, ADVICE)));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn a_sleeping_test_is_refused() {
        let text =
            "fn a() { sleep(x) }\n#[cfg(test)]\nmod tests { fn b() { tokio::time::sleep(x) } }";
        let said = said(
            super::check,
            &[("a/src/b.rs", text), ("a/tests/c.rs", text)],
        );
        let places: Vec<_> = said
            .iter()
            .map(|text| text.split(": ").next().unwrap())
            .collect();
        assert_eq!(places, ["a/src/b.rs:3", "a/tests/c.rs:1", "a/tests/c.rs:3"]);
    }
}
