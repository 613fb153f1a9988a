//! What `why` and `audit` ask of the history.

use async_trait::async_trait;
use platform_core::{Key, Store};
use platform_events::consequence::{Effect, Ledger, Origin};
use platform_events::envelope::Envelope;
use platform_events::{Error, Received};

use crate::entry::Entry;

/// The entries of some kinds of entities.
#[derive(Debug)]
pub(crate) struct Entries {
    pub(crate) kinds: Vec<&'static str>,
}

#[async_trait]
impl Ledger for Entries {
    fn name(&self) -> &'static str {
        "entry"
    }

    fn handler(&self) -> &'static str {
        "history"
    }

    fn expected(&self, event: &Received<Envelope>) -> Result<Vec<Key>, String> {
        let kind = event.entitytype();
        if !kind.is_some_and(|kind| self.kinds.contains(&kind)) {
            return Ok(Vec::new());
        }
        let entry = Entry::of(event).map_err(|error| error.to_string())?;
        Ok(vec![entry.id])
    }

    async fn effects(
        &self,
        store: &Store,
        event: &Received<Envelope>,
    ) -> Result<Vec<Effect>, Error> {
        let mut effects = Vec::new();
        // An event makes one entry, whose id follows from it.
        for id in self.expected(event).unwrap_or_default() {
            let query = store.query(EFFECT).bind(id).bind(event.tenant());
            let Some(row) = query.fetch_optional().await? else {
                continue;
            };
            let (kind, of): (String, String) = (row.get("entity_kind")?, row.get("entity_id")?);
            let version: i64 = row.get("version")?;
            effects.push(Effect {
                kind: self.name(),
                id,
                state: "kept".to_owned(),
                code: None,
                what: format!("version {version} of {kind} {of}"),
            });
        }
        Ok(effects)
    }

    async fn origin(&self, store: &Store, id: Key) -> Result<Option<Origin>, Error> {
        let row = store.query(ORIGIN).bind(id).fetch_optional().await?;
        row.as_ref().map(Origin::read).transpose()
    }
}

const EFFECT: &str =
    "select entity_kind, entity_id, version from platform_entry where id = $1 and tenant = $2";
const ORIGIN: &str = "select tenant, correlation_id, event_id from platform_entry where id = $1";
