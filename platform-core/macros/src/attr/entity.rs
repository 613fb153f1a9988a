//! The words of `#[entity(…)]`, on the struct and on its fields.
//! Each word is named here once.

use proc_macro2::{Span, TokenStream};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Attribute, LitStr, Path, parenthesized, token};

use super::{Grammar, flag, number, path, text, word};
use crate::ctxt::Ctxt;

const ENTITY: Grammar = Grammar {
    attribute: "entity",
    place: "an entity",
    words: &["kind", "schema", "crate"],
};
const NESTED: Grammar = Grammar {
    attribute: "entity",
    place: "a nested struct",
    words: &["crate"],
};
const ENTITY_FIELD: Grammar = Grammar {
    attribute: "entity",
    place: "a field of an entity",
    words: &[
        "id",
        "version",
        "tenant",
        "incarnation",
        "public",
        "personal",
        "secret",
        "ignored",
        "nested",
        "rename",
    ],
};
const NESTED_FIELD: Grammar = Grammar {
    attribute: "entity",
    place: "a field of a nested struct",
    words: &[
        "public", "personal", "secret", "ignored", "nested", "rename",
    ],
};

/// The words on the struct.
#[derive(Default)]
pub(crate) struct StructWords {
    pub(crate) kind: Option<LitStr>,
    pub(crate) schema: Option<u32>,
    pub(crate) core: Option<Path>,
    /// Whether every word could be read.
    pub(crate) is_complete: bool,
}

/// The words on one field, each with its place.
#[derive(Default)]
pub(crate) struct FieldWords {
    pub(crate) roles: Vec<(Role, Span)>,
    pub(crate) classes: Vec<ClassWord>,
    pub(crate) nested: Option<Span>,
    pub(crate) rename: Option<LitStr>,
}

/// What a field is for the entity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Id,
    Version,
    Tenant,
    Incarnation,
}

impl Role {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Version => "version",
            Self::Tenant => "tenant",
            Self::Incarnation => "incarnation",
        }
    }
}

/// What a field may show of itself, and where that was written.
pub(crate) struct ClassWord {
    pub(crate) class: Class,
    pub(crate) span: Span,
}

/// What a field may show of itself.
pub(crate) enum Class {
    Public,
    Personal { subject: LitStr },
    Secret,
    Ignored,
}

impl Class {
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Personal { .. } => "personal",
            Self::Secret => "secret",
            Self::Ignored => "ignored",
        }
    }
}

impl StructWords {
    /// Reads the words of an entity.
    pub(crate) fn of_entity(ctxt: &mut Ctxt, attrs: &[Attribute]) -> Self {
        Self::read(ctxt, attrs, &ENTITY)
    }

    /// Reads the words of a nested struct.
    pub(crate) fn of_nested(ctxt: &mut Ctxt, attrs: &[Attribute]) -> Self {
        Self::read(ctxt, attrs, &NESTED)
    }

    fn read(ctxt: &mut Ctxt, attrs: &[Attribute], grammar: &Grammar) -> Self {
        let mut words = Self::default();
        words.is_complete = grammar.read(ctxt, attrs, |word, meta| {
            match word {
                "kind" => words.kind = Some(text(meta, word, "order")?),
                "schema" => words.schema = Some(number(meta, word)?),
                _ => words.core = Some(path(meta)?),
            }
            Ok(())
        });
        words
    }
}

impl FieldWords {
    /// Reads the words of a field of an entity.
    pub(crate) fn of_entity(ctxt: &mut Ctxt, attrs: &[Attribute]) -> Self {
        Self::read(ctxt, attrs, &ENTITY_FIELD)
    }

    /// Reads the words of a field of a nested struct.
    pub(crate) fn of_nested(ctxt: &mut Ctxt, attrs: &[Attribute]) -> Self {
        Self::read(ctxt, attrs, &NESTED_FIELD)
    }

    fn read(ctxt: &mut Ctxt, attrs: &[Attribute], grammar: &Grammar) -> Self {
        let mut words = Self::default();
        grammar.read(ctxt, attrs, |word, meta| words.take(word, meta));
        words
    }

    fn take(&mut self, word: &str, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let span = meta.path.span();
        match word {
            "personal" => {
                let subject = subject(meta)?;
                self.classes.push(ClassWord {
                    class: Class::Personal { subject },
                    span,
                });
                return Ok(());
            }
            "rename" => {
                self.rename = Some(text(meta, word, "name")?);
                return Ok(());
            }
            "nested" => self.nested = Some(span),
            "id" => self.roles.push((Role::Id, span)),
            "version" => self.roles.push((Role::Version, span)),
            "tenant" => self.roles.push((Role::Tenant, span)),
            "incarnation" => self.roles.push((Role::Incarnation, span)),
            "public" => self.classes.push(ClassWord {
                class: Class::Public,
                span,
            }),
            "secret" => self.classes.push(ClassWord {
                class: Class::Secret,
                span,
            }),
            _ => self.classes.push(ClassWord {
                class: Class::Ignored,
                span,
            }),
        }
        flag(meta, word)
    }
}

/// The subject of `personal(subject = "field")`.
fn subject(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    const MEND: &str = "`personal` says whom the value is about; write personal(subject = \"field\"), \
                        where the field holds a pseudonym such as the person's id";
    if !meta.input.peek(token::Paren) {
        return Err(meta.error(MEND));
    }
    let content;
    parenthesized!(content in meta.input);
    let list = content.parse::<TokenStream>()?;
    if list.is_empty() {
        return Err(meta.error(MEND));
    }
    let mut subject = None;
    let read = syn::meta::parser(|inner| {
        let word = word(&inner);
        if word != "subject" {
            return Err(inner.error(format!(
                "unknown word `{word}`; personal(…) knows `subject`"
            )));
        }
        if subject.is_some() {
            return Err(inner.error("`subject` is written twice; a value is about one person"));
        }
        subject = Some(text(&inner, &word, "field")?);
        Ok(())
    });
    read.parse2(list)?;
    subject.ok_or_else(|| meta.error(MEND))
}
