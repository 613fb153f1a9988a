//! Every refusal: what leaves here is right, what is wrong is noted with the way to mend it.
//! Writes no code, and goes on after a mistake to find the others.

mod entity;
mod event;
mod field;
mod names;

use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Field, Fields, Path, parse_quote};

pub(crate) use entity::{entity, fields};
pub(crate) use event::event;

use crate::ctxt::Ctxt;

/// Where `platform_core` is.
pub(crate) fn core_path(path: Option<Path>) -> Path {
    path.unwrap_or_else(|| parse_quote!(::platform_core))
}

/// Where `platform_events` is.
pub(crate) fn events_path(path: Option<Path>) -> Path {
    path.unwrap_or_else(|| parse_quote!(::platform_events))
}

/// The fields of a struct with named fields and no parameters; `what` is meant to be one.
fn named_fields<'a>(ctxt: &mut Ctxt, input: &'a DeriveInput, what: &str) -> Option<Vec<&'a Field>> {
    if !input.generics.params.is_empty() {
        let mend = "write a struct of concrete types, or implement the trait by hand";
        ctxt.error(
            &input.generics,
            format!("{what} cannot be generic: it has one stored form; {mend}"),
        );
    }
    let (keyword, shape) = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields.named.iter().collect()),
            Fields::Unnamed(fields) => (fields.span(), "a tuple struct"),
            Fields::Unit => (input.ident.span(), "a unit struct"),
        },
        Data::Enum(data) => (data.enum_token.span(), "an enum"),
        Data::Union(data) => (data.union_token.span(), "a union"),
    };
    let mend = format!(
        "stored fields have names; write struct {} {{ … }}, or implement the trait by hand",
        input.ident
    );
    ctxt.push(syn::Error::new(
        keyword,
        format!("{what} cannot be {shape}: {mend}"),
    ));
    None
}
