//! Files, functions, parameter lists and crate roots stay small enough to be read at once.

use syn::UseTree;

use crate::source::Source;
use crate::tree::{Complaint, File, Tree};

const ROOT_LINES_MAX: usize = 100;
const MODULE_LINES_MAX: usize = 500;
const TEST_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const PARAMETERS_MAX: usize = 5;
const EXPORTS_MAX: usize = 25;

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (file, source) in tree.rust() {
        complaints.extend(lines(file, source));
        complaints.extend(functions(file, source));
        if is_root(file) {
            complaints.extend(exports(file, source));
        }
    }
    complaints
}

fn is_root(file: &File) -> bool {
    file.path.ends_with("src/lib.rs")
}

fn lines(file: &File, source: &Source) -> Option<Complaint> {
    // The harness under tests/src is a library like any other.
    let is_test = file.is_test() && !file.path.starts_with("tests/src/");
    let (what, max) = match (is_root(file), is_test) {
        (true, _) => ("crate root without docs", ROOT_LINES_MAX),
        (_, true) => ("test file", TEST_LINES_MAX),
        (_, false) => ("module without tests", MODULE_LINES_MAX),
    };
    let numbered = file
        .text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_start()));
    let counted = numbered.filter(|(number, line)| {
        let is_cover_page = is_root(file) && (line.is_empty() || line.starts_with("//"));
        let is_left_out = !is_test && source.is_test_line(*number);
        !is_cover_page && !is_left_out
    });
    over(file, 1, what, "lines", (counted.count(), max))
}

fn functions(file: &File, source: &Source) -> Vec<Complaint> {
    let check = |function: &crate::source::Function| {
        let (start, end) = (*function.lines.start(), *function.lines.end());
        let name = format!("fn {}", function.name);
        let length = over(
            file,
            start,
            &name,
            "lines",
            (end - start + 1, FUNCTION_LINES_MAX),
        );
        let width = over(
            file,
            start,
            &name,
            "parameters",
            (function.parameters, PARAMETERS_MAX),
        );
        length.into_iter().chain(width)
    };
    source.functions.iter().flat_map(check).collect()
}

fn exports(file: &File, source: &Source) -> Vec<Complaint> {
    let mut names = 0;
    let mut complaints = Vec::new();
    for item in &source.syntax.items {
        let syn::Item::Use(item) = item else { continue };
        if matches!(item.vis, syn::Visibility::Public(_)) {
            let (found, globs) = leaves(&item.tree);
            names += found;
            if globs > 0 {
                let line = item.use_token.span.start().line;
                complaints.push(Complaint::at(
                    &file.path,
                    line,
                    "a root names what it exports",
                ));
            }
        }
    }
    complaints.extend(over(
        file,
        1,
        "crate root",
        "exported names",
        (names, EXPORTS_MAX),
    ));
    complaints
}

/// The names and the globs of a `use`.
fn leaves(tree: &UseTree) -> (usize, usize) {
    match tree {
        UseTree::Path(path) => leaves(&path.tree),
        UseTree::Name(_) | UseTree::Rename(_) => (1, 0),
        UseTree::Glob(_) => (0, 1),
        UseTree::Group(group) => group
            .items
            .iter()
            .map(leaves)
            .fold((0, 0), |(names, globs), (name, glob)| {
                (names + name, globs + glob)
            }),
    }
}

fn over(
    file: &File,
    line: usize,
    what: &str,
    unit: &str,
    (count, max): (usize, usize),
) -> Option<Complaint> {
    let text = format!("{what} has {count} {unit}, at most {max}: split by idea");
    (count > max).then(|| Complaint::at(&file.path, line, text))
}

#[cfg(test)]
mod tests {
    use crate::rules::said;

    #[test]
    fn large_files_are_refused() {
        let root = "//! Doc.\n".repeat(200) + &"mod a;\n".repeat(101);
        let module = "//! Doc.\n".repeat(501);
        let tested = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}",
            "\n".repeat(500),
            "\n".repeat(400)
        );
        let test = "\n".repeat(801);
        let files = [
            ("a/src/lib.rs", root.as_str()),
            ("a/src/b.rs", &module),
            ("a/src/c.rs", &tested),
            ("a/tests/d.rs", &test),
            ("tests/src/e.rs", &module),
        ];
        assert_eq!(
            said(super::check, &files),
            [
                "a/src/lib.rs:1: crate root without docs has 101 lines, at most 100: split by idea",
                "a/src/b.rs:1: module without tests has 501 lines, at most 500: split by idea",
                "a/tests/d.rs:1: test file has 801 lines, at most 800: split by idea",
                "tests/src/e.rs:1: module without tests has 501 lines, at most 500: split by idea",
            ]
        );
    }

    #[test]
    fn long_and_wide_functions_are_refused() {
        let text = format!(
            "fn long() {{\n{}}}\nimpl X {{ fn wide(&self, a: A, b: A, c: A, d: A, e: A, f: A) {{}} }}\nfn fits(a: A, b: A, c: A, d: A, e: A) {{\n{}}}",
            "a();\n".repeat(69),
            "a();\n".repeat(68)
        );
        assert_eq!(
            said(super::check, &[("a/src/b.rs", &text)]),
            [
                "a/src/b.rs:1: fn long has 71 lines, at most 70: split by idea",
                "a/src/b.rs:72: fn wide has 6 parameters, at most 5: split by idea",
            ]
        );
    }

    #[test]
    fn a_root_with_many_names_is_refused() {
        let names: Vec<String> = (0..26).map(|n| format!("N{n}")).collect();
        let text = format!(
            "pub use a::{{{}}};\nuse b::C;\npub use d::*;",
            names.join(", ")
        );
        assert_eq!(
            said(super::check, &[("a/src/lib.rs", &text)]),
            [
                "a/src/lib.rs:3: a root names what it exports",
                "a/src/lib.rs:1: crate root has 26 exported names, at most 25: split by idea",
            ]
        );
    }
}
