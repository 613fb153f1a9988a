//! The JSON batch format (CloudEvents JSON format 1.0, section 4): an array of events.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{EnvelopeError, EnvelopeErrorKind, check_size};
use super::{Envelope, RECEIVE_MAX};

/// Most events that one batch may hold when it is read.
pub const BATCH_MAX: usize = 10_000;

/// Writes events as one JSON array, in their order.
#[must_use]
pub fn to_batch(events: &[Envelope]) -> Vec<u8> {
    let mut out = vec![b'['];
    for event in events {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&event.to_json());
    }
    out.push(b']');
    out
}

/// Reads a JSON array of events, each by itself: a bad one does not spoil the others. The older
/// form is read too.
///
/// # Errors
///
/// If the whole cannot be taken apart: larger than [`RECEIVE_MAX`], not a JSON array, more than
/// [`BATCH_MAX`] elements.
pub fn from_batch(json: &[u8]) -> Result<Vec<Result<Envelope, EnvelopeError>>, EnvelopeError> {
    check_size("batch", json.len(), RECEIVE_MAX)?;
    let elements: Elements<'_> = serde_json::from_slice(json).map_err(|error| {
        let mend = "send the events as one JSON array";
        EnvelopeError::new(
            EnvelopeErrorKind::Malformed,
            "batch",
            "is not a JSON array",
            mend,
        )
        .caused_by(error)
    })?;
    if elements.is_beyond_max {
        let fact = format!("holds more than {BATCH_MAX} events");
        return Err(EnvelopeError::new(
            EnvelopeErrorKind::TooMany,
            "batch",
            fact,
            "send several batches",
        ));
    }
    Ok(elements
        .raw
        .iter()
        .map(|raw| Envelope::from_json(raw.get().as_bytes()))
        .collect())
}

/// The elements of an array, still raw, up to the bound.
struct Elements<'a> {
    raw: Vec<&'a RawValue>,
    is_beyond_max: bool,
}

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ElementsVisitor)
    }
}

struct ElementsVisitor;

impl<'de> Visitor<'de> for ElementsVisitor {
    type Value = Elements<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut raw = Vec::new();
        while raw.len() < BATCH_MAX {
            let Some(element) = array.next_element()? else {
                return Ok(Elements {
                    raw,
                    is_beyond_max: false,
                });
            };
            raw.push(element);
        }
        let is_beyond_max = array.next_element::<IgnoredAny>()?.is_some();
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Elements { raw, is_beyond_max })
    }
}
