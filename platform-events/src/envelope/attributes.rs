//! The rules for the values of attributes.
//!
//! Every rule has two widths. What this platform publishes is narrow, so that every peer agrees on
//! it whatever its library does with percent signs and Unicode; what others send is only held to
//! CloudEvents 1.0 and to bounds.

use super::error::{EnvelopeError, EnvelopeErrorKind};
use super::form::{is_media_type, is_uri, is_uri_reference};

/// Who wrote the value under check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// This platform, about to publish: the narrow rules.
    Own,
    /// Another producer, or the log that stores what one sent: the wide rules.
    Foreign,
}

/// The form that a text must have beyond its characters.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    UriReference,
    Uri,
    MediaType,
}

/// The rule of one context attribute: its form and its longest value in bytes for each origin.
#[derive(Debug)]
pub(super) struct Rule {
    attribute: &'static str,
    form: Form,
    own_max: usize,
    foreign_max: usize,
}

pub(super) const ID: Rule = Rule {
    attribute: "id",
    form: Form::Text,
    own_max: 256,
    foreign_max: 1_024,
};
pub(super) const SOURCE: Rule = Rule {
    attribute: "source",
    form: Form::UriReference,
    own_max: 256,
    foreign_max: 2_048,
};
pub(super) const TYPE: Rule = Rule {
    attribute: "type",
    form: Form::Text,
    own_max: 128,
    foreign_max: 1_024,
};
pub(super) const SUBJECT: Rule = Rule {
    attribute: "subject",
    form: Form::Text,
    own_max: 512,
    foreign_max: 4_096,
};
pub(super) const DATACONTENTTYPE: Rule = Rule {
    attribute: "datacontenttype",
    form: Form::MediaType,
    own_max: 128,
    foreign_max: 256,
};
pub(super) const DATASCHEMA: Rule = Rule {
    attribute: "dataschema",
    form: Form::Uri,
    own_max: 512,
    foreign_max: 2_048,
};

/// Longest text of an extension, in bytes.
const EXTENSION_OWN_MAX: usize = 1_024;
const EXTENSION_FOREIGN_MAX: usize = 8_192;

impl Rule {
    pub(super) fn attribute(&self) -> &'static str {
        self.attribute
    }

    /// Checks a value that is present.
    pub(super) fn check(&self, value: &str, origin: Origin) -> Result<(), EnvelopeError> {
        let max_bytes = if origin == Origin::Own {
            self.own_max
        } else {
            self.foreign_max
        };
        check_length(self.attribute, value, max_bytes)?;
        match (origin, self.form) {
            // A media type has spaces and quotes of its own and travels in a header of its own.
            (Origin::Own, Form::Text | Form::UriReference | Form::Uri) => {
                check_narrow(self.attribute, value)?
            }
            _ => check_wide(self.attribute, value)?,
        }
        self.check_form(value)
    }

    fn check_form(&self, value: &str) -> Result<(), EnvelopeError> {
        let (is_valid, fact, mend) = match self.form {
            Form::Text => return Ok(()),
            Form::UriReference => (
                is_uri_reference(value),
                "is not a URI-reference",
                "write it like /orders or https://shop.example",
            ),
            Form::Uri => (
                is_uri(value),
                "is not an absolute URI",
                "begin it with a scheme such as https:",
            ),
            Form::MediaType => (
                is_media_type(value),
                "is not a media type",
                "write it like application/json (RFC 2046)",
            ),
        };
        if is_valid {
            return Ok(());
        }
        Err(EnvelopeError::new(
            EnvelopeErrorKind::InvalidForm,
            self.attribute,
            fact,
            mend,
        ))
    }
}

/// Checks the text of an extension, which is not empty.
pub(super) fn check_extension_text(
    name: &str,
    value: &str,
    origin: Origin,
) -> Result<(), EnvelopeError> {
    let max_bytes = if origin == Origin::Own {
        EXTENSION_OWN_MAX
    } else {
        EXTENSION_FOREIGN_MAX
    };
    check_length(name, value, max_bytes)?;
    check_wide(name, value)
}

fn check_length(attribute: &str, value: &str, max_bytes: usize) -> Result<(), EnvelopeError> {
    if value.is_empty() {
        let mend = "give it at least one character, or leave it out if it is optional";
        return Err(EnvelopeError::new(
            EnvelopeErrorKind::EmptyAttribute,
            attribute,
            "is empty",
            mend,
        ));
    }
    if value.len() > max_bytes {
        let fact = format!("has {} bytes, more than {max_bytes}", value.len());
        return Err(EnvelopeError::new(
            EnvelopeErrorKind::LongAttribute,
            attribute,
            fact,
            "shorten it",
        ));
    }
    Ok(())
}

/// Printable ASCII without space, `"` and `%`: what every peer writes to a header and reads back
/// alike.
fn check_narrow(attribute: &str, value: &str) -> Result<(), EnvelopeError> {
    let is_narrow = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'%';
    if value.bytes().all(is_narrow) {
        return Ok(());
    }
    let bad = value
        .char_indices()
        .find(|(_, c)| !u8::try_from(*c).is_ok_and(is_narrow));
    Err(forbidden(
        attribute,
        bad,
        "use printable ASCII without space, quote and percent sign",
    ))
}

/// What CloudEvents 1.0, section 3.1 ("String") allows: no control characters, no noncharacters.
fn check_wide(attribute: &str, value: &str) -> Result<(), EnvelopeError> {
    // Nearly every value is printable ASCII: one pass over bytes decides it.
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    match value
        .char_indices()
        .find(|(_, c)| c.is_control() || is_noncharacter(*c))
    {
        None => Ok(()),
        bad => Err(forbidden(attribute, bad, "remove control characters")),
    }
}

fn is_noncharacter(c: char) -> bool {
    matches!(u32::from(c), 0xFDD0..=0xFDEF) || u32::from(c) & 0xFFFE == 0xFFFE
}

fn forbidden(attribute: &str, bad: Option<(usize, char)>, mend: &'static str) -> EnvelopeError {
    let (at, c) = bad.unwrap_or_default();
    let fact = format!("holds {} at byte {at}", c.escape_unicode());
    EnvelopeError::new(EnvelopeErrorKind::ForbiddenCharacter, attribute, fact, mend)
}
