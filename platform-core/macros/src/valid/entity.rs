//! The refusals of `derive(Entity)` and `derive(Fields)` that concern the struct as a whole.
//! A kind, an id and a version, each exactly once.

use syn::DeriveInput;

use super::core_path;
use super::field::{Draft, checked, drafts};
use super::names::{WORD_MAX, is_word};
use crate::ast::{Entity, Fields, Member};
use crate::attr::{FieldWords, Role, StructWords};
use crate::ctxt::Ctxt;

/// Reads an entity, or notes what is wrong with it.
pub(crate) fn entity(ctxt: &mut Ctxt, input: &DeriveInput) -> Option<Entity> {
    let words = StructWords::of_entity(ctxt, &input.attrs);
    let kind = kind(ctxt, input, &words);
    let drafts = drafts(ctxt, input, "an entity", FieldWords::of_entity)?;
    let id = required(ctxt, input, &drafts, Role::Id, "names it");
    let version = required(
        ctxt,
        input,
        &drafts,
        Role::Version,
        "grows with every change, a u64",
    );
    let tenant = at_most_one(ctxt, &drafts, Role::Tenant);
    let incarnation = at_most_one(ctxt, &drafts, Role::Incarnation);
    let core = core_path(words.core);
    let fields = Fields {
        ident: input.ident.clone(),
        core,
        fields: checked(ctxt, &drafts),
    };
    Some(Entity {
        fields,
        kind: kind?,
        schema: words.schema,
        id: id?,
        version: version?,
        tenant,
        incarnation,
    })
}

/// Reads a nested struct, or notes what is wrong with it.
pub(crate) fn fields(ctxt: &mut Ctxt, input: &DeriveInput) -> Option<Fields> {
    let words = StructWords::of_nested(ctxt, &input.attrs);
    let drafts = drafts(ctxt, input, "a nested struct", FieldWords::of_nested)?;
    let core = core_path(words.core);
    Some(Fields {
        ident: input.ident.clone(),
        core,
        fields: checked(ctxt, &drafts),
    })
}

fn kind(ctxt: &mut Ctxt, input: &DeriveInput, words: &StructWords) -> Option<String> {
    let Some(kind) = &words.kind else {
        if words.is_complete {
            let mend = "write #[entity(kind = \"order\")] on it: \
                        its stored name, which stays when the type is renamed";
            ctxt.error(&input.ident, format!("the entity has no kind; {mend}"));
        }
        return None;
    };
    if !is_word(&kind.value()) {
        let mend = format!(
            "use lower-case letters, digits and `_`, begin with a letter, \
             at most {WORD_MAX} bytes: order_line"
        );
        ctxt.error(kind, format!("{:?} is no kind; {mend}", kind.value()));
    }
    Some(kind.value())
}

fn required(
    ctxt: &mut Ctxt,
    input: &DeriveInput,
    drafts: &[Draft],
    role: Role,
    what: &str,
) -> Option<Member> {
    let found = at_most_one(ctxt, drafts, role);
    if found.is_none() {
        let word = role.word();
        let message =
            format!("the entity has no {word}; write #[entity({word})] on the field that {what}");
        ctxt.error(&input.ident, message);
    }
    found
}

fn at_most_one(ctxt: &mut Ctxt, drafts: &[Draft], role: Role) -> Option<Member> {
    let mut found = drafts.iter().filter_map(|draft| {
        draft
            .words
            .roles
            .iter()
            .find(|(known, _)| *known == role)
            .map(|(_, span)| (&draft.member, *span))
    });
    let (first, _) = found.next()?;
    for (_, span) in found {
        let message = format!(
            "`{}` is already on the field `{}`; keep one of the two",
            role.word(),
            first.ident
        );
        ctxt.push(syn::Error::new(span, message));
    }
    Some(first.clone())
}
