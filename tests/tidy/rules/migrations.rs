//! A migration exists for both databases: `migrations/sqlite` and `migrations/postgres` hold files
//! of equal names.

use std::collections::BTreeMap;

use crate::tree::{Complaint, Tree};

const SIDES: [&str; 2] = ["sqlite", "postgres"];

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut steps: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for file in &tree.files {
        let Some((home, rest)) = file.path.split_once("/migrations/") else {
            continue;
        };
        if let Some((side, name)) = rest
            .split_once('/')
            .filter(|(side, _)| SIDES.contains(side))
        {
            steps.entry((home, name)).or_default().push(side);
        }
    }
    let lonely = steps
        .into_iter()
        .filter(|(_, sides)| sides.len() < SIDES.len());
    lonely
        .map(|((home, name), sides)| {
            let path = format!("{home}/migrations/{}/{name}", sides.concat());
            Complaint::at(&path, 1, "has no twin for the other database")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn a_step_for_one_database_is_refused() {
        let files = [
            ("platform-events/migrations/sqlite/1_log.sql", ""),
            ("platform-events/migrations/postgres/1_log.sql", ""),
            ("platform-events/migrations/postgres/2_id.sql", ""),
            ("platform-tasks/migrations/sqlite/2_id.sql", ""),
        ];
        let said = said(super::check, &files);
        assert_eq!(said.len(), 2);
        assert!(
            said[0].starts_with("platform-events/migrations/postgres/2_id.sql:1:"),
            "{said:?}"
        );
        assert!(
            said[1].starts_with("platform-tasks/migrations/sqlite/2_id.sql:1:"),
            "{said:?}"
        );
    }
}
