//! What happens to waiting events without a delivery: predecessors that another receiver appended, gaps whose time
//! is over, and the bound.

use std::time::Duration;

use platform_core::Key;

use super::appending::{Fault, Outcome, Work};
use super::receiver::Receiver;
use super::waiting::{TAKE_MAX, Taken};
use crate::outcome::chain;

/// Between two sweeps.
pub(super) const EVERY: Duration = Duration::from_secs(1);

impl Receiver {
    /// Looks after what waits. `open_for` is how long the subscription has been open since the last time.
    pub(super) async fn sweep(&self, open_for: Duration) -> Result<(), Fault> {
        let store = self.log.store();
        let row = store.query(COUNT).bind(self.name).fetch_one().await?;
        let waiting: i64 = row.get("n")?;
        if waiting == 0 {
            return Ok(());
        }
        let open_us = self.tick(open_for).await?;
        let gap_wait_us = i64::try_from(self.subscription.gap_wait.as_micros()).unwrap_or(i64::MAX);
        let overdue = Taken::Overdue {
            open_us,
            gap_wait_us,
        };
        self.drain(Taken::Ready).await?;
        if self.has_overdue(open_us - gap_wait_us).await? {
            self.drain(overdue).await?;
        }
        let above = waiting - i64::from(self.subscription.waiting_max);
        if above > 0 {
            self.release(Taken::Oldest(above)).await?;
        }
        Ok(())
    }

    /// Lets the subscription's open time go on: by what has passed since any receiver did, at most by what this
    /// one has seen itself.
    async fn tick(&self, open_for: Duration) -> Result<i64, Fault> {
        let open_us = i64::try_from(open_for.as_micros()).unwrap_or(i64::MAX);
        let mut tx = self.log.store().begin().await?;
        let sql = match tx.dialect() {
            platform_core::store::Dialect::Sqlite => TICK_SQLITE,
            platform_core::store::Dialect::Postgres => TICK_POSTGRES,
        };
        let row = tx
            .query(sql)
            .bind(self.name)
            .bind(open_us)
            .fetch_one()
            .await?;
        let open_us = row.get("open_us")?;
        tx.commit().await?;
        Ok(open_us)
    }

    async fn has_overdue(&self, since_us: i64) -> Result<bool, Fault> {
        let query = self.log.store().query(HAS_OVERDUE);
        let row = query
            .bind(self.name)
            .bind(since_us)
            .fetch_optional()
            .await?;
        Ok(row.is_some())
    }

    /// Releases as long as there is something to release.
    async fn drain(&self, taken: Taken<'_>) -> Result<(), Fault> {
        while self.release(taken).await?.appended > 0 {}
        Ok(())
    }

    async fn release(&self, taken: Taken<'_>) -> Result<Outcome, Fault> {
        let work = Work {
            arrivals: &[],
            refusals: &[],
            own: 0,
            taken,
        };
        match self.commit(&work).await {
            Err(Fault::Store(error)) if !error.is_transient() => {
                tracing::warn!(
                    subscription = self.name,
                    error = chain(&error),
                    "the store refuses waiting events"
                );
                if !self.takes_others().await {
                    return Err(Fault::Store(error));
                }
                self.release_singly().await
            }
            ended => ended,
        }
    }

    /// Tries the events that are ready one by one; what the store refuses goes into quarantine.
    async fn release_singly(&self) -> Result<Outcome, Fault> {
        let rows = self
            .log
            .store()
            .query(READY_IDS)
            .bind(self.name)
            .bind(TAKE_MAX);
        for row in rows.fetch_all().await? {
            let id = [row.get::<Key>("id_key")?];
            let work = Work {
                arrivals: &[],
                refusals: &[],
                own: 0,
                taken: Taken::Rows(&id),
            };
            match self.commit(&work).await {
                Ok(_) => {}
                Err(Fault::Store(error)) if !error.is_transient() => {
                    self.give_up(id[0], &chain(&error)).await?;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(Outcome::default())
    }

    /// Puts a waiting event that cannot be stored into quarantine.
    async fn give_up(&self, id: Key, why: &str) -> Result<(), Fault> {
        let mut tx = self.log.store().begin().await?;
        let taken = self.take_waiting(&mut tx, Taken::Rows(&[id])).await?;
        let refused = |arrival: &super::arrival::Arrival| {
            arrival.refused(format!("the store refuses it: {why}"))
        };
        let refusals: Vec<_> = taken.iter().map(refused).collect();
        self.put_aside(&mut tx, &refusals).await?;
        tx.commit().await?;
        Ok(())
    }
}

const COUNT: &str = "select count(*) as n from platform_received where subscription = $1";
const TICK_SQLITE: &str = "update platform_subscription set
        open_us = open_us + max(0, min((select now from platform_time) - swept_at, $2)),
        swept_at = (select now from platform_time)
    where name = $1 returning open_us";
const TICK_POSTGRES: &str = "update platform_subscription set
        open_us = open_us + greatest(0, least(
            (extract(epoch from (select now from platform_time) - swept_at) * 1000000)::bigint, $2)),
        swept_at = (select now from platform_time)
    where name = $1 returning open_us";
const HAS_OVERDUE: &str =
    "select 1 as n from platform_received where subscription = $1 and open_us <= $2 limit 1";
const READY_IDS: &str = "select r.id_key from platform_received r where r.subscription = $1
      and (exists (select 1 from platform_log_id i where i.id_key = r.predecessor_key)
        or exists (select 1 from platform_log_id i where i.id_key = r.id_key)
        or exists (select 1 from platform_quarantine q where q.id_key = r.predecessor_key))
    order by r.sent_at limit $2";
