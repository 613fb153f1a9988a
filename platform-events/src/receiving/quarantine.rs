//! What must not be appended is kept as it came, within a bound.

use platform_core::{Key, Tx};

use super::appending::Fault;
use super::arrival::Refusal;
use super::receiver::Receiver;
use crate::envelope::RECEIVE_MAX;

/// The longest reason and name kept, in bytes.
const TEXT_MAX: usize = 2_000;
/// The most bytes kept of one delivery: twice what is read.
const RAW_MAX: usize = 2 * RECEIVE_MAX;

impl Receiver {
    /// Puts deliveries into quarantine; the same bytes lie there once.
    pub(super) async fn put_aside(&self, tx: &mut Tx, refusals: &[Refusal]) -> Result<(), Fault> {
        if refusals.is_empty() {
            return Ok(());
        }
        let row = tx.query(COUNT).bind(self.name).fetch_one().await?;
        let there: i64 = row.get("n")?;
        // Where there is room for one there is room for its batch: none may be too large for an empty one.
        if there >= i64::from(self.subscription.quarantine_max) {
            return Err(Fault::Full);
        }
        for refusal in refusals {
            let raw_key = Key::of("quarantine", &[self.name.as_bytes(), &refusal.raw]);
            let kept = &refusal.raw[..refusal.raw.len().min(RAW_MAX)];
            let mut reason = storable(&refusal.reason);
            if kept.len() < refusal.raw.len() {
                reason = format!(
                    "{reason}; of {} bytes the first are kept",
                    refusal.raw.len()
                );
            }
            tx.query(INSERT)
                .bind(self.name)
                .bind(reason)
                .bind(refusal.source.as_deref().map(storable))
                .bind(refusal.event_id.as_deref().map(storable))
                .bind(refusal.id_key)
                .bind(raw_key)
                .bind(kept)
                .execute()
                .await?;
            let (reason, id) = (refusal.reason.as_str(), refusal.event_id.as_deref());
            tracing::warn!(subscription = self.name, id, reason, "quarantined");
        }
        Ok(())
    }
}

/// A text that every database takes: without NUL, and not longer than it helps.
fn storable(text: &str) -> String {
    let text = text.replace('\0', "\u{fffd}");
    let fits = |at: &usize| text.is_char_boundary(*at);
    let end = (0..=TEXT_MAX.min(text.len())).rev().find(fits).unwrap_or(0);
    text[..end].to_owned()
}

const COUNT: &str = "select count(*) as n from platform_quarantine where subscription = $1";
const INSERT: &str = "insert into platform_quarantine
    (subscription, received_at, reason, source, event_id, id_key, raw_key, raw)
    values ($1, (select now from platform_time), $2, $3, $4, $5, $6, $7) on conflict (raw_key) do nothing";
