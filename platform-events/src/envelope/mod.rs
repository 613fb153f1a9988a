//! The envelope: what a published event is, in CloudEvents 1.0.
//!
//! An [`Envelope`] is a value that cannot be invalid: it comes out of a [`Builder`], which holds
//! our own events to narrow rules, or out of a reading mode, which holds foreign events to
//! CloudEvents 1.0 and to bounds. Its payload is bytes that are never parsed or rewritten on the
//! way.
//!
//! This module is pure: it knows no store, no transport, no clock and no runtime.
//!
//! | mode | write | read |
//! |---|---|---|
//! | JSON, structured | [`to_json`](Envelope::to_json), [`to_json_base64`](Envelope::to_json_base64) | [`from_json`](Envelope::from_json) |
//! | JSON, batch | [`to_batch`] | [`from_batch`] |
//! | HTTP, binary | [`to_headers`](Envelope::to_headers) and [`data`](Envelope::data) | [`from_headers`](Envelope::from_headers) |
//! | stored | [`attributes`](Envelope::attributes) and [`data`](Envelope::data) | [`from_parts`](Envelope::from_parts) |
//! | the platform's older form | [`to_legacy_json`](Envelope::to_legacy_json) | [`from_legacy_json`](Envelope::from_legacy_json), [`from_json`](Envelope::from_json) |
//! | `cloudevents::Event` | `TryFrom<&Envelope>` | `TryFrom<Event>` |
//! | routing only | | [`peek`] |
//!
//! # Bounds, in bytes
//!
//! | attribute | published | received |
//! |---|---|---|
//! | id | 256 | 1,024 |
//! | source | 256 | 2,048 |
//! | type | 128 | 1,024 |
//! | subject | 512 | 4,096 |
//! | datacontenttype | 128 | 256 |
//! | dataschema | 512 | 2,048 |
//! | extension name | 20 | 64 |
//! | extension text | 1,024 | 8,192 |
//! | extensions of one event | 64 | 64 |
//! | payload | [`PUBLISH_MAX`] | [`RECEIVE_MAX`] |
//!
//! Published context attributes are printable ASCII without space, `"` and `%`, because peers
//! disagree on how these travel in a header; extension text, such as a reason, is any text without
//! control characters. Received text is only refused control characters and noncharacters
//! (CloudEvents 1.0, section 3.1).

mod attributes;
mod batch;
mod builder;
mod content;
mod error;
mod extensions;
mod form;
mod http;
mod interchange;
mod json;
mod known;
mod legacy;
mod members;
mod names;
mod parts;
mod peek;
mod text;
mod time;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};

pub use self::batch::{BATCH_MAX, from_batch, to_batch};
pub use self::builder::Builder;
pub use self::content::Format;
pub use self::error::{EnvelopeError, EnvelopeErrorKind};
pub use self::extensions::{EXTENSIONS_MAX, Extension};
pub use self::peek::{Peek, peek};

use self::extensions::Extensions;
use self::time::Time;

/// Largest payload that is published unless a builder is told otherwise: 256 KiB, in bytes.
pub const PUBLISH_MAX: usize = 256 * 1024;

/// Largest message that is read, and largest payload of any envelope: 4 MiB, in bytes. Checked
/// before parsing.
pub const RECEIVE_MAX: usize = 4 * 1024 * 1024;

/// An event in its envelope: attributes of CloudEvents 1.0 and a payload of bytes.
///
/// Equal envelopes have equal bytes in every mode. No payload and an empty payload are the same
/// thing, because the binary modes cannot tell them apart.
///
/// # Example
///
/// ```
/// use platform_events::envelope::Envelope;
///
/// let event = Envelope::builder("7f1c", "/orders", "order.shipped")
///     .subject("order/42")
///     .tenantid("acme")
///     .json(r#"{"total": 12.50}"#)
///     .build()?;
/// let wire = event.to_json();
/// assert_eq!(Envelope::from_json(&wire)?, event);
/// assert_eq!(event.data(), r#"{"total": 12.50}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    id: String,
    source: String,
    event_type: String,
    subject: Option<String>,
    time: Option<Time>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    extensions: Extensions,
    data: Bytes,
    format: Format,
}

impl Envelope {
    /// Starts an event of our own from the three attributes that CloudEvents 1.0 requires.
    pub fn builder(
        id: impl Into<String>,
        source: impl Into<String>,
        event_type: impl Into<String>,
    ) -> Builder {
        Builder::new(id.into(), source.into(), event_type.into())
    }

    /// Returns `id`: with [`source`](Self::source) it names the event.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns `source`: where the event happened, a URI-reference.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns `type`: what happened, such as `order.shipped`.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Returns `subject`: what it happened to.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Returns `time` in UTC, to the nanosecond.
    #[must_use]
    pub fn time(&self) -> Option<DateTime<Utc>> {
        self.time.as_ref().map(Time::at)
    }

    /// Returns `time` as it was written, offset included: the text that every mode writes again.
    #[must_use]
    pub fn time_text(&self) -> Option<&str> {
        self.time.as_ref().map(Time::text)
    }

    /// Returns `datacontenttype` as it was given; absent means JSON.
    #[must_use]
    pub fn datacontenttype(&self) -> Option<&str> {
        self.datacontenttype.as_deref()
    }

    /// Returns `dataschema`: an absolute URI.
    #[must_use]
    pub fn dataschema(&self) -> Option<&str> {
        self.dataschema.as_deref()
    }

    /// Returns the extension of this name.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&Extension> {
        self.extensions.get(name)
    }

    /// Returns all extensions, sorted by name.
    pub fn extensions(&self) -> impl ExactSizeIterator<Item = (&str, &Extension)> {
        self.extensions.iter()
    }

    /// Returns the payload: the bytes that were published, empty if there is none. Of JSON, the
    /// whitespace around the value is not part of the payload.
    #[must_use]
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Returns what the payload is, by its content type.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Puts an extension onto an event that is on its way, such as a hop's own stamp; an old value
    /// is replaced.
    ///
    /// # Errors
    ///
    /// If the name or the value breaks the rules for published extensions.
    pub fn with_extension(
        mut self,
        name: &str,
        value: impl Into<Extension>,
    ) -> Result<Self, EnvelopeError> {
        self.extensions.set(name, value.into())?;
        Ok(self)
    }

    /// Takes an extension off, if it is there.
    #[must_use]
    pub fn without_extension(mut self, name: &str) -> Self {
        self.extensions.remove(name);
        self
    }
}

impl fmt::Debug for Envelope {
    /// Shows what names the event; the payload and the reasons in it stay out of logs.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Envelope")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("type", &self.event_type)
            .field("format", &self.format)
            .field("data_bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}
