//! From commit to handler, in one process: 200 events at 100 a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use platform_core::Change;
use platform_events::{
    Context, Effects, EntityChanged, Handler, HandlerError, Received, Service, Start,
};

use crate::twin::Account;
use crate::{Bed, report};

const EVENTS: i64 = 200;

type Times = Arc<Mutex<HashMap<String, Instant>>>;

struct Notice(Times);

impl Handler for Notice {
    const NAME: &'static str = "notice";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = EntityChanged<Account>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Account>>,
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let id = event
            .entity()
            .map(|account| account.id.clone())
            .unwrap_or_default();
        self.0.lock().unwrap().insert(id, Instant::now());
        Ok(())
    }
}

pub(crate) async fn run(bed: &Bed) {
    let seen = Times::default();
    let service = Service::builder("bank", bed.store.clone())
        .handle(Notice(Arc::clone(&seen)).from(Start::Now))
        .build()
        .await
        .unwrap();
    let publisher = service.publisher();
    let mut committed = HashMap::new();
    let work = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for id in 0..EVENTS {
            ticks.tick().await;
            let mut tx = bed.store.begin().await.unwrap();
            let change = Change::created(&Account::at(1_000_000 + id, 1)).unwrap();
            publisher.publish_in(&mut tx, change).await.unwrap();
            tx.commit().await.unwrap();
            committed.insert((1_000_000 + id).to_string(), Instant::now());
        }
        while seen.lock().unwrap().len() < usize::try_from(EVENTS).unwrap() {
            ticks.tick().await;
        }
    };
    service.run(work).await.unwrap();
    let seen = seen.lock().unwrap();
    let mut late: Vec<f64> = committed
        .iter()
        .map(|(id, at)| seen[id].saturating_duration_since(*at).as_secs_f64() * 1e3)
        .collect();
    late.sort_by(f64::total_cmp);
    for (name, share) in [("p50", 50), ("p95", 95), ("p99", 99)] {
        let at = late.len() * share / 100;
        report(
            &format!("commit to handler, {name}"),
            bed.name,
            late[at],
            "ms",
            None,
        );
    }
}
