//! The environment is read in functions called `from_env`, in tests and in build scripts.

use crate::tree::{Complaint, Tree};

const READS: [&str; 4] = ["var", "var_os", "vars", "vars_os"];

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (file, source) in tree
        .rust()
        .filter(|(file, _)| !file.is_test() && file.stem() != "build")
    {
        for line in READS
            .into_iter()
            .flat_map(|read| source.lines_of(&["env", "::", read]))
        {
            let is_named = source
                .function_at(line)
                .is_some_and(|found| found.name == "from_env");
            if !is_named && !source.is_test_line(line) {
                let advice = "read the environment in a function called from_env";
                complaints.push(Complaint::at(&file.path, line, advice));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn the_environment_is_read_in_from_env() {
        let text = "fn from_env() { std::env::var(\"A\"); }\nfn other() { env::var_os(\"A\"); }\n#[cfg(test)]\nmod tests { fn a() { std::env::var(\"B\"); } }";
        let files = [
            ("x/src/a.rs", text),
            ("x/tests/a.rs", text),
            ("x/build.rs", text),
        ];
        let said = said(super::check, &files);
        assert_eq!(
            said,
            ["x/src/a.rs:2: read the environment in a function called from_env"]
        );
    }
}
