//! What makes an envelope refuse its input.
//!
//! One opaque error: the kind for branching, the attribute for finding, the text for mending. It
//! never quotes a whole value, because values may be personal.

use std::borrow::Cow;
use std::error::Error as StdError;

/// Longest piece of a foreign name that an error repeats, in characters.
const NAME_SHOWN_MAX: usize = 64;

/// Says why an envelope was refused, where, and how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{attribute} {fact}: {mend}")]
pub struct EnvelopeError {
    kind: EnvelopeErrorKind,
    attribute: Cow<'static, str>,
    fact: Cow<'static, str>,
    mend: &'static str,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The facts that an [`EnvelopeError`] reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnvelopeErrorKind {
    /// The input is not what its mode asks for: not JSON, not an object, not base64, not a readable
    /// header.
    Malformed,
    /// A required attribute is absent.
    MissingAttribute,
    /// An attribute is present and empty.
    EmptyAttribute,
    /// An attribute is longer than its bound.
    LongAttribute,
    /// An attribute holds a character that its rule forbids.
    ForbiddenCharacter,
    /// An attribute has the wrong form: a URI, a time, a media type.
    InvalidForm,
    /// An attribute has the wrong JSON type.
    WrongType,
    /// An extension has a name that CloudEvents forbids or reserves.
    InvalidName,
    /// An attribute is given twice.
    DuplicateAttribute,
    /// There are more attributes or more events than the bound.
    TooMany,
    /// `specversion` is not `1.0`.
    UnsupportedVersion,
    /// Two attributes exclude each other.
    Conflict,
    /// The payload is not what its content type says.
    InvalidPayload,
    /// The payload or the message is larger than its bound.
    TooLarge,
}

impl EnvelopeError {
    /// Returns the fact to branch on.
    #[must_use]
    pub fn kind(&self) -> EnvelopeErrorKind {
        self.kind
    }

    /// Returns the attribute at fault by its name on the wire; `data` for the payload, `event` for
    /// the whole.
    #[must_use]
    pub fn attribute(&self) -> &str {
        &self.attribute
    }

    pub(super) fn new(
        kind: EnvelopeErrorKind,
        attribute: &str,
        fact: impl Into<Cow<'static, str>>,
        mend: &'static str,
    ) -> Self {
        Self {
            kind,
            attribute: shown(attribute),
            fact: fact.into(),
            mend,
            source: None,
        }
    }

    pub(super) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    pub(super) fn missing(attribute: &str) -> Self {
        Self::new(
            EnvelopeErrorKind::MissingAttribute,
            attribute,
            "is missing",
            "CloudEvents 1.0 requires it",
        )
    }

    pub(super) fn duplicate(attribute: &str) -> Self {
        Self::new(
            EnvelopeErrorKind::DuplicateAttribute,
            attribute,
            "is given twice",
            "send it once",
        )
    }

    pub(super) fn not_json(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::new(
            EnvelopeErrorKind::Malformed,
            "event",
            "is not a JSON object",
            "send one event as JSON",
        )
        .caused_by(source)
    }

    pub(super) fn payload(fact: impl Into<Cow<'static, str>>, mend: &'static str) -> Self {
        Self::new(EnvelopeErrorKind::InvalidPayload, "data", fact, mend)
    }
}

/// Refuses what is larger than `max_bytes`, before anything else looks at it.
pub(super) fn check_size(
    attribute: &str,
    bytes: usize,
    max_bytes: usize,
) -> Result<(), EnvelopeError> {
    if bytes <= max_bytes {
        return Ok(());
    }
    let fact = format!("has {bytes} bytes, more than {max_bytes}");
    let mend = "store the content elsewhere and send a reference to it";
    Err(EnvelopeError::new(
        EnvelopeErrorKind::TooLarge,
        attribute,
        fact,
        mend,
    ))
}

/// A foreign name, shortened and without control characters, so that it can stand in a log line.
fn shown(name: &str) -> Cow<'static, str> {
    Cow::Owned(
        name.chars()
            .take(NAME_SHOWN_MAX)
            .flat_map(char::escape_debug)
            .collect(),
    )
}
