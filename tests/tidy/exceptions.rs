//! What may break a rule, and why. The list may only shrink: an entry that no complaint needs any
//! more is itself a complaint.

/// One file that one rule leaves alone.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) rule: &'static str,
    pub(crate) path: &'static str,
    /// For the reader.
    #[expect(dead_code, reason = "an exception without a reason is none")]
    pub(crate) reason: &'static str,
}

impl Exception {
    /// Whether this exception answers a complaint.
    pub(crate) fn covers(&self, rule: &str, path: &str) -> bool {
        self.rule == rule && self.path == path
    }
}

pub(crate) const ALL: &[Exception] = &[
    Exception {
        rule: "sql_time",
        path: "platform-core/src/store/migrate.rs",
        reason: "the table of migrations is there before the migration that makes platform_time",
    },
    Exception {
        rule: "workplace",
        path: "tests/tidy/rules/workplace.rs",
        reason: "the list of the words has to contain them",
    },
    Exception {
        rule: "sleeps",
        path: "tests/src/eventually.rs",
        reason: "the one place that polls, so that no other has to",
    },
];
