//! A read model whose events write the same twenty rows: one lane, no deadlock, exact totals.

use std::time::Duration;

use platform_core::Store;
use platform_events::{BatchHandler, Context, EntityChanged, HandlerError, Lanes, Received, Start};
use platform_tests::{Database, each_backend};

use crate::load::{ITEMS, Load};
use crate::running::Running;
use crate::world::{Item, count, open, post, stock};

const SLOTS: i64 = 20;

/// Adds every change to one of twenty totals, in the order of the log.
struct Totals;

impl BatchHandler for Totals {
    const NAME: &'static str = "totals";
    const LANES: Lanes = Lanes::Serial;
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        events: &[Received<EntityChanged<Item>>],
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        for event in events {
            let slot = i64::try_from(event.version)? % SLOTS;
            cx.tx()
                .await?
                .query(
                    "insert into total (slot, amount) values ($1, 1)
                    on conflict (slot) do update set amount = total.amount + 1",
                )
                .bind(slot)
                .execute()
                .await?;
        }
        Ok(())
    }
}

/// How many deadlocks the database has seen so far, on either kind.
async fn deadlocks(store: &Store) -> i64 {
    if store.postgres().is_none() {
        return 0;
    }
    let sql = "select deadlocks as n from pg_stat_database where datname = current_database()";
    count(store, sql).await
}

async fn twenty_shared_rows_of_a_read_model_are_exact_and_never_deadlock(database: Database) {
    let store = open(&database).await;
    let running = Running::start(post(&store, [Totals.from(Start::Now)]).await.unwrap());
    stock(&store, ITEMS).await;
    let before = deadlocks(&store).await;
    let load = Load {
        writers: 8,
        lasting: Duration::from_secs(3),
        isolation: &[],
    };
    let tallies = load.run(&store, &running.service().publisher()).await;
    running.settled().await;
    running.stop().await;
    assert!(
        tallies.iter().map(|tally| tally.committed).sum::<u64>() > 50,
        "{tallies:?}"
    );
    // A session tells its numbers at the latest when it ends.
    store.close().await;
    let store = open(&database).await;
    assert_eq!(deadlocks(&store).await, before);
    let failed = "select count(*) as n from platform_run where outcome <> 'done'";
    assert_eq!(count(&store, failed).await, 0, "an attempt failed");
    let wrong = "select count(*) as n from (
        select w.slot, w.amount from (
            select v.n % 20 as slot, count(*) as amount from item i join versions v
                on v.n <= i.version group by v.n % 20) w
        left join total t on t.slot = w.slot and t.amount = w.amount where t.slot is null) x";
    let versions = "with recursive versions(n) as (
        select 1 union all select n + 1 from versions where n < (select max(version) from item)) ";
    assert_eq!(count(&store, format!("{versions}{wrong}").leak()).await, 0);
    let sums = "select coalesce(cast(sum(amount) as bigint), 0)
        - (select cast(sum(version) as bigint) from item) as n from total";
    assert_eq!(count(&store, sums).await, 0);
}

each_backend!(twenty_shared_rows_of_a_read_model_are_exact_and_never_deadlock);
