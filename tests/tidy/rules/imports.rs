//! sqlx stays in the store and in `sqlite.rs` and `postgres.rs`; the Dapr client stays in files and
//! folders called `dapr`.

use crate::source::Source;
use crate::tree::{Complaint, File, Tree};

const STORE: &str = "platform-core/src/store/";

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    tree.rust()
        .flat_map(|(file, source)| of_file(file, source))
        .collect()
}

fn of_file(file: &File, source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let may_sqlx = file.path.starts_with(STORE) || ["sqlite", "postgres"].contains(&file.stem());
    if !may_sqlx {
        let advice = "sqlx is used in the store, sqlite.rs and postgres.rs only";
        let lines = source.lines_of(&["sqlx"]).into_iter();
        complaints.extend(lines.map(|line| Complaint::at(&file.path, line, advice)));
    }
    if !file.names().any(|name| name == "dapr") {
        let advice = "the Dapr client is used in files and folders called dapr only";
        let lines = dapr_client(source).into_iter();
        complaints.extend(lines.map(|line| Complaint::at(&file.path, line, advice)));
    }
    complaints
}

/// Paths that begin with the crate `dapr`; a module of that name declared here is not the crate.
fn dapr_client(source: &Source) -> Vec<usize> {
    let tokens = &source.tokens;
    if !source.lines_of(&["mod", "dapr"]).is_empty() {
        return Vec::new();
    }
    let starts_path = |index: usize| {
        tokens[index].text == "dapr"
            && tokens.get(index + 1).is_some_and(|next| next.text == "::")
            && (index == 0 || tokens[index - 1].text != "::")
    };
    (0..tokens.len())
        .filter(|index| starts_path(*index))
        .map(|index| tokens[index].line)
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn sqlx_outside_of_the_store_is_refused() {
        let text = "use sqlx::PgConnection;";
        let files = [
            ("platform-core/src/store/tx.rs", text),
            ("platform-events/src/log/sqlite.rs", text),
            ("tests/stories/postgres.rs", text),
            ("platform-events/src/worker/lane.rs", text),
            (
                "examples/orders/src/main.rs",
                "fn main() { call!(sqlx::query) }",
            ),
        ];
        let said = said(super::check, &files);
        assert_eq!(said.len(), 2);
        assert!(
            said[0].starts_with("platform-events/src/worker/lane.rs:1: sqlx"),
            "{said:?}"
        );
    }

    #[test]
    fn the_dapr_client_stays_at_home() {
        let files = [
            (
                "platform-events/src/transport/dapr/stream.rs",
                "use dapr::Client;",
            ),
            (
                "platform-events/src/transport/mod.rs",
                "mod dapr; pub use dapr::Dapr;",
            ),
            (
                "platform-events/src/relay.rs",
                "use crate::transport::dapr::Dapr;",
            ),
            (
                "platform-events/src/worker.rs",
                "fn a() { dapr::connect() }",
            ),
        ];
        let said = said(super::check, &files);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with("platform-events/src/worker.rs:1: the Dapr"),
            "{said:?}"
        );
    }
}
