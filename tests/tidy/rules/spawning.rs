//! Tasks are spawned by workers, relays, runners and the service, which also end them.

use crate::tree::{Complaint, Tree};

const HOMES: [&str; 4] = ["worker", "relay", "runner", "service"];
const CALLS: [&[&str]; 3] = [
    &["tokio", "::", "spawn"],
    &["task", "::", "spawn"],
    &["task", "::", "spawn_local"],
];
const ADVICE: &str = "tasks are spawned in worker, relay, runner and service modules only";

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (file, source) in tree.rust() {
        let may_spawn = file.is_test()
            || file.path.starts_with("examples/")
            || file.names().any(|name| HOMES.contains(&name));
        let lines = CALLS.into_iter().flat_map(|call| source.lines_of(call));
        let lines = lines.filter(|line| !may_spawn && !source.is_test_line(*line));
        complaints.extend(lines.map(|line| Complaint::at(&file.path, line, ADVICE)));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn a_task_spawned_elsewhere_is_refused() {
        let text =
            "fn a() { tokio::spawn(x); }\n#[cfg(test)]\nmod tests { fn b() { tokio::spawn(x); } }";
        let files = [
            ("platform-events/src/worker/lane.rs", text),
            ("platform-events/src/service.rs", text),
            ("examples/orders/src/main.rs", text),
            ("tests/stories/main.rs", text),
            ("platform-events/src/publisher.rs", text),
        ];
        let said = said(super::check, &files);
        assert_eq!(
            said,
            [format!(
                "platform-events/src/publisher.rs:1: {}",
                super::ADVICE
            )]
        );
    }
}
