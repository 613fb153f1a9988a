//! The one gate to an [`Envelope`]: unchecked parts go in, a valid envelope or an error comes out.
//!
//! The builder and every reading mode fill [`Parts`]; none of them knows the rules.

use std::borrow::Cow;

use super::attributes::{self, Origin, Rule};
use super::content::Body;
use super::error::{EnvelopeError, check_size};
use super::extensions::Extensions;
use super::time::Time;
use super::{Envelope, RECEIVE_MAX};

/// What an envelope is made of, before it is checked. Extensions and time are checked when they
/// enter.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) time: Option<Time>,
    pub(super) datacontenttype: Option<String>,
    pub(super) dataschema: Option<String>,
    pub(super) extensions: Extensions,
    pub(super) body: Body,
}

impl Parts {
    /// Sets the context attribute of this name, or says `false` if there is none.
    pub(super) fn set(&mut self, name: &str, value: Cow<'_, str>) -> Result<bool, EnvelopeError> {
        let slot = match name {
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.event_type,
            "subject" => &mut self.subject,
            "datacontenttype" => &mut self.datacontenttype,
            "dataschema" => &mut self.dataschema,
            "time" => {
                let before = self.time.replace(Time::parse(value.into_owned())?);
                return before.map_or(Ok(true), |_| Err(EnvelopeError::duplicate(name)));
            }
            _ => return Ok(false),
        };
        let before = slot.replace(value.into_owned());
        before.map_or(Ok(true), |_| Err(EnvelopeError::duplicate(name)))
    }

    /// Checks every rule and closes the envelope.
    pub(super) fn close(self, origin: Origin) -> Result<Envelope, EnvelopeError> {
        let id = required(&attributes::ID, self.id, origin)?;
        let source = required(&attributes::SOURCE, self.source, origin)?;
        let event_type = required(&attributes::TYPE, self.event_type, origin)?;
        let subject = optional(&attributes::SUBJECT, self.subject, origin)?;
        let datacontenttype = optional(&attributes::DATACONTENTTYPE, self.datacontenttype, origin)?;
        let dataschema = optional(&attributes::DATASCHEMA, self.dataschema, origin)?;
        check_size("data", self.body.len(), RECEIVE_MAX)?;
        let (data, format) = self.body.settle(datacontenttype.as_deref())?;
        Ok(Envelope {
            id,
            source,
            event_type,
            subject,
            time: self.time,
            datacontenttype,
            dataschema,
            extensions: self.extensions,
            data,
            format,
        })
    }
}

fn required(rule: &Rule, value: Option<String>, origin: Origin) -> Result<String, EnvelopeError> {
    let value = value.ok_or_else(|| EnvelopeError::missing(rule.attribute()))?;
    rule.check(&value, origin)?;
    Ok(value)
}

fn optional(
    rule: &Rule,
    value: Option<String>,
    origin: Origin,
) -> Result<Option<String>, EnvelopeError> {
    if let Some(value) = &value {
        rule.check(value, origin)?;
    }
    Ok(value)
}
