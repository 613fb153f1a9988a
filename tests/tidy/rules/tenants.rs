//! A statement on a table of tenants names the tenant. One that is meant for all of them says so,
//! with the comment `-- all tenants: reason`.

use crate::tree::{Complaint, Tree};

/// Tables in which every row belongs to a tenant.
const TABLES: [&str; 3] = ["platform_entry", "platform_notification", "platform_task"];
/// What stands before the table in a statement that reads or writes rows.
const BEFORE_TABLE: [&str; 6] = ["from", "into", "update", "join", "using", "only"];
const MARKER: &str = "-- all tenants:";

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (file, source) in tree.rust().filter(|(file, _)| file.is_library()) {
        for text in source
            .texts
            .iter()
            .filter(|text| !source.is_test_line(text.line))
        {
            if let Some(table) = forgets_tenant(&text.value) {
                let advice =
                    format!("a statement on {table} names the tenant, or says `{MARKER} reason`");
                complaints.push(Complaint::at(&file.path, text.line, advice));
            }
        }
    }
    complaints
}

/// The table of tenants that a statement uses without naming the tenant.
fn forgets_tenant(statement: &str) -> Option<&'static str> {
    let statement = statement.to_lowercase();
    let reason = statement
        .split_once(MARKER)
        .and_then(|(_, rest)| rest.lines().next());
    if reason.is_some_and(|reason| !reason.trim().is_empty()) {
        return None;
    }
    let words: Vec<&str> = statement
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    if words.contains(&"tenant") {
        return None;
    }
    let uses = |table: &&str| {
        words
            .windows(2)
            .any(|pair| BEFORE_TABLE.contains(&pair[0]) && pair[1] == *table)
    };
    TABLES.into_iter().find(uses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn a_statement_without_its_tenant_is_refused() {
        for (statement, table) in [
            (
                "select id from platform_entry where kind = $1",
                Some("platform_entry"),
            ),
            (
                "UPDATE platform_task\nSET done = true",
                Some("platform_task"),
            ),
            (
                "select id from platform_entry where tenant = $1 and kind = $2",
                None,
            ),
            ("delete from platform_task -- all tenants: retention", None),
            (
                "delete from platform_task -- all tenants:",
                Some("platform_task"),
            ),
            ("create table platform_task (id bigint)", None),
            ("select 1 from platform_task_run", None),
        ] {
            assert_eq!(forgets_tenant(statement), table, "{statement}");
        }
    }

    #[test]
    fn a_statement_may_be_put_together() {
        let text = "const A: &str = concat!(\"select id from platform_task \", \"where tenant = $1\");\nconst B: &str = \"select id from platform_task\";";
        let said = said(check, &[("platform-tasks/src/queue/sqlite.rs", text)]);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with("platform-tasks/src/queue/sqlite.rs:2: a statement on"),
            "{said:?}"
        );
    }
}
