//! Crates depend downwards only: macros ← core ← events ← consequences, and no consequence on
//! another.

use crate::manifest::{self, CONSEQUENCES, Member};
use crate::tree::{Complaint, Tree};

/// What each crate may use of the platform. Consequences share the last line.
const MAY_USE: [(&str, &[&str]); 3] = [
    ("platform-core-macros", &[]),
    ("platform-core", &["platform-core-macros"]),
    (
        "platform-events",
        &["platform-core", "platform-core-macros"],
    ),
];
const CONSEQUENCES_MAY_USE: &[&str] = &["platform-core", "platform-core-macros", "platform-events"];
/// Knows no platform crate itself.
const HARNESS: &str = "platform-tests";

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    manifest::members(tree).iter().flat_map(of_member).collect()
}

fn of_member(member: &Member) -> Vec<Complaint> {
    let layer = MAY_USE
        .iter()
        .find(|(name, _)| *name == member.name)
        .map(|(_, allowed)| *allowed);
    let consequence = CONSEQUENCES
        .contains(&member.name.as_str())
        .then_some(CONSEQUENCES_MAY_USE);
    let Some(allowed) = layer.or(consequence) else {
        return Vec::new();
    };
    let upwards = member.entries.iter().filter(|entry| {
        let name = entry.dependency();
        let is_test_tool = name == HARNESS && entry.table.contains("dev-dependencies");
        // A macro's tests need the crate whose derives they try.
        let is_own_test = member.name == "platform-core-macros"
            && name == "platform-core"
            && entry.table.contains("dev-dependencies");
        entry.is_dependency()
            && name.starts_with("platform-")
            && !is_test_tool
            && !is_own_test
            && !allowed.contains(&name)
    });
    upwards
        .map(|entry| {
            let text = format!("{} must not know {}", member.name, entry.dependency());
            Complaint::at(&member.manifest(), entry.line, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn consequences_never_see_each_other() {
        let root = "[workspace]\nmembers = [\"platform-events\", \"platform-notify\"]\n";
        let events = "[package]\nname = \"platform-events\"\n[dependencies]\nplatform-core.workspace = true\nplatform-tasks.workspace = true\n[dev-dependencies]\nplatform-tests.workspace = true\n";
        let notify = "[package]\nname = \"platform-notify\"\n[dev-dependencies.platform-history]\nworkspace = true\n";
        let said = said(
            super::check,
            &[
                ("Cargo.toml", root),
                ("platform-events/Cargo.toml", events),
                ("platform-notify/Cargo.toml", notify),
            ],
        );
        assert_eq!(
            said,
            [
                "platform-events/Cargo.toml:5: platform-events must not know platform-tasks",
                "platform-notify/Cargo.toml:4: platform-notify must not know platform-history",
            ]
        );
    }
}
