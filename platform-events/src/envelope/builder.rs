//! Building an event of our own.
//!
//! Setters only collect; [`Builder::build`] checks, so that a chain reads without question marks.

use std::borrow::Cow;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::attributes::Origin;
use super::content::{Body, JSON};
use super::error::{EnvelopeError, check_size};
use super::names;
use super::parts::Parts;
use super::time::Time;
use super::{Envelope, Extension, PUBLISH_MAX};

/// Collects the attributes and the payload of one event. The last value of an attribute counts.
#[must_use = "a builder does nothing until it is built"]
#[derive(Clone)]
pub struct Builder {
    id: String,
    source: String,
    event_type: String,
    subject: Option<String>,
    time: Option<DateTime<Utc>>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    extensions: Vec<(Cow<'static, str>, Extension)>,
    data: Bytes,
    payload_max: usize,
}

impl Builder {
    pub(super) fn new(id: String, source: String, event_type: String) -> Self {
        Self {
            id,
            source,
            event_type,
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: Vec::new(),
            data: Bytes::new(),
            payload_max: PUBLISH_MAX,
        }
    }

    /// Sets what the event happened to.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets when it happened; written with 0, 3, 6 or 9 decimals of the second.
    pub fn time(mut self, time: DateTime<Utc>) -> Self {
        self.time = Some(time);
        self
    }

    /// Sets the URI of the payload's schema.
    pub fn dataschema(mut self, dataschema: impl Into<String>) -> Self {
        self.dataschema = Some(dataschema.into());
        self
    }

    /// Sets what the payload is; without it, it is JSON.
    pub fn datacontenttype(mut self, media_type: impl Into<String>) -> Self {
        self.datacontenttype = Some(media_type.into());
        self
    }

    /// Sets the payload. JSON is published byte for byte, without the whitespace around the value.
    pub fn data(mut self, data: impl Into<Bytes>) -> Self {
        self.data = data.into();
        self
    }

    /// Sets a JSON payload and says so.
    pub fn json(self, data: impl Into<Bytes>) -> Self {
        self.datacontenttype(JSON).data(data)
    }

    /// Sets the largest payload in bytes, [`PUBLISH_MAX`] unless told; more than
    /// [`RECEIVE_MAX`](super::RECEIVE_MAX) is refused in any case, because nobody would read it.
    pub fn payload_max(mut self, bytes: usize) -> Self {
        self.payload_max = bytes;
        self
    }

    /// Sets an extension by its name on the wire.
    pub fn extension(self, name: impl Into<String>, value: impl Into<Extension>) -> Self {
        self.put(Cow::Owned(name.into()), value.into())
    }

    /// Sets the tenant that owns the event.
    pub fn tenantid(self, tenant: impl Into<String>) -> Self {
        self.text(names::TENANT, tenant)
    }

    /// Sets the id shared by everything that came from one root event.
    pub fn correlationid(self, id: impl Into<String>) -> Self {
        self.text(names::CORRELATION_ID, id)
    }

    /// Sets the id of the event that caused this one.
    pub fn causationid(self, id: impl Into<String>) -> Self {
        self.text(names::CAUSATION_ID, id)
    }

    /// Sets the W3C trace context.
    pub fn traceparent(self, traceparent: impl Into<String>) -> Self {
        self.text(names::TRACEPARENT, traceparent)
    }

    /// Sets the trace alone, 32 hexadecimal digits.
    pub fn traceid(self, id: impl Into<String>) -> Self {
        self.text(names::TRACE_ID, id)
    }

    /// Sets the W3C trace state.
    pub fn tracestate(self, tracestate: impl Into<String>) -> Self {
        self.text(names::TRACESTATE, tracestate)
    }

    /// Sets the key of order.
    pub fn partitionkey(self, key: impl Into<String>) -> Self {
        self.text(names::PARTITION_KEY, key)
    }

    /// Sets the position among the events of the source.
    pub fn sequence(self, sequence: impl Into<String>) -> Self {
        self.text(names::SEQUENCE, sequence)
    }

    /// Sets the kind of the entity that changed.
    pub fn entitytype(self, kind: impl Into<String>) -> Self {
        self.text(names::ENTITY_TYPE, kind)
    }

    /// Sets the version of the entity after the change.
    pub fn entityversion(self, version: u64) -> Self {
        self.text(names::ENTITY_VERSION, version.to_string())
    }

    /// Sets the version of the payload's schema.
    pub fn schemaversion(self, version: u32) -> Self {
        self.text(names::SCHEMA_VERSION, version.to_string())
    }

    /// Sets who did it.
    pub fn actor(self, actor: impl Into<String>) -> Self {
        self.text(names::ACTOR, actor)
    }

    /// Sets for whom the actor did it.
    pub fn onbehalfof(self, actor: impl Into<String>) -> Self {
        self.text(names::ON_BEHALF_OF, actor)
    }

    /// Sets why it was done.
    pub fn reason(self, reason: impl Into<String>) -> Self {
        self.text(names::REASON, reason)
    }

    /// Sets the length of the chain of causes.
    pub fn depth(self, depth: u16) -> Self {
        self.text(names::DEPTH, depth.to_string())
    }

    /// Marks the event as replayed, imported or backfilled, or takes the mark off.
    pub fn muted(mut self, is_muted: bool) -> Self {
        self.extensions.retain(|(name, _)| name != names::MUTED);
        if is_muted {
            return self.text(names::MUTED, "true");
        }
        self
    }

    /// Builds the envelope.
    ///
    /// # Errors
    ///
    /// If an attribute breaks the rules for published events (see the [module](super)), if the
    /// payload is larger than its bound, or if the content type says JSON and the payload is none.
    pub fn build(self) -> Result<Envelope, EnvelopeError> {
        check_size("data", self.data.len(), self.payload_max)?;
        let mut parts = Parts {
            id: Some(self.id),
            source: Some(self.source),
            event_type: Some(self.event_type),
            subject: self.subject,
            time: self.time.map(Time::of).transpose()?,
            datacontenttype: self.datacontenttype,
            dataschema: self.dataschema,
            body: Body::Raw(self.data),
            ..Parts::default()
        };
        for (name, value) in self.extensions {
            parts.extensions.set(&name, value)?;
        }
        parts.close(Origin::Own)
    }

    fn text(self, name: &'static str, value: impl Into<String>) -> Self {
        self.put(Cow::Borrowed(name), Extension::Text(value.into()))
    }

    fn put(mut self, name: Cow<'static, str>, value: Extension) -> Self {
        self.extensions.push((name, value));
        self
    }
}

impl std::fmt::Debug for Builder {
    /// Shows what names the event, as [`Envelope`] does.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Builder")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("type", &self.event_type)
            .finish_non_exhaustive()
    }
}
