//! What `why` and `audit` ask of the tasks.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use platform_core::{Key, Store};
use platform_events::consequence::{Effect, Ledger, Origin};
use platform_events::envelope::Envelope;
use platform_events::{Error, Received};

use crate::queue::Enqueued;
use crate::rule::Rules;

/// The tasks that some rules make.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) rules: Arc<Rules>,
}

#[async_trait]
impl Ledger for Queued {
    fn name(&self) -> &'static str {
        "task"
    }

    fn handler(&self) -> &'static str {
        "tasks"
    }

    fn expected(&self, event: &Received<Envelope>) -> Result<Vec<Key>, String> {
        let tasks = self.rules.tasks(event)?;
        Ok(tasks.iter().map(Enqueued::id).collect())
    }

    async fn effects(
        &self,
        store: &Store,
        event: &Received<Envelope>,
    ) -> Result<Vec<Effect>, Error> {
        let query = store.query(EFFECTS).bind(event.envelope().id());
        let rows = query.bind(event.tenant()).fetch_all().await?;
        let effect = |row: &platform_core::store::Row| {
            let (kind, due): (String, DateTime<Utc>) = (row.get("kind")?, row.get("due")?);
            let what = format!("{kind}, due {}", due.format("%Y-%m-%d %H:%M"));
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

const EFFECTS: &str = "select id, state, code, kind, due from platform_task
    where event_id = $1 and tenant = $2 order by rule, id";
const ORIGIN: &str = "select tenant, correlation_id, event_id from platform_task where id = $1";
