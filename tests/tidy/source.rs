//! A Rust file as rules see it: its syntax, its tokens in a row, its texts, comments and functions,
//! each with its line. It must not know where the file lies.

use std::mem;
use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, LineColumn, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A parsed file.
pub(crate) struct Source {
    pub(crate) syntax: syn::File,
    /// All tokens but documentation, groups opened, `::` as one.
    pub(crate) tokens: Vec<Token>,
    /// Every string literal; the pieces of a `concat!` as one.
    pub(crate) texts: Vec<Text>,
    /// What follows `//`, documentation as well.
    pub(crate) comments: Vec<Text>,
    /// Functions in the order of their lines, closures left out.
    pub(crate) functions: Vec<Function>,
    tests: Vec<RangeInclusive<usize>>,
}

/// One token.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A text and the line it begins on.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) line: usize,
}

/// A function or method.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// From the line of `fn` to the line of the closing brace.
    pub(crate) lines: RangeInclusive<usize>,
    /// Without `self`.
    pub(crate) parameters: usize,
    /// Whether another file can call it, by itself or through a trait.
    pub(crate) is_visible: bool,
}

impl Source {
    /// Reads a file.
    pub(crate) fn parse(text: &str) -> syn::Result<Self> {
        let syntax = syn::parse_file(text)?;
        // A first line for the shell is no Rust.
        let body = if syntax.shebang.is_some() {
            text.split_once('\n').map_or("", |x| x.1)
        } else {
            text
        };
        let mut flat = Flat::default();
        flat.add(body.parse::<TokenStream>()?);
        let mut found = Found::default();
        found.visit_file(&syntax);
        found
            .functions
            .sort_by_key(|function| *function.lines.start());
        Ok(Self {
            syntax,
            comments: comments(text, &flat.literals),
            tokens: flat.tokens,
            texts: flat.texts,
            functions: found.functions,
            tests: found.tests,
        })
    }

    /// The lines on which the tokens of `pattern` follow each other.
    pub(crate) fn lines_of(&self, pattern: &[&str]) -> Vec<usize> {
        self.tokens
            .windows(pattern.len())
            .filter(|window| {
                window
                    .iter()
                    .zip(pattern)
                    .all(|(token, text)| token.text == *text)
            })
            .map(|window| window[0].line)
            .collect()
    }

    /// Whether a line belongs to a `#[cfg(test)]` module.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// The innermost function around a line.
    pub(crate) fn function_at(&self, line: usize) -> Option<&Function> {
        self.functions
            .iter()
            .rev()
            .find(|function| function.lines.contains(&line))
    }
}

/// Collects tokens and literals.
#[derive(Default)]
struct Flat {
    tokens: Vec<Token>,
    texts: Vec<Text>,
    literals: Vec<RangeInclusive<LineColumn>>,
}

impl Flat {
    fn add(&mut self, stream: TokenStream) {
        let mut trees = stream.into_iter().peekable();
        while let Some(tree) = trees.next() {
            let line = tree.span().start().line;
            match tree {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let bang = trees.next_if(|next| is_punct(next, '!'));
                    if trees.next_if(is_documentation).is_none() {
                        self.push("#", line);
                        bang.iter().for_each(|_| self.push("!", line));
                    }
                }
                TokenTree::Punct(punct) => {
                    let is_path = punct.as_char() == ':'
                        && trees.next_if(|next| is_punct(next, ':')).is_some();
                    self.push(
                        if is_path {
                            "::".to_owned()
                        } else {
                            punct.to_string()
                        },
                        line,
                    );
                }
                TokenTree::Ident(ident) => {
                    self.push(ident.to_string(), line);
                }
                TokenTree::Literal(literal) => self.literal(&literal),
                TokenTree::Group(group) => self.group(&group),
            }
        }
    }

    fn group(&mut self, group: &proc_macro2::Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        let is_concat = self.ends_with(&["concat", "!"]);
        let first_text = self.texts.len();
        self.push(open, group.span_open().start().line);
        self.add(group.stream());
        self.push(close, group.span_close().start().line);
        if is_concat {
            let pieces: Vec<Text> = self.texts.drain(first_text..).collect();
            let value = pieces.iter().map(|piece| piece.value.as_str()).collect();
            self.texts.push(Text {
                value,
                line: group.span_open().start().line,
            });
        }
    }

    fn literal(&mut self, literal: &proc_macro2::Literal) {
        let (start, end) = (literal.span().start(), literal.span().end());
        self.push(literal.to_string(), start.line);
        self.literals.push(start..=end);
        if let syn::Lit::Str(text) = syn::Lit::new(literal.clone()) {
            self.texts.push(Text {
                value: text.value(),
                line: start.line,
            });
        }
    }

    fn push(&mut self, text: impl Into<String>, line: usize) {
        self.tokens.push(Token {
            text: text.into(),
            line,
        });
    }

    fn ends_with(&self, pattern: &[&str]) -> bool {
        let end = self.tokens.iter().rev().zip(pattern.iter().rev());
        self.tokens.len() >= pattern.len()
            && end.into_iter().all(|(token, text)| token.text == *text)
    }
}

fn is_punct(tree: &TokenTree, expected: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == expected)
}

/// Comments of the kind `///` and `//!` reach the parser as `[doc = "…"]`.
fn is_documentation(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else {
        return false;
    };
    let first = group.stream().into_iter().next();
    matches!(first, Some(TokenTree::Ident(ident)) if ident == "doc")
}

/// Finds functions and test modules.
#[derive(Default)]
struct Found {
    functions: Vec<Function>,
    tests: Vec<RangeInclusive<usize>>,
    is_in_trait_impl: bool,
}

impl Found {
    fn add(&mut self, signature: &syn::Signature, block: Option<&syn::Block>, is_visible: bool) {
        let start = signature.fn_token.span.start().line;
        let end = block.map_or_else(
            || signature.span().end().line,
            |block| block.brace_token.span.close().end().line,
        );
        let parameters = signature
            .inputs
            .iter()
            .filter(|input| !matches!(input, syn::FnArg::Receiver(_)));
        self.functions.push(Function {
            name: signature.ident.to_string(),
            lines: start..=end,
            parameters: parameters.count(),
            is_visible,
        });
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, Some(&item.block), is_visible(&item.vis));
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let outer = mem::replace(&mut self.is_in_trait_impl, item.trait_.is_some());
        visit::visit_item_impl(self, item);
        self.is_in_trait_impl = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let is_visible = self.is_in_trait_impl || is_visible(&item.vis);
        self.add(&item.sig, Some(&item.block), is_visible);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.add(&item.sig, item.default.as_ref(), true);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_test_only(&item.attrs) {
            self.tests
                .push(item.span().start().line..=item.span().end().line);
        }
        visit::visit_item_mod(self, item);
    }
}

fn is_visible(visibility: &syn::Visibility) -> bool {
    !matches!(visibility, syn::Visibility::Inherited)
}

/// Whether an item exists in tests alone.
fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute
            .meta
            .require_list()
            .map(|list| list.tokens.to_string());
        attribute.path().is_ident("cfg")
            && condition.is_ok_and(|condition| {
                let mut words = condition.split(|c: char| !c.is_alphanumeric());
                words.clone().any(|word| word == "test") && words.all(|word| word != "not")
            })
    })
}

/// The comments of a file: what follows the first `//` of a line outside of every literal.
fn comments(text: &str, literals: &[RangeInclusive<LineColumn>]) -> Vec<Text> {
    let in_literal = |place: LineColumn| {
        literals
            .iter()
            .any(|range| *range.start() <= place && place < *range.end())
    };
    let comment = |(index, line): (usize, &str)| {
        let start = line
            .match_indices("//")
            .map(|(byte, _)| byte)
            .find(|byte| {
                let column = line[..*byte].chars().count();
                !in_literal(LineColumn {
                    line: index + 1,
                    column,
                })
            })?;
        Some(Text {
            value: line[start + 2..].to_owned(),
            line: index + 1,
        })
    };
    text.lines().enumerate().filter_map(comment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r##"//! Head.
/// Doc about `Utc::now`.
fn first(&self, a: u8) { // why
    let url = "http://x";
    concat!("a ", "b");
    "
    // no comment
    ";
}
#[cfg(test)]
mod tests {
    fn second() {}
}
"##;

    #[test]
    fn documentation_is_comment_and_not_token() {
        let source = Source::parse(SAMPLE).unwrap();
        assert!(source.lines_of(&["Utc", "::", "now"]).is_empty());
        let comments: Vec<_> = source
            .comments
            .iter()
            .map(|c| (c.line, c.value.trim()))
            .collect();
        assert_eq!(
            comments,
            [(1, "! Head."), (2, "/ Doc about `Utc::now`."), (3, "why")]
        );
    }

    #[test]
    fn pieces_of_a_concat_are_one_text() {
        let source = Source::parse(SAMPLE).unwrap();
        let texts: Vec<_> = source.texts.iter().map(|text| text.value.trim()).collect();
        assert_eq!(texts, ["http://x", "a b", "// no comment"]);
        assert_eq!(source.lines_of(&["concat", "!", "("]), [5]);
    }

    #[test]
    fn functions_know_their_lines_and_parameters() {
        let source = Source::parse(SAMPLE).unwrap();
        let first = source.function_at(4).unwrap();
        assert_eq!(
            (first.name.as_str(), first.lines.clone(), first.parameters),
            ("first", 3..=9, 1)
        );
        assert!(!source.is_test_line(4) && source.is_test_line(12));
    }
}
