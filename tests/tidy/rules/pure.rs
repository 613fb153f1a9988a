//! Pure modules stay pure: no tokio, no sqlx, no store.

use crate::source::Source;
use crate::tree::{Complaint, File, Tree};

const PURE: [&str; 9] = [
    "diff", "retry", "codec", "template", "rule", "state", "cron", "cesql", "envelope",
];
/// Folders that do I/O, whatever their files are called.
const IMPURE_FOLDERS: [&str; 3] = ["worker", "dapr", "store"];
const CRATES: [&str; 2] = ["tokio", "sqlx"];
const STORE_TYPES: [&str; 3] = ["Store", "Tx", "Conn"];

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    tree.rust()
        .filter(|(file, _)| is_pure(file))
        .flat_map(|(file, source)| of_file(file, source))
        .collect()
}

fn is_pure(file: &File) -> bool {
    file.is_library()
        && file.names().any(|name| PURE.contains(&name))
        && !file.names().any(|name| IMPURE_FOLDERS.contains(&name))
}

fn of_file(file: &File, source: &Source) -> Vec<Complaint> {
    let tokens = &source.tokens;
    let is_path = |index: usize| {
        let beside = [index.checked_sub(1), Some(index + 1)];
        let beside = beside
            .into_iter()
            .flatten()
            .filter_map(|index| tokens.get(index));
        beside.into_iter().any(|token| token.text == "::")
    };
    let is_foreign = |index: &usize| {
        let text = tokens[*index].text.as_str();
        CRATES.contains(&text)
            || STORE_TYPES.contains(&text)
            || (text == "store" && is_path(*index))
    };
    let complain = |index: usize| {
        let text = format!("a pure module knows no {}", tokens[index].text);
        Complaint::at(&file.path, tokens[index].line, text)
    };
    (0..tokens.len()).filter(is_foreign).map(complain).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn input_and_output_in_a_pure_module_are_refused() {
        let text = "use tokio::time;\nuse crate::store::Row;\nfn a(store: u8, tx: &mut Tx) {}";
        let files = [
            ("platform-events/src/envelope/json.rs", text),
            ("platform-events/src/worker/retry.rs", text),
            ("platform-events/src/log/mod.rs", text),
            ("platform-core/src/retry.rs", "fn after() -> Duration {}"),
        ];
        assert_eq!(
            said(super::check, &files),
            [
                "platform-events/src/envelope/json.rs:1: a pure module knows no tokio",
                "platform-events/src/envelope/json.rs:2: a pure module knows no store",
                "platform-events/src/envelope/json.rs:3: a pure module knows no Tx",
            ]
        );
    }
}
