//! Typed accessors of the extensions that mean something here.
//!
//! On the wire all of them are text. A foreign event may hold anything under these names: what
//! cannot be read as its type is absent, and the text stays what it was.

use super::{Envelope, Extension, names};

impl Envelope {
    /// Returns `tenantid`: the tenant that owns the event.
    #[must_use]
    pub fn tenantid(&self) -> Option<&str> {
        self.text(names::TENANT)
    }

    /// Returns `correlationid`: the id shared by everything that came from one root event.
    #[must_use]
    pub fn correlationid(&self) -> Option<&str> {
        self.text(names::CORRELATION_ID)
    }

    /// Returns `causationid`: the id of the event that caused this one.
    #[must_use]
    pub fn causationid(&self) -> Option<&str> {
        self.text(names::CAUSATION_ID)
    }

    /// Returns `traceparent`: the W3C trace context.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.text(names::TRACEPARENT)
    }

    /// Returns `traceid`: the trace alone, 32 hexadecimal digits.
    #[must_use]
    pub fn traceid(&self) -> Option<&str> {
        self.text(names::TRACE_ID)
    }

    /// Returns `tracestate`: the W3C trace state.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.text(names::TRACESTATE)
    }

    /// Returns `partitionkey`: events of one key keep their order.
    #[must_use]
    pub fn partitionkey(&self) -> Option<&str> {
        self.text(names::PARTITION_KEY)
    }

    /// Returns `sequence`: the position among the events of its source.
    #[must_use]
    pub fn sequence(&self) -> Option<&str> {
        self.text(names::SEQUENCE)
    }

    /// Returns `entitytype`: the kind of the entity that changed.
    #[must_use]
    pub fn entitytype(&self) -> Option<&str> {
        self.text(names::ENTITY_TYPE)
    }

    /// Returns `entityversion`: the version of the entity after the change.
    #[must_use]
    pub fn entityversion(&self) -> Option<u64> {
        self.text(names::ENTITY_VERSION)
            .and_then(|text| text.parse().ok())
    }

    /// Returns `schemaversion`: of a dotted version, as the older form has them, the first number.
    #[must_use]
    pub fn schemaversion(&self) -> Option<u32> {
        let text = self.text(names::SCHEMA_VERSION)?;
        text.split('.').next().and_then(|major| major.parse().ok())
    }

    /// Returns `actor`: who did it.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.text(names::ACTOR)
    }

    /// Returns `onbehalfof`: for whom the actor did it.
    #[must_use]
    pub fn onbehalfof(&self) -> Option<&str> {
        self.text(names::ON_BEHALF_OF)
    }

    /// Returns `reason`: why it was done.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.text(names::REASON)
    }

    /// Returns `depth`: the length of the chain of causes, 0 for a root event. A number beyond
    /// 65,535 reads as 65,535, so that no bound on depth can be passed by writing a larger one.
    #[must_use]
    pub fn depth(&self) -> Option<u16> {
        let text = self.text(names::DEPTH)?;
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u16::MAX))
    }

    /// Says whether `muted` is set: the event is replayed, imported or backfilled and causes
    /// nothing.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        self.text(names::MUTED) == Some("true")
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.extensions.get(name) {
            Some(Extension::Text(text)) => Some(text),
            _ => None,
        }
    }
}
