//! The clock is read in `clock.rs` alone, and random ids are made in `key.rs` or `id.rs` alone.

use crate::tree::{Complaint, Tree};

/// Calls, and the files that may make them.
const SOURCES: [(&[&str], &[&str], &str); 5] = [
    (
        &["Utc", "::", "now"],
        &["clock"],
        "read the clock in clock.rs",
    ),
    (
        &["Local", "::", "now"],
        &["clock"],
        "read the clock in clock.rs",
    ),
    (
        &["SystemTime", "::", "now"],
        &["clock"],
        "read the clock in clock.rs",
    ),
    (
        &["Uuid", "::", "now_v7"],
        &["key", "id"],
        "make ids in key.rs or id.rs",
    ),
    (
        &["Uuid", "::", "new_v4"],
        &["key", "id"],
        "make ids in key.rs or id.rs",
    ),
];

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (file, source) in tree.rust() {
        for (call, homes, advice) in SOURCES {
            if !homes.contains(&file.stem()) {
                let lines = source.lines_of(call).into_iter();
                let told = format!("{}: {advice}", call.concat());
                complaints.extend(lines.map(|line| Complaint::at(&file.path, line, &told)));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn a_clock_read_elsewhere_is_refused() {
        let text =
            "fn now() { let a = chrono::Utc::now(); call(SystemTime::now); Uuid::now_v7(); }";
        let said = said(
            super::check,
            &[("x/clock.rs", text), ("x/key.rs", text), ("x/log.rs", text)],
        );
        assert_eq!(
            said,
            [
                "x/clock.rs:1: Uuid::now_v7: make ids in key.rs or id.rs",
                "x/key.rs:1: Utc::now: read the clock in clock.rs",
                "x/key.rs:1: SystemTime::now: read the clock in clock.rs",
                "x/log.rs:1: Utc::now: read the clock in clock.rs",
                "x/log.rs:1: SystemTime::now: read the clock in clock.rs",
                "x/log.rs:1: Uuid::now_v7: make ids in key.rs or id.rs",
            ]
        );
    }
}
