//! What the payload is: JSON, other text, or bytes.
//!
//! The content type and the bytes alone decide it, so that it need not be stored and cannot
//! disagree with them.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::error::EnvelopeError;

/// The content type of JSON payloads.
pub(super) const JSON: &str = "application/json";

/// How a payload stands in the JSON event format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON text: spliced into `data` byte for byte.
    Json,
    /// UTF-8 text of a textual content type: a JSON string in `data`.
    Text,
    /// Anything else: `data_base64`.
    Binary,
}

/// A payload on its way into an envelope.
#[derive(Debug, Default)]
pub(super) enum Body {
    /// No payload.
    #[default]
    Absent,
    /// One JSON value without surrounding whitespace, as a JSON parser delimited it.
    Json(Bytes),
    /// Bytes that nobody has looked at.
    Raw(Bytes),
}

impl Body {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Json(bytes) | Self::Raw(bytes) => bytes.len(),
        }
    }

    /// Settles what the payload is. No bytes are no payload: binary modes cannot tell the two
    /// apart.
    pub(super) fn settle(
        self,
        datacontenttype: Option<&str>,
    ) -> Result<(Bytes, Format), EnvelopeError> {
        let is_json = is_json(datacontenttype);
        match self {
            Self::Absent => Ok((Bytes::new(), format_of(datacontenttype, &[]))),
            Self::Json(bytes) if is_json => Ok((bytes, Format::Json)),
            Self::Raw(bytes) if is_json && !bytes.is_empty() => {
                Ok((json_value(&bytes)?, Format::Json))
            }
            Self::Json(bytes) | Self::Raw(bytes) => {
                let format = format_of(datacontenttype, &bytes);
                Ok((bytes, format))
            }
        }
    }
}

/// Says whether the content type declares JSON: `*/json` or `*/*+json`, parameters and case
/// ignored, absent means yes (CloudEvents JSON format 1.0, section 3.1.1).
pub(super) fn is_json(datacontenttype: Option<&str>) -> bool {
    let Some((_, subtype)) = datacontenttype.and_then(essence) else {
        return datacontenttype.is_none();
    };
    subtype.eq_ignore_ascii_case("json") || has_suffix(subtype, "+json")
}

fn format_of(datacontenttype: Option<&str>, bytes: &[u8]) -> Format {
    if is_json(datacontenttype) {
        Format::Json
    } else if datacontenttype.is_some_and(is_textual) && std::str::from_utf8(bytes).is_ok() {
        Format::Text
    } else {
        Format::Binary
    }
}

fn is_textual(datacontenttype: &str) -> bool {
    const SUBTYPES: [&str; 4] = ["xml", "yaml", "javascript", "x-www-form-urlencoded"];
    essence(datacontenttype).is_some_and(|(kind, subtype)| {
        kind.eq_ignore_ascii_case("text")
            || SUBTYPES
                .iter()
                .any(|known| subtype.eq_ignore_ascii_case(known))
            || has_suffix(subtype, "+xml")
            || has_suffix(subtype, "+yaml")
    })
}

/// Type and subtype of a media type.
fn essence(media_type: &str) -> Option<(&str, &str)> {
    media_type
        .split(';')
        .next()
        .and_then(|essence| essence.trim_end_matches(' ').split_once('/'))
}

fn has_suffix(subtype: &str, suffix: &str) -> bool {
    let at = subtype.len().saturating_sub(suffix.len());
    subtype
        .as_bytes()
        .get(at..)
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
}

/// Checks that the bytes are one JSON value and cuts the whitespace around it, which no JSON parser
/// hands on: kept, the same event would have other bytes after a hop.
fn json_value(bytes: &Bytes) -> Result<Bytes, EnvelopeError> {
    const MEND: &str = "send UTF-8 JSON, or name the real datacontenttype";
    let text = std::str::from_utf8(bytes)
        .map_err(|error| EnvelopeError::payload("is not UTF-8", MEND).caused_by(error))?;
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|error| EnvelopeError::payload("is not valid JSON", MEND).caused_by(error))?;
    Ok(bytes.slice_ref(bytes.trim_ascii()))
}
