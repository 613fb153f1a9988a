//! Which event types a handler asks for.

use std::fmt;

use crate::Error;

/// A checked pattern over event types: a whole type (`order.created`), `*` for one segment (`order.*`), or
/// `**` for everything.
///
/// Types below `platform.` are the platform's own reports; only a pattern that begins with `platform.` matches
/// them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Pattern(String);

const TYPE_MAX: usize = 128;

impl Pattern {
    /// Checks `text` and takes it.
    ///
    /// # Errors
    /// When it is empty, longer than 128 bytes, or a segment is neither `*` nor `[a-z0-9_]+`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let is_segment = |segment: &str| segment == "*" || is_word(segment);
        if text == "**" || (text.len() <= TYPE_MAX && text.split('.').all(is_segment)) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::wiring(format!(
            "`{text}` is no event pattern; write a type such as order.created, order.* or **"
        )))
    }

    /// Answers whether events of type `kind` are asked for.
    pub(crate) fn matches(&self, kind: &str) -> bool {
        if kind.starts_with("platform.") && !self.0.starts_with("platform.") {
            return false;
        }
        if self.0 == "**" {
            return true;
        }
        let mut segments = kind.split('.');
        self.0.split('.').all(|wanted| {
            segments
                .next()
                .is_some_and(|segment| wanted == "*" || wanted == segment)
        }) && segments.next().is_none()
    }

    /// Answers whether it asks for everything that `other` asks for.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let is_platform = |pattern: &Self| pattern.0.starts_with("platform.");
        if is_platform(other) && !is_platform(self) {
            return false;
        }
        if self.0 == "**" || self == other {
            return true;
        }
        let mut segments = other.0.split('.');
        other.0 != "**"
            && self
                .0
                .split('.')
                .all(|mine| segments.next().is_some_and(|s| mine == "*" || mine == s))
            && segments.next().is_none()
    }

    /// Returns the text of a SQL `like` (escape character `\`) that lets through at least what matches.
    pub(crate) fn like(&self) -> String {
        if self.0 == "**" {
            return "%".to_owned();
        }
        self.0.replace('_', "\\_").replace('*', "%")
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_word(segment: &str) -> bool {
    !segment.is_empty()
        && segment
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Checks a whole event type: lower-case words joined by dots.
pub(crate) fn check_type(kind: &str) -> Result<(), Error> {
    if kind.len() <= TYPE_MAX && kind.contains('.') && kind.split('.').all(is_word) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{kind}` is no event type; write lower-case words joined by dots, such as order.shipped, at most \
         {TYPE_MAX} bytes"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_it_says() {
        let cases = [
            ("order.created", "order.created", true),
            ("order.created", "order.shipped", false),
            ("order.*", "order.shipped", true),
            ("order.*", "order.line.added", false),
            ("order.*", "orders.shipped", false),
            ("*.created", "customer.created", true),
            ("**", "a.b.c", true),
            ("**", "platform.parked", false),
            ("platform.*", "platform.parked", true),
        ];
        for (pattern, kind, expected) in cases {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(kind),
                expected,
                "{pattern} {kind}"
            );
        }
    }

    #[test]
    fn a_pattern_covers_what_asks_for_less() {
        let cases = [
            ("**", "order.*", true),
            ("order.*", "order.created", true),
            ("*.created", "order.created", true),
            ("order.*", "*.created", false),
            ("order.created", "order.*", false),
            ("order.*", "**", false),
            ("**", "platform.parked", false),
            ("platform.*", "platform.parked", true),
            ("order.*", "order.line.*", false),
        ];
        for (wide, narrow, expected) in cases {
            let [wide, narrow] = [wide, narrow].map(|text| Pattern::parse(text).unwrap());
            assert_eq!(wide.covers(&narrow), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn a_malformed_pattern_says_what_to_write() {
        for text in ["", "order..x", "Order.*", "order.sh*", "***", "a b"] {
            let error = Pattern::parse(text).unwrap_err().to_string();
            assert!(error.contains("order.*"), "{error}");
        }
    }

    #[test]
    fn the_like_text_lets_an_underscore_stand_for_itself() {
        assert_eq!(
            Pattern::parse("order_line.*").unwrap().like(),
            "order\\_line.%"
        );
    }
}
