//! The body of a mail as quoted-printable (RFC 2045, section 6.7): ASCII, lines of at most 76 characters.
//!
//! Pure.

/// The most characters of a line before the `=` of a soft line break.
const LINE_MAX: usize = 75;

/// Encodes text. Every kind of line end becomes CRLF, and the last line has one.
pub(crate) fn quoted_printable(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
        encode_line(line.as_bytes(), &mut out);
        out.push_str("\r\n");
    }
    out
}

fn encode_line(line: &[u8], out: &mut String) {
    let mut width = 0;
    for (at, &byte) in line.iter().enumerate() {
        // A blank at the end of a line may be lost on the way.
        let is_blank = matches!(byte, b' ' | b'\t') && at + 1 < line.len();
        let is_plain = is_blank || (byte.is_ascii_graphic() && byte != b'=');
        let room = if is_plain { 1 } else { 3 };
        if width + room > LINE_MAX {
            out.push_str("=\r\n");
            width = 0;
        }
        width += room;
        if is_plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("={byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_line_by_line() {
        for (text, body) in [
            ("", "\r\n"),
            ("a b\n", "a b\r\n"),
            ("a\r\nb\rc", "a\r\nb\r\nc\r\n"),
            ("1 = 1 \n", "1 =3D 1=20\r\n"),
            ("ü\n\n", "=C3=BC\r\n\r\n"),
        ] {
            assert_eq!(quoted_printable(text), body, "{text:?}");
        }
    }

    #[test]
    fn long_lines_are_broken_and_lose_nothing() {
        let text = "ab=ü ".repeat(60);
        let body = quoted_printable(&text);
        assert!(body.lines().all(|line| line.len() <= 76), "{body}");
        let joined = body
            .replace("=\r\n", "")
            .replace("=3D", "=")
            .replace("=C3=BC", "ü");
        assert_eq!(joined, format!("{}=20\r\n", text.trim_end()));
    }
}
