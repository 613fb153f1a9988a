//! Time in SQL comes from the view `platform_time`, so that a test can move it and an index can be
//! searched by it. Only the migration that defines the view reads the database's clock.

use crate::tree::{Complaint, File, Tree, has_extension};

const CALLS: [&str; 9] = [
    "now()",
    "clock_timestamp()",
    "statement_timestamp()",
    "transaction_timestamp()",
    "current_timestamp",
    "localtimestamp",
    "unixepoch(",
    "julianday('now'",
    "datetime('now'",
];
const DEFINITION: &str = "view platform_time";

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    tree.files
        .iter()
        .filter(|file| file.is_library())
        .flat_map(of_file)
        .collect()
}

fn of_file(file: &File) -> Vec<Complaint> {
    let texts: Vec<(usize, &str)> = match file.source() {
        Some(source) => source
            .texts
            .iter()
            .filter(|text| !source.is_test_line(text.line))
            .map(|text| (text.line, text.value.as_str()))
            .collect(),
        None if has_extension(&file.path, "sql") => vec![(1, file.text.as_str())],
        None => Vec::new(),
    };
    texts
        .into_iter()
        .filter_map(|(line, text)| {
            let call = clock_in(text)?;
            let advice = format!("{call}: time in SQL is (select now from platform_time)");
            Some(Complaint::at(&file.path, line, advice))
        })
        .collect()
}

/// The clock that a statement reads.
fn clock_in(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    if text.contains(DEFINITION) {
        return None;
    }
    CALLS.into_iter().find(|call| {
        text.match_indices(call).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn a_clock_in_sql_is_refused() {
        for (text, found) in [
            ("select * from t where due <= now()", Some("now()")),
            (
                "insert into t values (CURRENT_TIMESTAMP)",
                Some("current_timestamp"),
            ),
            ("select unixepoch('subsec')", Some("unixepoch(")),
            (
                "create view platform_time as select clock_timestamp() as now",
                None,
            ),
            (
                "select * from t where due <= (select now from platform_time)",
                None,
            ),
            ("select known()", None),
        ] {
            assert_eq!(clock_in(text), found, "{text}");
        }
    }

    #[test]
    fn statements_in_code_and_files_are_read() {
        let code = "const A: &str = \"select now()\";\n#[cfg(test)]\nmod tests { const B: &str = \"select now()\"; }";
        let files = [
            ("platform-tasks/src/queue/postgres.rs", code),
            (
                "platform-tasks/migrations/sqlite/1.sql",
                "select datetime('now')",
            ),
            ("tests/stories/main.rs", code),
        ];
        let said = said(check, &files);
        assert_eq!(said.len(), 2);
        assert!(
            said[1].starts_with("platform-tasks/migrations/sqlite/1.sql:1: datetime"),
            "{said:?}"
        );
    }
}
