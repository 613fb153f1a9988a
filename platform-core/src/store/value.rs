//! Parameters of a uniform statement: each keeps its type also when it is absent, as PostgreSQL needs it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{CorrelationId, Key, TenantId};

/// One parameter of a [`Query`](super::Query); `None` is SQL's null.
///
/// Times are `timestamptz` on PostgreSQL and integer microseconds since 1970 on SQLite; spans are `interval`
/// and integer microseconds, so that `time + span` is one SQL text.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `boolean`, or 0 and 1.
    Bool(Option<bool>),
    /// `bigint`; an unsigned number above 2^63 - 1 becomes that one.
    Int(Option<i64>),
    /// `double precision`.
    Real(Option<f64>),
    /// `text`.
    Text(Option<String>),
    /// `bytea`, or a blob.
    Bytes(Option<Vec<u8>>),
    /// `uuid`, or a blob of 16 bytes.
    Uuid(Option<Uuid>),
    /// A point in time.
    Time(Option<DateTime<Utc>>),
    /// A span of time.
    Span(Option<Duration>),
}

macro_rules! value {
    ($($from:ty => $variant:ident($convert:expr)),+ $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(Some($convert(value)))
            }
        }

        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map($convert))
            }
        }
    )+};
}

value! {
    bool => Bool(std::convert::identity),
    i64 => Int(std::convert::identity),
    i32 => Int(i64::from),
    i16 => Int(i64::from),
    u64 => Int(signed),
    usize => Int(|number: usize| signed(number as u64)),
    u32 => Int(i64::from),
    u16 => Int(i64::from),
    u8 => Int(i64::from),
    f64 => Real(std::convert::identity),
    String => Text(std::convert::identity),
    &str => Text(str::to_owned),
    &String => Text(String::clone),
    Vec<u8> => Bytes(std::convert::identity),
    &[u8] => Bytes(<[u8]>::to_vec),
    Uuid => Uuid(std::convert::identity),
    Key => Uuid(|key: Key| key.as_uuid()),
    &Key => Uuid(Key::as_uuid),
    TenantId => Text(String::from),
    &TenantId => Text(|tenant: &TenantId| tenant.as_str().to_owned()),
    &CorrelationId => Text(|id: &CorrelationId| id.as_str().to_owned()),
    DateTime<Utc> => Time(std::convert::identity),
    Duration => Span(std::convert::identity),
}

/// Converts what no column holds above 2^63 - 1; greater numbers become that one.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Converts a span to whole microseconds, at most what 63 bits hold.
pub(super) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
