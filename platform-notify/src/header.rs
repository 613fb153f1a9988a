//! Header values of a mail: text that cannot leave its header, whatever it holds.
//!
//! Pure. What is not plain ASCII becomes encoded words (RFC 2047, the `Q` encoding), each at most 75 characters.

use crate::address::Mailbox;

/// The longest value written as it is; with its header's name it fits in a line of 78.
const PLAIN_MAX: usize = 60;
/// The room in an encoded word between `=?utf-8?Q?` and `?=`.
const WORD_MAX: usize = 75 - 12;

/// Writes a value such as a subject. Control characters, line ends above all, become spaces.
pub(crate) fn unstructured(text: &str) -> String {
    let text = without_controls(text);
    let is_plain = text.len() <= PLAIN_MAX
        && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && !text.contains("=?");
    if is_plain { text } else { encoded(&text) }
}

/// Writes a checked mailbox: `ada@example.com`, `Ada L <ada@example.com>`.
pub(crate) fn mailbox(mailbox: &Mailbox) -> String {
    let address = &mailbox.address;
    let name = mailbox
        .name
        .as_deref()
        .map(without_controls)
        .filter(|name| !name.is_empty());
    let Some(name) = name else {
        return address.clone();
    };
    // Anything but words of letters and digits would have a meaning of its own here.
    let is_plain =
        name.len() <= PLAIN_MAX && name.bytes().all(|b| b == b' ' || b.is_ascii_alphanumeric());
    let name = if is_plain { name } else { encoded(&name) };
    format!("{name}\r\n <{address}>")
}

fn without_controls(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.trim().to_owned()
}

/// Splits between characters only, since each word is decoded alone; the line ends between words are not part
/// of the text.
fn encoded(text: &str) -> String {
    let mut words = vec![String::new()];
    for c in text.chars() {
        let code = encoded_char(c);
        if words
            .last()
            .is_some_and(|word| word.len() + code.len() > WORD_MAX)
        {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push_str(&code);
        }
    }
    let words: Vec<_> = words
        .iter()
        .map(|word| format!("=?utf-8?Q?{word}?="))
        .collect();
    words.join("\r\n ")
}

fn encoded_char(c: char) -> String {
    match c {
        ' ' => "_".to_owned(),
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => c
            .encode_utf8(&mut [0; 4])
            .bytes()
            .map(|byte| format!("={byte:02X}"))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_and_other_text_becomes_encoded_words() {
        for (text, value) in [
            ("Your order O-1 (2 items)", "Your order O-1 (2 items)"),
            ("Grüße", "=?utf-8?Q?Gr=C3=BC=C3=9Fe?="),
            ("=?utf-8?Q?x?=", "=?utf-8?Q?=3D=3Futf=2D8=3FQ=3Fx=3F=3D?="),
            ("  a\tb ", "a b"),
            ("x\r\nBcc: eve@example.com", "x  Bcc: eve@example.com"),
        ] {
            assert_eq!(unstructured(text), value);
        }
    }

    #[test]
    fn a_long_subject_is_folded_between_characters() {
        let value = unstructured(&"€uro ".repeat(40));
        for line in value.split("\r\n ") {
            let inner = line
                .strip_prefix("=?utf-8?Q?")
                .and_then(|rest| rest.strip_suffix("?="))
                .unwrap();
            assert!(line.len() <= 75, "{line}");
            assert_eq!(
                inner.matches("=E2").count(),
                inner.matches("=82=AC").count(),
                "{line}"
            );
        }
        assert!(value.matches("\r\n ").count() > 3 && value.is_ascii());
    }

    #[test]
    fn a_name_cannot_add_an_address() {
        let mailbox_of = |name: &str| mailbox(&Mailbox::of("ada@example.com").named(name));
        assert_eq!(mailbox_of("Ada L"), "Ada L\r\n <ada@example.com>");
        assert_eq!(mailbox_of(" \n"), "ada@example.com");
        let evil = mailbox_of("Ada <eve@example.com>,\r\nBcc: eve");
        assert_eq!(evil.matches('@').count(), 1, "{evil}");
        assert!(!evil.contains("Bcc:"), "{evil}");
    }
}
