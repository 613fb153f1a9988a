//! The forms that some attributes must have: URI-reference, URI, media type.
//!
//! Each is checked as far as a mistake is likely, not parsed: what passes is compared and carried
//! as text.

/// RFC 3986, section 4.1, by its characters and its scheme; characters beyond ASCII pass as in RFC
/// 3987.
pub(super) fn is_uri_reference(text: &str) -> bool {
    let first_segment = text.split(['/', '?', '#']).next().unwrap_or_default();
    let scheme_is_valid = first_segment
        .split_once(':')
        .is_none_or(|(scheme, _)| is_scheme(scheme));
    scheme_is_valid && has_uri_characters(text)
}

/// RFC 3986, section 3: a scheme and something behind it.
pub(super) fn is_uri(text: &str) -> bool {
    let is_absolute = text
        .split_once(':')
        .is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
    is_absolute && has_uri_characters(text)
}

fn is_scheme(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn has_uri_characters(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut fragments = 0_usize;
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => is_hex(at + 1) && is_hex(at + 2),
        b'#' => {
            fragments += 1;
            fragments == 1
        }
        b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
        other => other.is_ascii_graphic() || !other.is_ascii(),
    })
}

/// RFC 2046: `type/subtype` of RFC 7230 tokens; parameters only have to be printable ASCII. A space
/// at the end is refused, because a header would lose it.
pub(super) fn is_media_type(text: &str) -> bool {
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let is_token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    !text.ends_with(' ')
        && essence
            .trim_end_matches(' ')
            .split_once('/')
            .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
        && parameters.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}
