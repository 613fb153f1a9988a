//! Rules and forms, each by its table.

use bytes::Bytes;
use chrono::{DateTime, Utc};

mod modes;
mod refusals;
mod values;

use super::EnvelopeErrorKind as Kind;
use super::*;

fn order_shipped() -> Builder {
    Envelope::builder("e-1", "/orders", "order.shipped")
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// A minimal event with more members.
fn event_with(members: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"e-1","source":"/orders","type":"order.shipped"{members}}}"#
    )
}

fn read(members: &str) -> Result<Envelope, EnvelopeError> {
    Envelope::from_json(event_with(members).as_bytes())
}

fn refusal<T>(result: Result<T, EnvelopeError>) -> (Kind, String) {
    let error = result.err().unwrap();
    (error.kind(), error.attribute().to_owned())
}

fn refused(kind: Kind, attribute: &str) -> (Kind, String) {
    (kind, attribute.to_owned())
}
