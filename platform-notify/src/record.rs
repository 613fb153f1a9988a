//! The table of notifications: who was told what, made from the event alone.

use chrono::{DateTime, Utc};
use platform_core::{Error, Key, TenantId, Tx};
use platform_events::Received;

/// The only channel so far.
const CHANNEL: &str = "mail";
/// Raised by a deliberate second sending, which does not exist yet.
const GENERATION: &str = "0";

/// What all notifications of one event have in common.
pub(crate) struct Facts {
    tenant: TenantId,
    event: Key,
    key: String,
    correlation_id: String,
    causation_id: Option<String>,
    pub(crate) occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    event_id: String,
    pub(crate) is_muted: bool,
}

impl Facts {
    pub(crate) fn of<T>(event: &Received<T>) -> Self {
        let envelope = event.envelope();
        Self {
            tenant: event.tenant().clone(),
            event: event.identity(),
            key: event.key().to_owned(),
            correlation_id: event.correlation_id().to_owned(),
            causation_id: event.causation_id().map(str::to_owned),
            occurred_at: event.occurred_at(),
            recorded_at: event.recorded_at(),
            event_id: envelope.id().to_owned(),
            is_muted: event.is_muted(),
        }
    }

    /// The identity of what `rule` tells `recipient`.
    pub(crate) fn id(&self, rule: &str, recipient: &str) -> Key {
        let fields = [
            self.tenant.as_str().as_bytes(),
            self.event.as_bytes(),
            rule.as_bytes(),
            recipient.as_bytes(),
            CHANNEL.as_bytes(),
            GENERATION.as_bytes(),
        ];
        Key::of("notification", &fields)
    }

    /// Writes the row; false when it is there already.
    pub(crate) async fn insert(
        &self,
        tx: &mut Tx,
        id: Key,
        rule: &str,
        recipient: &str,
    ) -> Result<bool, Error> {
        let (state, code) = if self.is_muted {
            ("skipped", Some("muted"))
        } else {
            ("sent", None)
        };
        let inserted = tx
            .query(INSERT)
            .bind(id)
            .bind(&self.tenant)
            .bind(&self.key)
            .bind(&self.correlation_id)
            .bind(self.causation_id.clone())
            .bind(self.occurred_at)
            .bind(self.recorded_at)
            .bind(&self.event_id)
            .bind(rule)
            .bind(recipient)
            .bind(CHANNEL)
            .bind(state)
            .bind(code)
            .execute()
            .await?;
        Ok(inserted > 0)
    }
}

const INSERT: &str =
    "insert into platform_notification (id, tenant, key, correlation_id, causation_id,
        occurred_at, recorded_at, event_id, rule, recipient, channel, state, code)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    on conflict (id) do nothing";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_notification_never_changes() {
        let facts = Facts {
            tenant: TenantId::default(),
            event: Key::of("event-id", &["", "shop", "1"].map(str::as_bytes)),
            key: "order/O-1".into(),
            correlation_id: "1".into(),
            causation_id: None,
            occurred_at: DateTime::UNIX_EPOCH,
            recorded_at: DateTime::UNIX_EPOCH,
            event_id: "1".into(),
            is_muted: false,
        };
        let id = facts.id("order-shipped", "ada@example.com");
        assert_eq!(id.to_string(), "b4259035-8ab6-82a1-8775-81715f8eb608");
    }
}
