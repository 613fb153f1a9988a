//! The stamp of a relayed event: when it was sent, and which event of its key this relay sent before it.
//!
//! Three extensions, named within the rules of CloudEvents 1.0, section 3.1. Times are the sender's, RFC 3339 in
//! microseconds; the receiver compares them with each other and never with its own clock alone.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::envelope::{Envelope, EnvelopeError};

/// The id of the event of the same key that was sent before.
const PREDECESSOR: &str = "predecessor";
/// When that one was sent.
const PREDECESSOR_SENT_AT: &str = "predecessorsentat";
/// When this one was sent.
const SENT_AT: &str = "sentat";
/// The longest id, as the envelope has it for received events.
const ID_MAX: usize = 1_024;

/// What a relay says of the way of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) sent_at: DateTime<Utc>,
    pub(crate) predecessor: Option<Predecessor>,
}

/// The event of the same key that was sent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Predecessor {
    pub(crate) id: String,
    pub(crate) sent_at: DateTime<Utc>,
}

/// Why the stamp of an event is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StampFault {
    Time(&'static str),
    Ahead,
    Incomplete,
    Itself,
    LongId,
}

impl fmt::Display for StampFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(name) => write!(f, "{name} is no time in RFC 3339"),
            Self::Ahead => write!(f, "{SENT_AT} is more than a day ahead"),
            Self::Incomplete => write!(
                f,
                "{PREDECESSOR}, {PREDECESSOR_SENT_AT} and {SENT_AT} come together or not at all"
            ),
            Self::Itself => write!(f, "{PREDECESSOR} names the event itself"),
            Self::LongId => write!(f, "{PREDECESSOR} has more than {ID_MAX} bytes"),
        }
    }
}

/// How far a sender's clock may be ahead: one event from the far future would spoil the comparison of the two
/// clocks for good.
const AHEAD_MAX: TimeDelta = TimeDelta::hours(24);

impl Stamp {
    /// Refuses a sender whose clock is no clock. `now` is only as good as two clocks a day apart need it.
    pub(crate) fn check(&self, now: DateTime<Utc>) -> Result<(), StampFault> {
        if self.sent_at > now + AHEAD_MAX {
            return Err(StampFault::Ahead);
        }
        Ok(())
    }

    /// Puts the stamp onto an event; one that was there is replaced.
    pub(crate) fn put(&self, envelope: Envelope) -> Result<Envelope, EnvelopeError> {
        let envelope = envelope
            .without_extension(PREDECESSOR)
            .without_extension(PREDECESSOR_SENT_AT)
            .with_extension(SENT_AT, text(self.sent_at))?;
        match &self.predecessor {
            None => Ok(envelope),
            Some(before) => envelope
                .with_extension(PREDECESSOR, before.id.as_str())?
                .with_extension(PREDECESSOR_SENT_AT, text(before.sent_at)),
        }
    }

    /// Reads the stamp of an event; nothing when it has none.
    pub(crate) fn read(envelope: &Envelope) -> Result<Option<Self>, StampFault> {
        let value = |name| envelope.extension(name).map(|value| value.as_text());
        let time = |name| {
            let read = |text: &str| DateTime::parse_from_rfc3339(text);
            let time = value(name).map(|text| read(&text)).transpose();
            time.map(|time| time.map(|time| time.to_utc()))
                .map_err(|_| StampFault::Time(name))
        };
        let before = (value(PREDECESSOR), time(PREDECESSOR_SENT_AT)?);
        match (time(SENT_AT)?, before) {
            (None, (None, None)) => Ok(None),
            (Some(sent_at), (None, None)) => Ok(Some(Self {
                sent_at,
                predecessor: None,
            })),
            (Some(_), (Some(id), Some(_))) if id == envelope.id() => Err(StampFault::Itself),
            (Some(_), (Some(id), Some(_))) if id.len() > ID_MAX => Err(StampFault::LongId),
            (Some(sent_at), (Some(id), Some(before))) => Ok(Some(Self {
                sent_at,
                predecessor: Some(Predecessor {
                    id: id.into_owned(),
                    sent_at: before,
                }),
            })),
            _ => Err(StampFault::Incomplete),
        }
    }
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Envelope {
        Envelope::builder("id-2", "orders", "order.shipped")
            .build()
            .unwrap()
    }

    fn at(micros: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(micros).unwrap()
    }

    #[test]
    fn a_stamp_survives_the_wire() {
        let before = Predecessor {
            id: "id-1".into(),
            sent_at: at(1_700_000_000_000_001),
        };
        for predecessor in [None, Some(before)] {
            let stamp = Stamp {
                sent_at: at(1_700_000_000_123_456),
                predecessor,
            };
            let wire = stamp.put(event()).unwrap().to_json();
            let read = Envelope::from_json(&wire).unwrap();
            assert_eq!(Stamp::read(&read), Ok(Some(stamp)));
        }
    }

    #[test]
    fn the_names_on_the_wire_never_change() {
        let stamp = Stamp {
            sent_at: at(0),
            predecessor: Some(Predecessor {
                id: "id-1".into(),
                sent_at: at(1),
            }),
        };
        let wire = String::from_utf8(stamp.put(event()).unwrap().to_json()).unwrap();
        for member in [
            r#""predecessor":"id-1""#,
            r#""predecessorsentat":"1970-01-01T00:00:00.000001Z""#,
            r#""sentat":"1970-01-01T00:00:00.000000Z""#,
        ] {
            assert!(wire.contains(member), "{wire}");
        }
    }

    #[test]
    fn a_stamp_that_is_none_says_why() {
        let time = "2026-01-31T09:30:00Z";
        let cases: [(&[(&str, &str)], StampFault); 5] = [
            (&[(SENT_AT, "yesterday")], StampFault::Time(SENT_AT)),
            (&[(PREDECESSOR, "id-1")], StampFault::Incomplete),
            (
                &[(PREDECESSOR, "id-1"), (PREDECESSOR_SENT_AT, time)],
                StampFault::Incomplete,
            ),
            (
                &[(PREDECESSOR_SENT_AT, "no"), (SENT_AT, time)],
                StampFault::Time(PREDECESSOR_SENT_AT),
            ),
            (
                &[
                    (PREDECESSOR, "id-2"),
                    (PREDECESSOR_SENT_AT, time),
                    (SENT_AT, time),
                ],
                StampFault::Itself,
            ),
        ];
        for (extensions, fault) in cases {
            let put = |event: Envelope, (name, value): &(&str, &str)| {
                event.with_extension(name, *value).unwrap()
            };
            let event = extensions.iter().fold(event(), put);
            assert_eq!(Stamp::read(&event), Err(fault));
        }
        assert_eq!(Stamp::read(&event()), Ok(None));
    }
}
