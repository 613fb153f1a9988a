//! Collects every mistake of one input, so that they are all shown at once.
//! Knows places and messages, and no rule.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Ctxt {
    errors: Option<syn::Error>,
}

impl Ctxt {
    /// Notes a mistake, shown under `tokens`.
    pub(crate) fn error(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Notes a mistake that knows its place.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.errors {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    /// Returns the mistakes as code that shows them, or nothing.
    pub(crate) fn finish(self) -> Option<TokenStream> {
        self.errors.map(syn::Error::into_compile_error)
    }
}
