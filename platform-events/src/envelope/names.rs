//! The names of attributes: the extensions that mean something here by their names on the wire, and
//! what other extensions may be called.

use super::attributes::Origin;

/// Who did it, for example `user:42`.
pub(super) const ACTOR: &str = "actor";
/// Id of the event that caused this one.
pub(super) const CAUSATION_ID: &str = "causationid";
/// Id shared by everything that came from one root event.
pub(super) const CORRELATION_ID: &str = "correlationid";
/// Length of the chain of causes, 0 for a root event.
pub(super) const DEPTH: &str = "depth";
/// Kind of the entity that changed.
pub(super) const ENTITY_TYPE: &str = "entitytype";
/// Version of the entity after the change, in decimal.
pub(super) const ENTITY_VERSION: &str = "entityversion";
/// `true` on replayed, imported and backfilled events: no consequences.
pub(super) const MUTED: &str = "muted";
/// For whom the actor did it.
pub(super) const ON_BEHALF_OF: &str = "onbehalfof";
/// Key of order (CloudEvents partitioning extension).
pub(super) const PARTITION_KEY: &str = "partitionkey";
/// Why it was done, in words.
pub(super) const REASON: &str = "reason";
/// Version of the payload's schema, in decimal.
pub(super) const SCHEMA_VERSION: &str = "schemaversion";
/// Position among the events of its source (CloudEvents sequence extension).
pub(super) const SEQUENCE: &str = "sequence";
/// Tenant that owns the event.
pub(super) const TENANT: &str = "tenantid";
/// Trace id, 32 hexadecimal digits.
pub(super) const TRACE_ID: &str = "traceid";
/// W3C trace context (CloudEvents distributed tracing extension).
pub(super) const TRACEPARENT: &str = "traceparent";
/// W3C trace state (CloudEvents distributed tracing extension).
pub(super) const TRACESTATE: &str = "tracestate";

/// Longest extension name: CloudEvents 1.0, section 3.1 recommends 20; foreign names may be longer.
const NAME_OWN_MAX: usize = 20;
const NAME_FOREIGN_MAX: usize = 64;

/// The constant for a known extension's name, so that keeping it costs no allocation.
pub(super) fn known(name: &str) -> Option<&'static str> {
    Some(match name {
        ACTOR => ACTOR,
        CAUSATION_ID => CAUSATION_ID,
        CORRELATION_ID => CORRELATION_ID,
        DEPTH => DEPTH,
        ENTITY_TYPE => ENTITY_TYPE,
        ENTITY_VERSION => ENTITY_VERSION,
        MUTED => MUTED,
        ON_BEHALF_OF => ON_BEHALF_OF,
        PARTITION_KEY => PARTITION_KEY,
        REASON => REASON,
        SCHEMA_VERSION => SCHEMA_VERSION,
        SEQUENCE => SEQUENCE,
        TENANT => TENANT,
        TRACE_ID => TRACE_ID,
        TRACEPARENT => TRACEPARENT,
        TRACESTATE => TRACESTATE,
        _ => return None,
    })
}

/// Says whether an extension may have this name: `[a-z0-9]`, bounded, not reserved.
pub(super) fn is_extension_name(name: &str, origin: Origin) -> bool {
    let max_bytes = if origin == Origin::Own {
        NAME_OWN_MAX
    } else {
        NAME_FOREIGN_MAX
    };
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=max_bytes).contains(&name.len()) && name.bytes().all(is_legal) && !is_reserved(name)
}

/// The context attributes of CloudEvents 1.0 and the data member; `data_base64` is no legal name
/// anyway.
fn is_reserved(name: &str) -> bool {
    matches!(
        name,
        "specversion"
            | "id"
            | "source"
            | "type"
            | "subject"
            | "time"
            | "datacontenttype"
            | "dataschema"
            | "data"
    )
}
