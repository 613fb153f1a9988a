//! Writes the code.
//! Knows nothing of attributes: what comes in is right.

mod entity;
mod event;

use proc_macro2::Span;
use syn::spanned::Spanned;

pub(crate) use entity::{entity, fields};
pub(crate) use event::event;

use crate::ast::Member;

impl Member {
    /// Where errors about the field's type are shown; names are still those of the derive.
    fn span(&self) -> Span {
        Span::call_site().located_at(self.ty.span())
    }
}
