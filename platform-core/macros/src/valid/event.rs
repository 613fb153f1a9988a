//! The refusals of `derive(Event)`.
//! A stored type, and a key or the word that there is none.

use proc_macro2::Span;
use syn::DeriveInput;

use super::names::is_dotted;
use super::{events_path, named_fields};
use crate::ast::{Event, Member};
use crate::attr::{EventFieldWords, EventWords};
use crate::ctxt::Ctxt;

/// Reads an event, or notes what is wrong with it.
pub(crate) fn event(ctxt: &mut Ctxt, input: &DeriveInput) -> Option<Event> {
    let words = EventWords::of(ctxt, &input.attrs);
    let name = name(ctxt, input, &words);
    let fields = named_fields(ctxt, input, "an event")?;
    let (mut keys, mut tenants) = (Vec::new(), Vec::new());
    for field in fields {
        let Some(ident) = field.ident.clone() else {
            continue;
        };
        let member = Member {
            ident,
            ty: field.ty.clone(),
        };
        let field_words = EventFieldWords::of(ctxt, &field.attrs);
        keys.extend(field_words.key.map(|span| (member.clone(), span)));
        tenants.extend(field_words.tenant.map(|span| (member, span)));
    }
    let key = key(ctxt, input, &words, keys);
    let tenant = at_most_one(ctxt, "tenant", tenants);
    let (events, schema) = (events_path(words.events), words.schema);
    Some(Event {
        ident: input.ident.clone(),
        events,
        name: name?,
        schema,
        key,
        tenant,
    })
}

fn name(ctxt: &mut Ctxt, input: &DeriveInput, words: &EventWords) -> Option<String> {
    let Some(name) = &words.name else {
        if words.is_complete {
            let mend = "write #[event(type = \"invoice.overdue\")] on it: what happened, in the past tense";
            ctxt.error(
                &input.ident,
                format!("the event has no stored type; {mend}"),
            );
        }
        return None;
    };
    if !is_dotted(&name.value()) {
        let mend = "use lower-case words with dots between them, such as invoice.overdue";
        ctxt.error(name, format!("{:?} is no event type; {mend}", name.value()));
    }
    Some(name.value())
}

/// An event names its key, or says that it has none.
fn key(
    ctxt: &mut Ctxt,
    input: &DeriveInput,
    words: &EventWords,
    keys: Vec<(Member, Span)>,
) -> Option<Member> {
    match (words.keyless, keys.is_empty()) {
        (Some(span), false) => {
            let message = "the event is `keyless` and names a `key`; \
                           keep the key to have its events in order, \
                           or `keyless` when their order does not matter";
            ctxt.push(syn::Error::new(span, message));
        }
        (None, true) if words.is_complete => {
            let message = "the event has no key: events with the same key are handled in order; \
                           write #[event(key)] \
                           on the field that names what it is about, or #[event(keyless)] on the struct";
            ctxt.error(&input.ident, message);
        }
        _ => {}
    }
    at_most_one(ctxt, "key", keys)
}

fn at_most_one(ctxt: &mut Ctxt, word: &str, members: Vec<(Member, Span)>) -> Option<Member> {
    let mut members = members.into_iter();
    let (first, _) = members.next()?;
    for (_, span) in members {
        let message = format!(
            "`{word}` is already on the field `{}`; keep one of the two",
            first.ident
        );
        ctxt.push(syn::Error::new(span, message));
    }
    Some(first)
}
