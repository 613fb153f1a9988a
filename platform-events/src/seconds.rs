//! Spans of time as JSON: seconds, with a fraction.

use std::time::Duration;

use serde::Serializer;

pub(crate) fn exact<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
pub(crate) fn maybe<S: Serializer>(
    span: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => exact(span, serializer),
        None => serializer.serialize_none(),
    }
}
