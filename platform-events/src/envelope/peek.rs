//! Looking at an event without reading it: for routing.

use std::borrow::Cow;

use super::RECEIVE_MAX;
use super::attributes::{ID, Origin, Rule, SOURCE, SUBJECT, TYPE};
use super::error::{EnvelopeError, check_size};
use super::legacy;
use super::members::Members;

/// What routing needs of an event in structured mode, lent by its bytes.
///
/// The four attributes are checked as in [`Envelope::from_json`](super::Envelope::from_json),
/// nothing else is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peek<'a> {
    id: Cow<'a, str>,
    source: Cow<'a, str>,
    event_type: Cow<'a, str>,
    subject: Option<Cow<'a, str>>,
    data: Option<&'a str>,
    is_base64: bool,
}

impl<'a> Peek<'a> {
    /// Returns `id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns `source`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns `type`.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Returns `subject`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Returns the JSON text of `data`, or of `data_base64`, as it stands in the message.
    #[must_use]
    pub fn data(&self) -> Option<&'a str> {
        self.data
    }

    /// Says whether [`data`](Self::data) is the quoted text of `data_base64`.
    #[must_use]
    pub fn is_base64(&self) -> bool {
        self.is_base64
    }
}

/// Looks at one event in structured mode, or in the platform's older form, without parsing its
/// payload.
///
/// # Errors
///
/// If the input is larger than [`RECEIVE_MAX`], is not one JSON object, names a member twice, has
/// no `specversion` 1.0 where the form asks for it, or one of the four attributes breaks its rule.
pub fn peek(json: &[u8]) -> Result<Peek<'_>, EnvelopeError> {
    check_size("event", json.len(), RECEIVE_MAX)?;
    let members = Members::parse(json)?;
    let is_legacy = legacy::is_legacy(&members);
    if !is_legacy {
        super::json::check_version(&members)?;
    }
    let base64 = members.raw("data_base64").filter(|_| !is_legacy);
    let data = members.present("data");
    Ok(Peek {
        id: required(&members, &ID)?,
        source: required(&members, &SOURCE)?,
        event_type: required(&members, &TYPE)?,
        subject: if is_legacy {
            None
        } else {
            optional(&members, &SUBJECT)?
        },
        data: data.or(base64),
        is_base64: data.is_none() && base64.is_some(),
    })
}

fn required<'a>(members: &Members<'a>, rule: &Rule) -> Result<Cow<'a, str>, EnvelopeError> {
    optional(members, rule)?.ok_or_else(|| EnvelopeError::missing(rule.attribute()))
}

fn optional<'a>(members: &Members<'a>, rule: &Rule) -> Result<Option<Cow<'a, str>>, EnvelopeError> {
    let value = members.text(rule.attribute())?;
    if let Some(value) = &value {
        rule.check(value, Origin::Foreign)?;
    }
    Ok(value)
}
