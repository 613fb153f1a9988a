//! Names say what a thing is: no type, module or file named after a drawer, and no macro left over
//! from writing.

use syn::visit::{self, Visit};

use crate::source::Source;
use crate::tree::{Complaint, File, Tree};

const IN_TYPES: [&str; 5] = ["Manager", "Helper", "Helpers", "Util", "Utils"];
const MODULES: [&str; 7] = [
    "util", "utils", "common", "helper", "helpers", "imp", "types",
];
const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];

pub(crate) fn check(tree: &Tree) -> Vec<Complaint> {
    tree.rust()
        .flat_map(|(file, source)| of_file(file, source))
        .collect()
}

fn of_file(file: &File, source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if let Some(drawer) = file.names().find(|name| MODULES.contains(name)) {
        complaints.push(Complaint::at(
            &file.path,
            1,
            format!("{drawer} is a drawer, not a name"),
        ));
    }
    let mut declared = Declared::default();
    declared.visit_file(&source.syntax);
    for ident in declared.idents {
        let name = ident.to_string();
        if words(&name).any(|word| IN_TYPES.contains(&word)) || MODULES.contains(&name.as_str()) {
            let line = ident.span().start().line;
            complaints.push(Complaint::at(
                &file.path,
                line,
                format!("{name} says nothing: name its work"),
            ));
        }
    }
    for name in MACROS {
        let lines = source.lines_of(&[name, "!"]).into_iter();
        let text = format!("{name}! is for work in progress");
        complaints.extend(lines.map(|line| Complaint::at(&file.path, line, &text)));
    }
    complaints
}

/// `HttpUtil` is made of `Http` and `Util`.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = name
        .char_indices()
        .filter(|(_, c)| c.is_uppercase())
        .map(|(at, _)| at)
        .collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([name.len()]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| &name[start..end])
}

/// The names a file gives to types and modules.
#[derive(Default)]
struct Declared {
    idents: Vec<syn::Ident>,
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.idents.push(item.ident.clone());
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.idents.push(item.ident.clone());
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.idents.push(item.ident.clone());
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.idents.push(item.ident.clone());
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.idents.push(item.ident.clone());
        visit::visit_item_mod(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    #[test]
    fn drawers_and_leftovers_are_refused() {
        let text = "struct LaneManager;\nmod utils {}\nfn a() { todo!() }\nstruct Utility;\nfn b(x: other::PoolManager) {}";
        let said = said(check, &[("a.rs", text), ("x/common/b.rs", "")]);
        assert_eq!(
            said,
            [
                "a.rs:1: LaneManager says nothing: name its work",
                "a.rs:2: utils says nothing: name its work",
                "a.rs:3: todo! is for work in progress",
                "x/common/b.rs:1: common is a drawer, not a name",
            ]
        );
    }

    #[test]
    fn a_type_name_is_cut_at_its_capitals() {
        assert_eq!(words("HTTPUtil").last(), Some("Util"));
        assert_eq!(words("Utility").collect::<Vec<_>>(), ["Utility"]);
    }
}
