//! The platform's older JSON form, which services that exist still speak.
//!
//! `{id, type, version, tenant_id, timestamp, source, data, metadata: {correlation_id, trace_id}}`.
//! It carries JSON only. What it has no place for is not written to it; members that it does not
//! know are not read.

use bytes::Bytes;

use super::attributes::Origin;
use super::content::{Body, Format, JSON};
use super::error::{EnvelopeError, check_size};
use super::json::read_extension;
use super::members::Members;
use super::names;
use super::parts::Parts;
use super::text::push_string;
use super::{Envelope, RECEIVE_MAX};

impl Envelope {
    /// Reads one event in the older form. `version` and `tenant_id` may be numbers; a dotted
    /// version stays as it is.
    ///
    /// # Errors
    ///
    /// If the input is larger than [`RECEIVE_MAX`], is not one JSON object, names a member twice,
    /// or breaks a rule that also holds for CloudEvents: id, source and type are required,
    /// `timestamp` is RFC 3339.
    pub fn from_legacy_json(json: &[u8]) -> Result<Self, EnvelopeError> {
        check_size("event", json.len(), RECEIVE_MAX)?;
        read(&Members::parse(json)?)
    }

    /// Writes the event in the older form, members in the order of the form, `version` as a string;
    /// what is absent is left out, except `metadata`.
    ///
    /// # Errors
    ///
    /// If the payload is not JSON: the form has no other kind.
    pub fn to_legacy_json(&self) -> Result<Vec<u8>, EnvelopeError> {
        if self.format() != Format::Json && !self.data().is_empty() {
            let fact = "is not JSON, which the older form requires";
            return Err(EnvelopeError::payload(
                fact,
                "send this event in structured mode",
            ));
        }
        let head = [
            ("id", Some(self.id())),
            ("type", Some(self.event_type())),
            ("version", self.text(names::SCHEMA_VERSION)),
            ("tenant_id", self.tenantid()),
            ("timestamp", self.time_text()),
            ("source", Some(self.source())),
        ];
        let mut out = object(&head).into_bytes();
        if !self.data().is_empty() {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(self.data());
        }
        let metadata = [
            ("correlation_id", self.correlationid()),
            ("trace_id", self.traceid()),
        ];
        out.extend_from_slice(b",\"metadata\":");
        out.extend_from_slice(object(&metadata).as_bytes());
        out.extend_from_slice(b"}}");
        Ok(out)
    }
}

/// Says whether this is the older form: no `specversion`, and a member that only the older form
/// has.
pub(super) fn is_legacy(members: &Members<'_>) -> bool {
    let has = |name: &str| members.present(name).is_some();
    !has("specversion") && (has("tenant_id") || has("timestamp") || has("metadata"))
}

pub(super) fn read(members: &Members<'_>) -> Result<Envelope, EnvelopeError> {
    let mut parts = Parts::default();
    for (member, attribute) in [
        ("id", "id"),
        ("source", "source"),
        ("type", "type"),
        ("timestamp", "time"),
    ] {
        if let Some(text) = members.text(member)? {
            parts.set(attribute, text)?;
        }
    }
    read_extensions(
        &mut parts,
        members,
        &[
            ("version", names::SCHEMA_VERSION),
            ("tenant_id", names::TENANT),
        ],
    )?;
    if let Some(metadata) = members.raw("metadata") {
        let metadata = Members::parse(metadata.as_bytes()).map_err(in_metadata)?;
        let names = [
            ("correlation_id", names::CORRELATION_ID),
            ("trace_id", names::TRACE_ID),
        ];
        read_extensions(&mut parts, &metadata, &names)?;
    }
    if let Some(raw) = members.present("data") {
        parts.datacontenttype = Some(JSON.to_owned());
        parts.body = Body::Json(Bytes::copy_from_slice(raw.as_bytes()));
    }
    parts.close(Origin::Foreign)
}

fn in_metadata(error: EnvelopeError) -> EnvelopeError {
    EnvelopeError::new(
        error.kind(),
        "metadata",
        "cannot be read",
        "write it as an object",
    )
    .caused_by(error)
}

fn read_extensions(
    parts: &mut Parts,
    members: &Members<'_>,
    names: &[(&str, &'static str)],
) -> Result<(), EnvelopeError> {
    for (member, extension) in names {
        if let Some(raw) = members.raw(member) {
            parts
                .extensions
                .read(extension, read_extension(member, raw)?)?;
        }
    }
    Ok(())
}

/// An object of the members that are there, still open at its end.
fn object(members: &[(&str, Option<&str>)]) -> String {
    let mut out = String::from("{");
    for (name, value) in members {
        let Some(value) = value else { continue };
        if out.len() > 1 {
            out.push(',');
        }
        push_string(&mut out, name);
        out.push(':');
        push_string(&mut out, value);
    }
    out
}
