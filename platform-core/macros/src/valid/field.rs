//! The refusals of single fields, for entities and nested structs.
//! What a field may be called, what it may show, and whom it may be about.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Attribute, DeriveInput, LitStr};

use super::named_fields;
use super::names::{WORD_MAX, is_stored_name, secret_word, unordered};
use crate::ast::{Field, Form, Member};
use crate::attr::{Class, ClassWord, FieldWords, Role, list};
use crate::ctxt::Ctxt;

/// A field with its words, not yet checked.
pub(super) struct Draft {
    pub(super) member: Member,
    name: String,
    pub(super) words: FieldWords,
}

/// Reads the fields of a struct with their words.
pub(super) fn drafts(
    ctxt: &mut Ctxt,
    input: &DeriveInput,
    what: &str,
    read: impl Fn(&mut Ctxt, &[Attribute]) -> FieldWords,
) -> Option<Vec<Draft>> {
    let mut drafts = Vec::new();
    for field in named_fields(ctxt, input, what)? {
        let Some(ident) = field.ident.clone() else {
            continue;
        };
        let words = read(ctxt, &field.attrs);
        let name = words
            .rename
            .as_ref()
            .map_or_else(|| ident.unraw().to_string(), LitStr::value);
        drafts.push(Draft {
            member: Member {
                ident,
                ty: field.ty.clone(),
            },
            name,
            words,
        });
    }
    Some(drafts)
}

/// Checks each field, alone and among the others.
pub(super) fn checked(ctxt: &mut Ctxt, drafts: &[Draft]) -> Vec<Field> {
    let mut fields = Vec::new();
    for (at, draft) in drafts.iter().enumerate() {
        stored_name(ctxt, draft, drafts.get(..at).unwrap_or_default());
        one_class(ctxt, draft);
        roles(ctxt, draft);
        sounds_secret(ctxt, draft);
        has_order(ctxt, draft);
        let form = form(ctxt, draft, drafts);
        fields.push(Field {
            member: draft.member.clone(),
            name: draft.name.clone(),
            form,
        });
    }
    fields
}

fn stored_name(ctxt: &mut Ctxt, draft: &Draft, before: &[Draft]) {
    let (name, ident) = (&draft.name, &draft.member.ident);
    if let Some(rename) = draft
        .words
        .rename
        .as_ref()
        .filter(|_| !is_stored_name(name))
    {
        let mend = format!("use letters, digits, `_` and `-`, 1 to {WORD_MAX} bytes");
        ctxt.error(rename, format!("{name:?} is no stored name; {mend}"));
    }
    let Some(other) = before.iter().find(|other| other.name == *name) else {
        return;
    };
    let message = format!(
        "`{}` is stored as {name:?} too; rename one of the two",
        other.member.ident.unraw()
    );
    match &draft.words.rename {
        Some(rename) => ctxt.error(rename, message),
        None => ctxt.error(ident, message),
    }
}

fn one_class(ctxt: &mut Ctxt, draft: &Draft) {
    let Some((first, rest)) = draft.words.classes.split_first() else {
        return;
    };
    for ClassWord { class, span } in rest {
        let (one, two) = (first.class.word(), class.word());
        let message = format!("the field is `{one}` and `{two}`; keep one of the two");
        ctxt.push(syn::Error::new(*span, message));
    }
    if let Some(span) = draft.words.nested {
        let word = first.class.word();
        let message = format!(
            "`nested` and `{word}` do not go together: a nested struct classifies its own fields; \
             drop `{word}`, or drop `nested` to store the struct as one value"
        );
        ctxt.push(syn::Error::new(span, message));
    }
}

/// What names and orders an entity is one visible value.
fn roles(ctxt: &mut Ctxt, draft: &Draft) {
    let Some(((role, _), rest)) = draft.words.roles.split_first() else {
        return;
    };
    for (other, span) in rest {
        // The tenant itself can be an entity.
        if ![role, other]
            .iter()
            .all(|role| matches!(role, Role::Id | Role::Tenant))
        {
            let (one, two) = (role.word(), other.word());
            let message =
                format!("a field cannot be both `{one}` and `{two}`; give each its own field");
            ctxt.push(syn::Error::new(*span, message));
        }
    }
    for word in &draft.words.classes {
        role_class(ctxt, &draft.words.roles, word);
    }
    if let Some(span) = draft.words.nested {
        let word = role.word();
        let message = format!("the {word} is one value and cannot be `nested`; drop `nested`");
        ctxt.push(syn::Error::new(span, message));
    }
}

fn role_class(ctxt: &mut Ctxt, roles: &[(Role, Span)], ClassWord { class, span }: &ClassWord) {
    let allowed = |role: Role| match role {
        Role::Id => ["public", "personal"].as_slice(),
        Role::Version | Role::Tenant | Role::Incarnation => &["public"],
    };
    let refusing = roles
        .iter()
        .find(|(role, _)| !allowed(*role).contains(&class.word()));
    if let Some((role, _)) = refusing {
        let (role, class, allowed) = (role.word(), class.word(), list(allowed(*role)));
        let message = format!(
            "the {role} is in every event and cannot be `{class}`; what goes with `{role}`: {allowed}"
        );
        ctxt.push(syn::Error::new(*span, message));
    }
}

fn sounds_secret(ctxt: &mut Ctxt, draft: &Draft) {
    if !draft.words.classes.is_empty() || draft.words.nested.is_some() {
        return;
    }
    let ident = &draft.member.ident;
    let message = |name: &str, word: &str| {
        format!(
            "`{name}` sounds like a secret ({word}) and would be stored in the clear; \
             write #[entity(secret)], or #[entity(public)] if it is meant to be seen"
        )
    };
    let name = ident.unraw().to_string();
    if let Some(word) = secret_word(&name) {
        ctxt.error(ident, message(&name, &word));
    } else if let (Some(rename), Some(word)) = (&draft.words.rename, secret_word(&draft.name)) {
        ctxt.error(rename, message(&draft.name, &word));
    }
}

/// Values are compared as text, so equal values must have equal text.
fn has_order(ctxt: &mut Ctxt, draft: &Draft) {
    let is_ignored = draft
        .words
        .classes
        .iter()
        .any(|word| matches!(word.class, Class::Ignored));
    if let Some(name) = unordered(&draft.member.ty).filter(|_| !is_ignored) {
        let ordered = name.replace("Hash", "BTree");
        let message = format!(
            "a {name} has no order, so that equal values would look changed; use a {ordered}, \
             or write #[entity(ignored)]"
        );
        ctxt.error(&draft.member.ty, message);
    }
}

fn form(ctxt: &mut Ctxt, draft: &Draft, drafts: &[Draft]) -> Form {
    if draft.words.nested.is_some() {
        return Form::Nested;
    }
    if draft
        .words
        .roles
        .iter()
        .any(|(role, _)| *role == Role::Version)
    {
        return Form::Version;
    }
    match draft.words.classes.first().map(|word| &word.class) {
        None | Some(Class::Public) => Form::Public,
        Some(Class::Secret) => Form::Secret,
        Some(Class::Ignored) => Form::Ignored,
        Some(Class::Personal { subject }) => personal(ctxt, subject, drafts),
    }
}

/// The subject is another field of the same struct, stored in the clear as one value, or the id itself.
fn personal(ctxt: &mut Ctxt, subject: &LitStr, drafts: &[Draft]) -> Form {
    let name = subject.value();
    let found = drafts
        .iter()
        .find(|draft| draft.member.ident.unraw() == name);
    if let Some(draft) = found.filter(|draft| can_be_subject(draft)) {
        return Form::Personal {
            subject: draft.member.ident.clone(),
        };
    }
    let problem = match found {
        Some(_) => "cannot be one, since it is shown in the clear",
        None => "is no field of the struct",
    };
    let choice: Vec<String> = drafts
        .iter()
        .filter(|draft| can_be_subject(draft))
        .map(|draft| draft.member.ident.unraw().to_string())
        .collect();
    let choice = list(&choice);
    ctxt.error(
        subject,
        format!("the subject {name:?} {problem}; the fields to choose from: {choice}"),
    );
    Form::Public
}

fn can_be_subject(draft: &Draft) -> bool {
    let FieldWords {
        roles,
        classes,
        nested,
        ..
    } = &draft.words;
    let is = |wanted: Role| roles.iter().any(|(role, _)| *role == wanted);
    let is_clear = classes
        .iter()
        .all(|word| matches!(word.class, Class::Public));
    is(Role::Id) || (is_clear && nested.is_none() && !is(Role::Version) && !is(Role::Incarnation))
}
