//! To and from the event of the official CloudEvents library.
//!
//! That type holds JSON parsed and URLs normalised, so not every byte can pass through it. A JSON
//! payload goes over parsed only where that loses nothing.

use bytes::Bytes;
use cloudevents::event::{
    AttributesReader as _, AttributesWriter as _, EventBuilder as _, EventBuilderV10,
    ExtensionValue, TryIntoUrl as _,
};
use cloudevents::{Data, Event};

use super::attributes::Origin;
use super::content::{self, Body, Format};
use super::error::{EnvelopeError, EnvelopeErrorKind};
use super::parts::Parts;
use super::time::Time;
use super::{Envelope, Extension};

/// Gives the event of the official library.
///
/// A JSON payload becomes [`Data::Json`] if it comes back from there byte for byte, else
/// [`Data::Binary`] with the bytes as published: nothing is rounded or sorted. The offset of `time`
/// is lost and `dataschema` is normalised.
///
/// # Errors
///
/// If the library cannot hold `dataschema` as a URL, or refuses an attribute that it requires.
impl TryFrom<&Envelope> for Event {
    type Error = EnvelopeError;

    fn try_from(envelope: &Envelope) -> Result<Self, EnvelopeError> {
        let mut event = EventBuilderV10::new()
            .id(envelope.id())
            .source(envelope.source())
            .ty(envelope.event_type())
            .build()
            .map_err(|error| refused("event").caused_by(error))?;
        let schema = envelope.dataschema().map(|uri| uri.into_url()).transpose();
        event.set_dataschema(schema.map_err(|error| refused("dataschema").caused_by(error))?);
        event.set_subject(envelope.subject());
        event.set_time(envelope.time());
        event.set_datacontenttype(envelope.datacontenttype());
        if !envelope.data().is_empty() {
            event.set_data_unchecked(give_data(envelope));
        }
        for (name, value) in envelope.extensions() {
            event.set_extension(name, give_extension(value));
        }
        Ok(event)
    }
}

/// Takes an event of the official library, by the rules for received events; version 0.3 is taken
/// as 1.0.
///
/// Text under a JSON content type is taken as the JSON that it must be. Numbers beyond 32 bits
/// become text.
///
/// # Errors
///
/// If the event breaks a rule of CloudEvents 1.0, which that library does not check.
impl TryFrom<Event> for Envelope {
    type Error = EnvelopeError;

    fn try_from(mut event: Event) -> Result<Self, EnvelopeError> {
        let (datacontenttype, dataschema, data) = event.take_data();
        let mut parts = Parts {
            id: Some(event.id().to_owned()),
            source: Some(event.source().to_owned()),
            event_type: Some(event.ty().to_owned()),
            subject: event.subject().map(str::to_owned),
            time: event.time().copied().map(Time::of).transpose()?,
            dataschema: dataschema.map(String::from),
            body: data.map_or(Ok(Body::Absent), |data| {
                take_data(data, datacontenttype.as_deref())
            })?,
            datacontenttype,
            ..Parts::default()
        };
        for (name, value) in event.iter_extensions() {
            parts.extensions.read(name, take_extension(value))?;
        }
        parts.close(Origin::Foreign)
    }
}

fn give_data(envelope: &Envelope) -> Data {
    let bytes = envelope.data();
    match envelope.format() {
        Format::Text => Data::String(String::from_utf8_lossy(bytes).into_owned()),
        Format::Json => parsed(bytes).unwrap_or_else(|| Data::Binary(bytes.to_vec())),
        Format::Binary => Data::Binary(bytes.to_vec()),
    }
}

/// The payload parsed, if parsing is lossless.
fn parsed(bytes: &Bytes) -> Option<Data> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let is_same = serde_json::to_vec(&value).is_ok_and(|written| written == *bytes);
    is_same.then_some(Data::Json(value))
}

fn take_data(data: Data, datacontenttype: Option<&str>) -> Result<Body, EnvelopeError> {
    match data {
        Data::Binary(bytes) => Ok(Body::Raw(Bytes::from(bytes))),
        Data::String(text) => Ok(Body::Raw(Bytes::from(text))),
        Data::Json(value) => match value {
            // The library writes a JSON string under another content type as the text that it is.
            serde_json::Value::String(text) if !content::is_json(datacontenttype) => {
                Ok(Body::Raw(Bytes::from(text)))
            }
            value => {
                let bytes =
                    serde_json::to_vec(&value).map_err(|error| refused("data").caused_by(error))?;
                Ok(Body::Json(Bytes::from(bytes)))
            }
        },
    }
}

fn give_extension(value: &Extension) -> ExtensionValue {
    match value {
        Extension::Text(text) => ExtensionValue::String(text.clone()),
        Extension::Bool(value) => ExtensionValue::Boolean(*value),
        Extension::Int(number) => ExtensionValue::Integer(i64::from(*number)),
    }
}

fn take_extension(value: &ExtensionValue) -> Extension {
    match value {
        ExtensionValue::String(text) => Extension::Text(text.clone()),
        ExtensionValue::Boolean(value) => Extension::Bool(*value),
        ExtensionValue::Integer(number) => i32::try_from(*number)
            .map_or_else(|_| Extension::Text(number.to_string()), Extension::Int),
    }
}

fn refused(attribute: &str) -> EnvelopeError {
    let mend = "send this event in a mode of its own";
    EnvelopeError::new(
        EnvelopeErrorKind::InvalidForm,
        attribute,
        "does not fit the CloudEvents library",
        mend,
    )
}
