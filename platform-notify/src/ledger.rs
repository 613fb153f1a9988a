//! What `why` and `audit` ask of the notifications.

use std::sync::Arc;

use async_trait::async_trait;
use platform_core::{Key, Store};
use platform_events::consequence::{Effect, Ledger, Origin};
use platform_events::envelope::Envelope;
use platform_events::{Error, Received};

use crate::mail::Mail;
use crate::record::Facts;
use crate::rule::Rules;

/// The notifications that some rules make.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) rules: Arc<Rules>,
}

#[async_trait]
impl Ledger for Told {
    fn name(&self) -> &'static str {
        "notification"
    }

    fn handler(&self) -> &'static str {
        "notify"
    }

    fn expected(&self, event: &Received<Envelope>) -> Result<Vec<Key>, String> {
        let facts = Facts::of(event);
        let mails = self.rules.mails(event.envelope())?;
        let id = |mail: &Mail| facts.id(&mail.template, &mail.to.address);
        Ok(mails.iter().map(id).collect())
    }

    async fn effects(
        &self,
        store: &Store,
        event: &Received<Envelope>,
    ) -> Result<Vec<Effect>, Error> {
        let query = store.query(EFFECTS).bind(event.envelope().id());
        let rows = query.bind(event.tenant()).fetch_all().await?;
        let effect = |row: &platform_core::store::Row| {
            let (rule, channel): (String, String) = (row.get("rule")?, row.get("channel")?);
            let what = format!("{rule} by {channel}");
            Ok(Effect {
                kind: self.name(),
                id: row.get("id")?,
                state: row.get("state")?,
                code: row.get("code")?,
                what,
            })
        };
        rows.iter().map(effect).collect()
    }

    async fn origin(&self, store: &Store, id: Key) -> Result<Option<Origin>, Error> {
        let row = store.query(ORIGIN).bind(id).fetch_optional().await?;
        row.as_ref().map(Origin::read).transpose()
    }
}

const EFFECTS: &str = "select id, state, code, rule, channel from platform_notification
    where event_id = $1 and tenant = $2 order by rule, id";
const ORIGIN: &str =
    "select tenant, correlation_id, event_id from platform_notification where id = $1";
