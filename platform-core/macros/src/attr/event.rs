//! The words of `#[event(…)]`, on the struct and on its fields.
//! Each word is named here once.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Attribute, LitStr, Path};

use super::{Grammar, flag, number, path, text};
use crate::ctxt::Ctxt;

const EVENT: Grammar = Grammar {
    attribute: "event",
    place: "an event",
    words: &["type", "schema", "keyless", "crate"],
};
const EVENT_FIELD: Grammar = Grammar {
    attribute: "event",
    place: "a field of an event",
    words: &["key", "tenant"],
};

/// The words on the struct.
#[derive(Default)]
pub(crate) struct EventWords {
    pub(crate) name: Option<LitStr>,
    pub(crate) schema: Option<u32>,
    pub(crate) keyless: Option<Span>,
    pub(crate) events: Option<Path>,
    /// Whether every word could be read.
    pub(crate) is_complete: bool,
}

/// The words on one field, each with its place.
#[derive(Default)]
pub(crate) struct EventFieldWords {
    pub(crate) key: Option<Span>,
    pub(crate) tenant: Option<Span>,
}

impl EventWords {
    /// Reads the words of an event.
    pub(crate) fn of(ctxt: &mut Ctxt, attrs: &[Attribute]) -> Self {
        let mut words = Self::default();
        words.is_complete = EVENT.read(ctxt, attrs, |word, meta| {
            match word {
                "type" => words.name = Some(text(meta, word, "invoice.overdue")?),
                "schema" => words.schema = Some(number(meta, word)?),
                "keyless" => {
                    words.keyless = Some(meta.path.span());
                    flag(meta, word)?;
                }
                _ => words.events = Some(path(meta)?),
            }
            Ok(())
        });
        words
    }
}

impl EventFieldWords {
    /// Reads the words of a field of an event.
    pub(crate) fn of(ctxt: &mut Ctxt, attrs: &[Attribute]) -> Self {
        let mut words = Self::default();
        EVENT_FIELD.read(ctxt, attrs, |word, meta| {
            let span = Some(meta.path.span());
            match word {
                "key" => words.key = span,
                _ => words.tenant = span,
            }
            flag(meta, word)
        });
        words
    }
}
