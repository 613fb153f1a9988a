//! The one rule for text that names something: present, bounded, and without control characters.
//! Knows what to call the text in an error, and not what it is for.

use crate::Error;

/// The greatest length of an entity's id and of a personal value's subject, in bytes.
pub(crate) const NAME_MAX: usize = 256;

/// Checks `text`, called `what` in the error.
pub(crate) fn check(what: &str, text: &str, max: usize) -> Result<(), Error> {
    let len = text.len();
    if len == 0 {
        return Err(Error::invalid(format!(
            "{what} is empty; give it at least one character"
        )));
    }
    if len > max {
        return Err(Error::invalid(format!(
            "{what} has {len} bytes; at most {max} are allowed"
        )));
    }
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(Error::invalid(format!(
            "{what} contains the control character {c:?}; remove it"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_text_says_what_is_wrong() {
        for (text, needle) in [
            ("", "is empty"),
            ("12345", "has 5 bytes; at most 4"),
            ("a\nb", "'\\n'"),
        ] {
            let error = check("the id", text, 4).unwrap_err().to_string();
            assert!(
                error.starts_with("the id ") && error.contains(needle),
                "{error}"
            );
        }
        check("the id", "ü-1", 4).unwrap();
    }
}
