//! All rules, one file each. A rule reads files and answers complaints; it keeps nothing.

mod clock;
mod comments;
mod environment;
mod headers;
mod imports;
mod layers;
mod migrations;
mod names;
mod parsing;
mod ports;
mod pure;
mod reachable;
mod readme;
mod sentences;
mod sizes;
mod sleeps;
mod spawning;
mod sql_time;
mod tenants;
mod top_level;
mod versions;
mod workplace;

use crate::tree::{Complaint, Tree};

/// A rule.
pub(crate) type Check = fn(&Tree) -> Vec<Complaint>;

/// Every rule with the name by which exceptions call it.
pub(crate) const ALL: &[(&str, Check)] = &[
    ("clock", clock::check),
    ("comments", comments::check),
    ("environment", environment::check),
    ("headers", headers::check),
    ("imports", imports::check),
    ("layers", layers::check),
    ("migrations", migrations::check),
    ("names", names::check),
    ("parsing", parsing::check),
    ("ports", ports::check),
    ("pure", pure::check),
    ("reachable", reachable::check),
    ("readme", readme::check),
    ("sentences", sentences::check),
    ("sizes", sizes::check),
    ("sleeps", sleeps::check),
    ("spawning", spawning::check),
    ("sql_time", sql_time::check),
    ("tenants", tenants::check),
    ("top_level", top_level::check),
    ("versions", versions::check),
    ("workplace", workplace::check),
];

/// What a rule says about a small tree, for its own test.
#[cfg(test)]
fn said(check: Check, files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files))
        .iter()
        .map(ToString::to_string)
        .collect()
}
