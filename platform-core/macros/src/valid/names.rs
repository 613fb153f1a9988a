//! The rules of stored names, and which field names sound like secrets.
//! Pure: text in, answers out.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;

/// The greatest length of a kind, of each part of an event type, and of a stored name, in bytes.
pub(super) const WORD_MAX: usize = 63;

/// Names that are kept secret, as words between underscores.
const SECRETS: [&[&str]; 10] = [
    &["password"],
    &["passwd"],
    &["secret"],
    &["token"],
    &["api", "key"],
    &["apikey"],
    &["private", "key"],
    &["credential"],
    &["cvv"],
    &["pin"],
];

/// `[a-z][a-z0-9_]*`, bounded.
pub(super) fn is_word(text: &str) -> bool {
    text.len() <= WORD_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Two or more words with dots between them.
pub(super) fn is_dotted(text: &str) -> bool {
    text.contains('.') && text.split('.').all(is_word)
}

/// Letters, digits, `_` and `-`, bounded.
pub(super) fn is_stored_name(text: &str) -> bool {
    (1..=WORD_MAX).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// The word that makes `name` sound like a secret, in the singular or with an s.
pub(super) fn secret_word(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name
        .split(['_', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    let is_secret = |spoken: &[&str], secret: &[&str]| {
        spoken
            .iter()
            .zip(secret)
            .all(|(word, secret)| word.strip_suffix('s').unwrap_or(word) == *secret)
    };
    SECRETS
        .into_iter()
        .find(|secret| {
            words
                .windows(secret.len())
                .any(|spoken| is_secret(spoken, secret))
        })
        .map(|secret| secret.join("_"))
}

/// The name of a collection without an order inside the type, if there is one.
pub(super) fn unordered(ty: &Type) -> Option<String> {
    fn find(tokens: TokenStream) -> Option<String> {
        tokens.into_iter().find_map(|token| match token {
            TokenTree::Ident(ident) => {
                Some(ident.to_string()).filter(|name| name == "HashMap" || name == "HashSet")
            }
            TokenTree::Group(group) => find(group.stream()),
            _ => None,
        })
    }
    find(ty.to_token_stream())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_sound_like_secrets_are_found_by_whole_words() {
        for name in [
            "token",
            "payment_token",
            "api_key",
            "stripe_api_keys",
            "PIN",
            "x_private_key_x",
            "credentials",
        ] {
            assert!(secret_word(name).is_some(), "{name}");
        }
        for name in [
            "tokenizer",
            "pinned",
            "key",
            "api",
            "shipping",
            "secretary",
            "private_parts_key",
            "",
        ] {
            assert_eq!(secret_word(name), None, "{name}");
        }
    }

    #[test]
    fn collections_without_order_are_found_anywhere_in_a_type() {
        let types = [
            ("Vec<(u8, std::collections::HashMap<u8, u8>)>", true),
            ("BTreeMap<u8, HashMapper>", false),
        ];
        for (ty, found) in types {
            assert_eq!(
                unordered(&syn::parse_str(ty).unwrap()).is_some(),
                found,
                "{ty}"
            );
        }
    }

    #[test]
    fn an_event_type_is_two_or_more_words() {
        for (text, is_right) in [
            ("a.b", true),
            ("a.b_1.c", true),
            ("a", false),
            ("a.", false),
            ("A.b", false),
        ] {
            assert_eq!(is_dotted(text), is_right, "{text}");
        }
    }
}
