//! What is remembered of one change, made from its stored event alone.
//!
//! Pure: bytes in, values out; knows no store. Values stay the JSON text that was published.

use chrono::{DateTime, Utc};
use platform_core::{ChangePayload, Error, Key, TenantId};
use platform_events::Received;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// One remembered change of an entity.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entry {
    /// Derived from the event and the entity, so a second delivery has the same.
    pub id: Key,
    /// Whose entity it is.
    pub tenant: TenantId,
    /// What the change was ordered by: the event's partition key.
    pub key: String,
    /// What the whole chain of changes has in common.
    pub correlation_id: String,
    /// The event that caused the change, if one did.
    pub causation_id: Option<String>,
    /// When the change happened.
    pub occurred_at: DateTime<Utc>,
    /// When its event was appended to the log.
    pub recorded_at: DateTime<Utc>,
    /// The event that told the change.
    pub event_id: String,
    /// What happened: `order.shipped`.
    pub event_type: String,
    /// The kind of the entity.
    pub entity_kind: String,
    /// The entity's id among its kind and tenant.
    pub entity_id: String,
    /// Which object of this id it is.
    pub incarnation: u64,
    /// The version that the change led to.
    pub version: u64,
    /// The version that it started from; none for a created entity.
    pub previous_version: Option<u64>,
    /// Who did it: `user:42`.
    pub actor: Option<String>,
    /// For whom it was done.
    pub on_behalf_of: Option<String>,
    /// Why it was done.
    pub reason: Option<String>,
    /// Every changed field, in declaration order.
    pub changes: Vec<ChangedField>,
}

/// One changed field with its value before and after, each as the JSON text that was published.
///
/// Both are absent for a secret field: that it changed is all that is known.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChangedField {
    /// Dotted path of the field.
    pub path: String,
    /// The value before, if there was one.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub old: Option<Box<RawValue>>,
    /// The value after, if there is one.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub new: Option<Box<RawValue>>,
}

/// A key that is there has a value, also when that is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl Entry {
    /// Reads a change from its stored event.
    pub(crate) fn of<T>(event: &Received<T>) -> Result<Self, Error> {
        let (envelope, tenant) = (event.envelope(), event.tenant());
        let payload = ChangePayload::parse(envelope.data())?;
        let named = |what: Option<&str>| what.map(str::to_owned);
        let entity = envelope.entitytype().zip(envelope.subject());
        let (kind, id) = entity.ok_or_else(|| {
            Error::invalid("the event names no entity; set its entitytype and its subject")
        })?;
        Ok(Self {
            id: entry_id(tenant, event.identity(), kind, id),
            key: event.key().to_owned(),
            correlation_id: event.correlation_id().to_owned(),
            causation_id: named(event.causation_id()),
            occurred_at: event.occurred_at(),
            recorded_at: event.recorded_at(),
            event_id: envelope.id().to_owned(),
            event_type: envelope.event_type().to_owned(),
            entity_kind: kind.to_owned(),
            entity_id: id.to_owned(),
            incarnation: payload.incarnation(),
            version: payload.version(),
            previous_version: payload.previous_version(),
            actor: named(envelope.actor()),
            on_behalf_of: named(envelope.onbehalfof()),
            reason: named(envelope.reason()),
            changes: changes(&payload)?,
            tenant: tenant.clone(),
        })
    }

    /// The changed fields as they are stored.
    pub(crate) fn changes_json(&self) -> Result<String, Error> {
        serde_json::to_string(&self.changes)
            .map_err(|error| Error::invalid("a changed field cannot be written").with_source(error))
    }
}

fn entry_id(tenant: &TenantId, event: Key, kind: &str, id: &str) -> Key {
    let fields = [
        tenant.as_str().as_bytes(),
        event.as_bytes(),
        kind.as_bytes(),
        id.as_bytes(),
    ];
    Key::of("entry", &fields)
}

fn changes(payload: &ChangePayload<'_>) -> Result<Vec<ChangedField>, Error> {
    let raw = |text: Option<&str>| {
        text.map(|text| RawValue::from_string(text.to_owned()))
            .transpose()
    };
    let field = |field: platform_core::FieldChange<'_>| {
        Ok(ChangedField {
            path: field.path.to_owned(),
            old: raw(field.old)?,
            new: raw(field.new)?,
        })
    };
    let fields: Result<_, serde_json::Error> = payload.diff().into_iter().map(field).collect();
    // The cause is not attached: it quotes the value, which may be personal.
    fields.map_err(|_| Error::invalid("a changed field of the payload is not JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_is_a_value_and_an_absent_value_is_none() {
        let text = r#"[{"path":"a","old":null,"new":1.50},{"path":"token"}]"#;
        let fields: Vec<ChangedField> = serde_json::from_str(text).unwrap();
        assert_eq!(fields[0].old.as_ref().map(|raw| raw.get()), Some("null"));
        assert!(fields[1].old.is_none() && fields[1].new.is_none());
        assert_eq!(serde_json::to_string(&fields).unwrap(), text);
    }

    #[test]
    fn a_changed_event_or_entity_changes_the_id() {
        let tenant = TenantId::default();
        let id = |source: &str, event: &str, entity: &str| {
            let event = Key::of("event-id", &["", source, event].map(str::as_bytes));
            entry_id(&tenant, event, "order", entity)
        };
        assert_eq!(
            id("shop", "1", "a").to_string(),
            "17315ae5-d049-8bc5-bfce-fa3b0ac5cfdd"
        );
        for other in [
            id("post", "1", "a"),
            id("shop", "2", "a"),
            id("shop", "1", "b"),
        ] {
            assert_ne!(id("shop", "1", "a"), other);
        }
    }
}
