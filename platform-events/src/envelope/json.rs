//! The JSON event format (CloudEvents JSON format 1.0): structured mode and the stored form.
//!
//! Writing has one fixed order, so equal envelopes give equal bytes. A JSON payload is spliced in
//! and cut out as it is; it is checked to be JSON, never rebuilt.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::attributes::Origin;
use super::content::{self, Body, Format};
use super::error::{EnvelopeError, EnvelopeErrorKind, check_size};
use super::legacy;
use super::members::{self, Members};
use super::parts::Parts;
use super::text::{push_string, without_whitespace};
use super::{Envelope, Extension, RECEIVE_MAX};

/// Writes padding as RFC 4648 asks; reads without it too, since some producers leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Room for the usual attributes and the names around a payload, in bytes.
const ATTRIBUTES_USUAL: usize = 1_024;

impl Envelope {
    /// Writes the event as one JSON object: `specversion`, `id`, `source`, `type`, `subject`,
    /// `time`, `datacontenttype`, `dataschema`, the extensions by name, then `data` (JSON or text)
    /// or `data_base64`.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        match self.format() {
            _ if self.data().is_empty() => self.attributes().into_bytes(),
            Format::Json => self.to_json_spliced(),
            Format::Text => self.to_json_text(),
            Format::Binary => self.to_json_base64(),
        }
    }

    /// Writes the event as one JSON object with the payload in `data_base64` whatever it is: for
    /// hops that parse `data` and write it again with other bytes, as Dapr does.
    #[must_use]
    pub fn to_json_base64(&self) -> Vec<u8> {
        if self.data().is_empty() {
            return self.attributes().into_bytes();
        }
        // Four characters for each three bytes, rounded up.
        let mut out = self.opened(self.data().len() / 3 * 4 + 4);
        out.push_str(",\"data_base64\":\"");
        BASE64.encode_string(self.data(), &mut out);
        out.push_str("\"}");
        out.into_bytes()
    }

    /// Reads one event from JSON, CloudEvents 1.0 or the platform's older form, which has no
    /// `specversion`.
    ///
    /// Wider than what is published: text may be any without control characters, within the bounds
    /// for receiving. A member that is `null` is unset, except `data`, where it is a JSON null if
    /// the content type is JSON. Extensions of types that CloudEvents does not have (fractions,
    /// numbers beyond 32 bits, objects, arrays) are kept as their JSON text. An extension whose
    /// name is outside `[a-z0-9]{1,64}` or whose text is empty is dropped.
    ///
    /// # Errors
    ///
    /// If the input is larger than [`RECEIVE_MAX`], is not one JSON object, names a member twice,
    /// or breaks a rule of CloudEvents 1.0.
    pub fn from_json(json: &[u8]) -> Result<Self, EnvelopeError> {
        check_size("event", json.len(), RECEIVE_MAX)?;
        let members = Members::parse(json)?;
        if legacy::is_legacy(&members) {
            return legacy::read(&members);
        }
        let mut parts = read_attributes(&members)?;
        parts.body = read_body(&members, parts.datacontenttype.as_deref())?;
        parts.close(Origin::Foreign)
    }

    /// Writes all attributes and extensions as one JSON object without the payload: the stored
    /// form, the same bytes for the same attributes.
    #[must_use]
    pub fn attributes(&self) -> String {
        let mut out = self.opened(0);
        out.push('}');
        out
    }

    /// Reads what [`attributes`](Self::attributes) wrote, with its payload.
    ///
    /// # Errors
    ///
    /// If the attributes break the rules for received events, hold a payload themselves, or the
    /// payload is not what its content type says.
    pub fn from_parts(attributes: &str, data: Bytes) -> Result<Self, EnvelopeError> {
        let members = Members::parse(attributes.as_bytes())?;
        let mut parts = read_attributes(&members)?;
        if members.present("data").is_some() || members.present("data_base64").is_some() {
            return Err(conflict(
                "stands among the attributes",
                "keep the payload apart from them",
            ));
        }
        parts.body = Body::Raw(data);
        parts.close(Origin::Foreign)
    }

    fn to_json_spliced(&self) -> Vec<u8> {
        let mut out = self.opened(self.data().len()).into_bytes();
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(self.data());
        out.push(b'}');
        out
    }

    fn to_json_text(&self) -> Vec<u8> {
        let mut out = self.opened(self.data().len());
        out.push_str(",\"data\":");
        // Lossless: what is not UTF-8 has another format.
        push_string(&mut out, &String::from_utf8_lossy(self.data()));
        out.push('}');
        out.into_bytes()
    }

    /// The object with all attributes, still open at its end, with room for a payload.
    fn opened(&self, payload_bytes: usize) -> String {
        let mut out = String::with_capacity(ATTRIBUTES_USUAL + payload_bytes);
        out.push_str("{\"specversion\":\"1.0\"");
        push_member(&mut out, "id", self.id());
        push_member(&mut out, "source", self.source());
        push_member(&mut out, "type", self.event_type());
        let optional = [
            ("subject", self.subject()),
            ("time", self.time_text()),
            ("datacontenttype", self.datacontenttype()),
            ("dataschema", self.dataschema()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                push_member(&mut out, name, value);
            }
        }
        for (name, value) in self.extensions() {
            push_extension(&mut out, name, value);
        }
        out
    }
}

/// Reads everything but the payload.
fn read_attributes(members: &Members<'_>) -> Result<Parts, EnvelopeError> {
    check_version(members)?;
    let mut parts = Parts::default();
    for (name, raw) in members.iter().filter(|(_, raw)| *raw != "null") {
        match name {
            "specversion" | "data" | "data_base64" => {}
            "id" | "source" | "type" | "subject" | "time" | "datacontenttype" | "dataschema" => {
                parts.set(name, members::text(name, raw)?)?;
            }
            _ => parts.extensions.read(name, read_extension(name, raw)?)?,
        }
    }
    Ok(parts)
}

pub(super) fn check_version(members: &Members<'_>) -> Result<(), EnvelopeError> {
    match members.text("specversion")?.as_deref() {
        Some("1.0") => Ok(()),
        Some(_) => Err(unsupported_version()),
        None => Err(EnvelopeError::missing("specversion")),
    }
}

pub(super) fn unsupported_version() -> EnvelopeError {
    let mend = "send CloudEvents 1.0";
    EnvelopeError::new(
        EnvelopeErrorKind::UnsupportedVersion,
        "specversion",
        "is not 1.0",
        mend,
    )
}

/// Reads an extension of any JSON type but null.
pub(super) fn read_extension(name: &str, raw: &str) -> Result<Extension, EnvelopeError> {
    match raw.bytes().next() {
        Some(b'"') => Ok(Extension::Text(members::text(name, raw)?.into_owned())),
        Some(b't') => Ok(Extension::Bool(true)),
        Some(b'f') => Ok(Extension::Bool(false)),
        Some(b'{' | b'[') => Ok(Extension::Text(without_whitespace(raw))),
        // "-0" is a number that would come back as another text.
        _ => match raw.parse::<i32>() {
            Ok(number) if raw != "-0" => Ok(Extension::Int(number)),
            _ => Ok(Extension::Text(raw.to_owned())),
        },
    }
}

fn read_body(members: &Members<'_>, datacontenttype: Option<&str>) -> Result<Body, EnvelopeError> {
    let base64 = members.text("data_base64")?;
    let Some(raw) = members.present("data") else {
        return base64.map_or(Ok(Body::Absent), |text| read_base64(&text));
    };
    if base64.is_some() {
        return Err(conflict(
            "and data_base64 are both there",
            "send one of the two",
        ));
    }
    if content::is_json(datacontenttype) {
        return Ok(Body::Json(Bytes::copy_from_slice(raw.as_bytes())));
    }
    if raw == "null" {
        return Ok(Body::Absent);
    }
    let text = members::text("data", raw).map_err(|error| {
        let mend = "write data as a string, or set datacontenttype to application/json";
        EnvelopeError::payload(
            "is not a JSON string, though its content type is not JSON",
            mend,
        )
        .caused_by(error)
    })?;
    Ok(Body::Raw(Bytes::from(text.into_owned())))
}

fn read_base64(text: &str) -> Result<Body, EnvelopeError> {
    BASE64
        .decode(text)
        .map(|bytes| Body::Raw(Bytes::from(bytes)))
        .map_err(|error| {
            let mend = "use the standard alphabet of RFC 4648";
            EnvelopeError::new(
                EnvelopeErrorKind::Malformed,
                "data_base64",
                "is not base64",
                mend,
            )
            .caused_by(error)
        })
}

fn conflict(fact: &'static str, mend: &'static str) -> EnvelopeError {
    EnvelopeError::new(EnvelopeErrorKind::Conflict, "data", fact, mend)
}

fn push_member(out: &mut String, name: &str, value: &str) {
    push_name(out, name);
    push_string(out, value);
}

fn push_extension(out: &mut String, name: &str, value: &Extension) {
    push_name(out, name);
    match value {
        Extension::Text(text) => push_string(out, text),
        other => out.push_str(&other.as_text()),
    }
}

/// Writes a comma and the name; names of attributes need no escapes.
fn push_name(out: &mut String, name: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
}
