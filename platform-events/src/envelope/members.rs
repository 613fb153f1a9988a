//! The top level of a JSON object, each member once and its value still raw.
//!
//! Every JSON reader here starts with this one pass: names and raw values are borrowed from the
//! input, nothing below the top level is parsed, and no depth of nesting can exhaust the stack.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{EnvelopeError, EnvelopeErrorKind};

/// Most members that the top level may have, including those that will be dropped.
const MEMBERS_MAX: usize = 128;
/// Room for an event with all attributes and the usual extensions.
const MEMBERS_USUAL: usize = 24;

/// Names with raw JSON values, in the order of the input.
#[derive(Debug)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads one JSON object; a name given twice or too many names are refused.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, EnvelopeError> {
        // Checked as a whole, UTF-8 costs a third of what it costs string by string.
        let json = std::str::from_utf8(json).map_err(EnvelopeError::not_json)?;
        let scan: Scan<'a> = serde_json::from_str(json).map_err(EnvelopeError::not_json)?;
        scan.fault.map_or(Ok(Self(scan.members)), Err)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, raw)| (name.as_ref(), *raw))
    }

    /// The raw value of a member that is there and not null: null is unset (CloudEvents JSON
    /// format, section 2.2).
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.present(name).filter(|raw| *raw != "null")
    }

    /// The raw value of a member, null included.
    pub(super) fn present(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(member, _)| *member == name)
            .map(|(_, raw)| raw)
    }

    /// The text of a member that is there and not null.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, EnvelopeError> {
        self.raw(name).map(|raw| text(name, raw)).transpose()
    }
}

/// Reads a raw JSON string; without an escape in it, it is lent.
pub(super) fn text<'a>(name: &str, raw: &'a str) -> Result<Cow<'a, str>, EnvelopeError> {
    let Some(inner) = raw
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        let mend = "write it in quotes";
        return Err(EnvelopeError::new(
            EnvelopeErrorKind::WrongType,
            name,
            "is not a JSON string",
            mend,
        ));
    };
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw).map(Cow::Owned).map_err(|error| {
        let mend = "write surrogates in pairs";
        EnvelopeError::new(
            EnvelopeErrorKind::Malformed,
            name,
            "has an escape that is no character",
            mend,
        )
        .caused_by(error)
    })
}

/// What one pass found. A fault is carried out of it as a value, because serde's errors could not
/// keep its kind.
struct Scan<'a> {
    members: Vec<(Cow<'a, str>, &'a str)>,
    /// One bit for each kind of name that was seen; most new names need no comparison.
    marks: u64,
    fault: Option<EnvelopeError>,
}

/// The bit of a name, by its length and its ends.
fn mark(name: &str) -> u64 {
    let end = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
    let bytes = name.as_bytes();
    // The factor keeps the usual names apart.
    let mix = end(bytes.first()) + end(bytes.last()) * 23 + bytes.len();
    1 << (mix % 64)
}

impl<'a> Scan<'a> {
    fn add(&mut self, name: Cow<'a, str>, raw: &'a str) {
        let mark = mark(&name);
        if self.marks & mark != 0 && self.members.iter().any(|(member, _)| *member == name) {
            self.fault = Some(EnvelopeError::duplicate(&name));
        } else if self.members.len() == MEMBERS_MAX {
            let fact = format!("has more than {MEMBERS_MAX} members");
            let mend = "move them into the payload";
            self.fault = Some(EnvelopeError::new(
                EnvelopeErrorKind::TooMany,
                "event",
                fact,
                mend,
            ));
        } else {
            self.marks |= mark;
            self.members.push((name, raw));
        }
    }
}

impl<'de> Deserialize<'de> for Scan<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ScanVisitor)
    }
}

struct ScanVisitor;

impl<'de> Visitor<'de> for ScanVisitor {
    type Value = Scan<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut scan = Scan {
            members: Vec::with_capacity(MEMBERS_USUAL),
            marks: 0,
            fault: None,
        };
        while scan.fault.is_none() {
            let Some(Name(name)) = map.next_key()? else {
                return Ok(scan);
            };
            scan.add(name, map.next_value::<&'de RawValue>()?.get());
        }
        // The rest is only walked over: what is refused must not cost more than its bytes.
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(scan)
    }
}

/// A member name, lent by the input unless it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}
