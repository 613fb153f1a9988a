//! The derives of Platform. Use them through the crates that own the traits, `platform_core::{Entity, Fields}`
//! and `platform_events::Event`: their docs list the words and show what is written by hand.
//!
//! Stages: `attr` reads the words, `valid` refuses with every mistake at once, `expand` writes the code, and
//! `fallback` writes a stub beside the errors so that one mistake does not cause others.

mod ast;
mod attr;
mod ctxt;
mod expand;
mod fallback;
mod valid;

use proc_macro::TokenStream;
use syn::DeriveInput;

use crate::ctxt::Ctxt;

/// Implements `platform_core::Entity` and `platform_core::Fields` for a struct with named fields.
#[proc_macro_derive(Entity, attributes(entity))]
pub fn derive_entity(input: TokenStream) -> TokenStream {
    derive(input, valid::entity, expand::entity, fallback::entity)
}

/// Implements `platform_core::Fields` for a struct with named fields.
#[proc_macro_derive(Fields, attributes(entity))]
pub fn derive_fields(input: TokenStream) -> TokenStream {
    derive(input, valid::fields, expand::fields, fallback::fields)
}

/// Implements `platform_events::Event` for a struct with named fields.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    derive(input, valid::event, expand::event, fallback::event)
}

type Code = proc_macro2::TokenStream;

fn derive<T>(
    input: TokenStream,
    valid: impl Fn(&mut Ctxt, &DeriveInput) -> Option<T>,
    expand: impl Fn(&T) -> Code,
    fallback: impl Fn(&DeriveInput) -> Code,
) -> TokenStream {
    let input = match syn::parse::<DeriveInput>(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error().into(),
    };
    let mut ctxt = Ctxt::default();
    let model = valid(&mut ctxt, &input);
    match (ctxt.finish(), model) {
        (None, Some(model)) => expand(&model).into(),
        (errors, _) => {
            let stub = fallback(&input);
            quote::quote!(#errors #stub).into()
        }
    }
}
