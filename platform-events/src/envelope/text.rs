//! JSON as text: what is written and cut without a parser.

/// Writes a JSON string with the escapes that RFC 8259, section 7 requires and no others.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c| matches!(c, '"' | '\\' | '\0'..='\x1f')) {
        let (plain, tail) = rest.split_at(at);
        // All these characters are one byte long.
        let (escaped, tail) = tail.split_at(1);
        out.push_str(plain);
        match escaped {
            "\"" => out.push_str("\\\""),
            "\\" => out.push_str("\\\\"),
            "\n" => out.push_str("\\n"),
            "\r" => out.push_str("\\r"),
            "\t" => out.push_str("\\t"),
            _ => out.extend(escaped.bytes().map(|byte| format!("\\u{byte:04x}"))),
        }
        rest = tail;
    }
    out.push_str(rest);
    out.push('"');
}

/// JSON without the whitespace between its tokens, its strings and numbers untouched.
pub(super) fn without_whitespace(json: &str) -> String {
    let mut is_in_string = false;
    let mut is_escaped = false;
    let is_kept = |c: &char| {
        if !is_in_string {
            is_in_string = *c == '"';
            return !c.is_ascii_whitespace();
        }
        is_in_string = is_escaped || *c != '"';
        is_escaped = !is_escaped && *c == '\\';
        true
    };
    json.chars().filter(is_kept).collect()
}
