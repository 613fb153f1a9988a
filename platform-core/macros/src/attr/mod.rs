//! Reads the words of the attributes.
//! Knows the grammar, and not which words go together.

mod entity;
mod event;

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, LitInt, LitStr, Path, Token, parenthesized, token};

pub(crate) use entity::{Class, ClassWord, FieldWords, Role, StructWords};
pub(crate) use event::{EventFieldWords, EventWords};

use crate::ctxt::Ctxt;

/// The words that are allowed at one place.
pub(crate) struct Grammar {
    /// The attribute: `entity`.
    attribute: &'static str,
    /// Where it stands, for messages: `a struct`.
    place: &'static str,
    words: &'static [&'static str],
}

impl Grammar {
    /// Hands every word among `attrs` to `take`, once each; refuses unknown and repeated words.
    /// Answers whether all could be read: only then is a missing word really missing.
    fn read(
        &self,
        ctxt: &mut Ctxt,
        attrs: &[Attribute],
        mut take: impl FnMut(&str, &ParseNestedMeta<'_>) -> syn::Result<()>,
    ) -> bool {
        let (mut seen, mut is_complete) = (Vec::new(), true);
        for attr in attrs
            .iter()
            .filter(|attr| attr.path().is_ident(self.attribute))
        {
            let read = attr.parse_nested_meta(|meta| {
                let word = word(&meta);
                if !self.words.contains(&word.as_str()) {
                    ctxt.error(&meta.path, self.unknown(&word));
                    return skip(meta.input);
                }
                if seen.contains(&word) {
                    ctxt.error(
                        &meta.path,
                        format!("`{word}` is written twice; keep one of the two"),
                    );
                    return skip(meta.input);
                }
                let taken = take(&word, &meta);
                seen.push(word);
                taken
            });
            if let Err(error) = read {
                is_complete = false;
                match attr.meta.require_list() {
                    Ok(_) => ctxt.push(error),
                    Err(_) => ctxt.error(attr, self.wordless()),
                }
            }
        }
        is_complete
    }

    fn wordless(&self) -> String {
        let Self {
            attribute,
            place,
            words,
        } = self;
        format!(
            "words are missing: write #[{attribute}(…)], which knows {} on {place}",
            list(words)
        )
    }

    fn unknown(&self, word: &str) -> String {
        let Self {
            attribute,
            place,
            words,
        } = self;
        format!(
            "unknown word `{word}`; on {place}, #[{attribute}(…)] knows {}",
            list(words)
        )
    }
}

/// Writes words as a list to choose from: `a`, `b` and `c`.
pub(crate) fn list(words: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => "none".to_owned(),
    }
}

fn word(meta: &ParseNestedMeta<'_>) -> String {
    meta.path
        .segments
        .iter()
        .map(|segment| segment.ident.unraw().to_string())
        .collect::<Vec<_>>()
        .join("::")
}

/// Passes over the value of a word that is not understood.
fn skip(input: ParseStream<'_>) -> syn::Result<()> {
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        input.parse::<Expr>()?;
    } else if input.peek(token::Paren) {
        let content;
        parenthesized!(content in input);
        content.parse::<TokenStream>()?;
    }
    Ok(())
}

/// A word that stands alone.
fn flag(meta: &ParseNestedMeta<'_>, word: &str) -> syn::Result<()> {
    if meta.input.is_empty() || meta.input.peek(Token![,]) {
        return Ok(());
    }
    Err(meta.error(format!("`{word}` takes no value; write it alone")))
}

/// A word with a text: `word = "text"`.
fn text(meta: &ParseNestedMeta<'_>, word: &str, example: &str) -> syn::Result<LitStr> {
    let value = meta.value().and_then(|value| value.parse::<LitStr>());
    value.map_err(|error| {
        mended(
            meta,
            &error,
            format!("`{word}` takes a text; write {word} = \"{example}\""),
        )
    })
}

/// A word with a number: `schema = 2`.
fn number(meta: &ParseNestedMeta<'_>, word: &str) -> syn::Result<u32> {
    let value = meta
        .value()
        .and_then(|value| value.parse::<LitInt>()?.base10_parse::<u32>());
    value.map_err(|error| {
        mended(
            meta,
            &error,
            format!("`{word}` takes a number below 2^32; write {word} = 2"),
        )
    })
}

/// The word `crate`, with a path.
fn path(meta: &ParseNestedMeta<'_>) -> syn::Result<Path> {
    let value = meta
        .value()
        .and_then(|value| value.call(Path::parse_mod_style));
    value.map_err(|error| {
        mended(
            meta,
            &error,
            "`crate` takes a path; write crate = my::path".to_owned(),
        )
    })
}

/// The same place, with a message that says how to mend it; the word itself where the place is nowhere.
fn mended(meta: &ParseNestedMeta<'_>, error: &syn::Error, message: String) -> syn::Error {
    if meta.input.is_empty() {
        meta.error(message)
    } else {
        syn::Error::new(error.span(), message)
    }
}
