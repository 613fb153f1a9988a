//! The service under test: a handler that fails as planned and publishes what it did, and one that
//! follows it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform_core::{RetryPolicy, Store};
use platform_events::{
    Context, Effects, EntityChanged, Event, Handler, HandlerError, Received, Reject, Service,
    Start, snooze,
};
use serde::{Deserialize, Serialize};

use super::model::Fault;
use crate::world::{Item, remember};

/// Which versions go wrong, shared by every service of a case.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan(Arc<Mutex<HashMap<(String, u64), Fault>>>);

impl Plan {
    pub(super) fn set(&self, id: &str, version: u64, fault: Fault) {
        self.0
            .lock()
            .unwrap()
            .insert((id.to_owned(), version), fault);
    }

    pub(super) fn mend(&self, id: &str, version: u64) {
        self.0.lock().unwrap().remove(&(id.to_owned(), version));
    }

    /// What is to happen now; what happens so many times is counted down.
    fn next(&self, id: &str, version: u64) -> Option<Fault> {
        let mut plan = self.0.lock().unwrap();
        let fault = plan.get_mut(&(id.to_owned(), version))?;
        match fault {
            Fault::Fails(0) | Fault::Panics(0) | Fault::Snoozes(0) => return None,
            Fault::Fails(left) | Fault::Panics(left) | Fault::Snoozes(left) => *left -= 1,
            Fault::AlwaysFails | Fault::AlwaysPanics | Fault::Rejects => {}
        }
        Some(*fault)
    }
}

/// What a delivery published.
#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(type = "delivery.made")]
struct DeliveryMade {
    #[event(key)]
    item: String,
    version: u64,
}

struct Deliver(Plan);

impl Handler for Deliver {
    const NAME: &'static str = "deliver";
    const EFFECTS: Effects = Effects::Transactional;
    const RETRY: RetryPolicy = RetryPolicy {
        attempts: 4,
        base: Duration::from_millis(2),
        cap: Duration::from_millis(5),
        ..RetryPolicy::DEFAULT
    };
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let id = event
            .entity()
            .map(|item| item.id.clone())
            .unwrap_or_default();
        // The effects come first: a failure has to undo them.
        remember(Self::NAME, &event, cx).await?;
        cx.publish(DeliveryMade {
            item: id.clone(),
            version: event.version,
        });
        match self.0.next(&id, event.version) {
            None => Ok(()),
            Some(Fault::Fails(_) | Fault::AlwaysFails) => Err(HandlerError::retry("out of order")),
            Some(Fault::Panics(_) | Fault::AlwaysPanics) => panic!("planned"),
            Some(Fault::Snoozes(_)) => Err(snooze(Duration::from_millis(2))),
            Some(Fault::Rejects) => Err("no such place".reject()),
        }
    }
}

struct Echo;

impl Handler for Echo {
    const NAME: &'static str = "echo";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = DeliveryMade;

    async fn handle(
        &self,
        event: Received<DeliveryMade>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        cx.tx()
            .await?
            .query("insert into seen (who, tenant, item, version) values ('echo', 'x', $1, $2)")
            .bind(&event.item)
            .bind(i64::try_from(event.version)?)
            .execute()
            .await?;
        Ok(())
    }
}

pub(super) async fn post(store: &Store, plan: &Plan) -> Service {
    let handlers = [
        Deliver(plan.clone()).from(Start::Beginning),
        Echo.from(Start::Beginning),
    ];
    crate::world::post(store, handlers).await.unwrap()
}

/// The versions of an item that `who` has seen, in order.
pub(super) async fn deliveries(store: &Store, who: &str, id: &str) -> Vec<i64> {
    let rows = store
        .query("select version from seen where who = $1 and item = $2 order by id")
        .bind(who)
        .bind(id)
        .fetch_all()
        .await
        .unwrap();
    rows.iter().map(|row| row.get("version").unwrap()).collect()
}
