//! One transaction of receiving: what arrived, what waited for it, what is put aside, and what must wait.
//!
//! The order of its statements matters. Whatever can wait for a lock comes before the append, which draws numbers;
//! if an id turns out to be taken after that, the numbers of what follows it are too low, and all is undone and
//! repeated.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use platform_core::store::Dialect;
use platform_core::{Key, Tx};

use super::arrival::{Arrival, Refusal};
use super::order::{Link, Plan, plan};
use super::places::{Places, list, look_up};
use super::receiver::Receiver;
use super::waiting::Taken;
use crate::Error;
use crate::log::{Appended, Record};

/// How often a transaction is repeated at once because of what others did meanwhile.
const REPEATS_MAX: u32 = 20;
/// Two readings of a clock may be this far apart: a predecessor is waited for unless it is older beyond doubt.
const MARGIN: TimeDelta = TimeDelta::milliseconds(100);

/// What one transaction is about.
#[derive(Debug)]
pub(super) struct Work<'w> {
    pub(super) arrivals: &'w [Arrival],
    pub(super) refusals: &'w [Refusal],
    /// How many deliveries were this service's own.
    pub(super) own: usize,
    pub(super) taken: Taken<'w>,
}

/// Why a transaction did not commit.
#[derive(Debug)]
pub(super) enum Fault {
    /// Others did the same meanwhile: what they did must be seen first.
    Repeat,
    /// There is no room in quarantine.
    Full,
    Store(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<platform_core::Error> for Fault {
    fn from(error: platform_core::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What a transaction did.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Outcome {
    /// How many events it appended.
    pub(super) appended: usize,
}

/// The subscription as its transaction sees it.
struct Opening {
    now: DateTime<Utc>,
    began_at: DateTime<Utc>,
    open_us: i64,
}

impl Work<'_> {
    /// Lets through what waits for something that is missing: nobody else may append meanwhile, or the missing
    /// one could come between the look and the report.
    fn is_passing(&self) -> bool {
        matches!(self.taken, Taken::Overdue { .. } | Taken::Oldest(_))
    }
}

impl Receiver {
    /// Commits `work`; repeats it when others were in the way.
    pub(super) async fn commit(&self, work: &Work<'_>) -> Result<Outcome, Fault> {
        let mut repeats = 0;
        loop {
            let mut tx = self.log.store().begin().await?;
            let fault = match self.write(&mut tx, work).await {
                Ok(outcome) => {
                    crate::failpoint::reached("receiving");
                    tx.commit().await?;
                    crate::failpoint::reached("received");
                    return Ok(outcome);
                }
                Err(fault) => fault,
            };
            let undone = tx.rollback().await;
            tracing::trace!(?undone, ?fault, "receiving rolled back");
            repeats += 1;
            match fault {
                Fault::Repeat if repeats < REPEATS_MAX => {}
                fault => return Err(fault),
            }
        }
    }

    async fn write(&self, tx: &mut Tx, work: &Work<'_>) -> Result<Outcome, Fault> {
        let opening = self.open(tx, work.is_passing()).await?;
        self.count_own(tx, work.own).await?;
        self.note_clocks(tx, work.arrivals, opening.now).await?;
        let mut arrivals = self.take_waiting(tx, work.taken).await?;
        let taken = arrivals.len();
        if work.is_passing() || matches!(work.taken, Taken::Ready) {
            let ids: Vec<Key> = arrivals.iter().map(|a| a.record.id_key).collect();
            let behind = self.take_waiting(tx, Taken::Around(&ids)).await?;
            arrivals.extend(behind);
        }
        let passed = if work.is_passing() { taken } else { 0 };
        arrivals.extend_from_slice(work.arrivals);
        let places = look_up(tx, &arrivals).await?;
        let before = self
            .horizon(tx, &arrivals, &places, opening.began_at)
            .await?;
        let plan = self.plan(&arrivals, (&places, before, passed));
        let differing = plan.differ.iter().map(|at| {
            arrivals[*at].refused("its id is known with other content; the first one stands")
        });
        let aside: Vec<Refusal> = work.refusals.iter().cloned().chain(differing).collect();
        self.put_aside(tx, &aside).await?;
        for &at in &plan.wait {
            self.let_wait(tx, &arrivals[at], opening.open_us).await?;
        }
        self.report(tx, &arrivals[..passed], (&plan, &places))
            .await?;
        let records = self.late(tx, &arrivals, (&plan, &places)).await?;
        let appended = self.log.append(tx.conn(), &records).await?;
        if appended
            .iter()
            .any(|one| matches!(one, Appended::Known(..)))
        {
            return Err(Fault::Repeat);
        }
        let signal = self.signal.clone();
        tx.on_commit(move || signal.published());
        Ok(Outcome {
            appended: records.len(),
        })
    }

    /// Bounds the transaction's idling, keeps out who passes gaps (or everybody, to pass one), and reads the
    /// subscription.
    async fn open(&self, tx: &mut Tx, is_passing: bool) -> Result<Opening, Error> {
        if tx.dialect() == Dialect::Postgres {
            let sql = if is_passing {
                LOCK_ALONE_POSTGRES
            } else {
                LOCK_SHARED_POSTGRES
            };
            tx.query(sql).bind(self.scope.as_str()).execute().await?;
        }
        let row = tx.query(OPENING).bind(self.name).fetch_one().await?;
        Ok(Opening {
            now: row.get("now")?,
            began_at: row.get("began_at")?,
            open_us: row.get("open_us")?,
        })
    }

    async fn count_own(&self, tx: &mut Tx, own: usize) -> Result<(), Error> {
        if own > 0 {
            tx.query(OWN).bind(self.name).bind(own).execute().await?;
        }
        Ok(())
    }

    /// Keeps the least of arrival minus sending of each source.
    async fn note_clocks(
        &self,
        tx: &mut Tx,
        arrivals: &[Arrival],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let mut least: BTreeMap<&str, i64> = BTreeMap::new();
        for arrival in arrivals {
            let Some(stamp) = &arrival.stamp else {
                continue;
            };
            let lag = now.timestamp_micros() - stamp.sent_at.timestamp_micros();
            let entry = least.entry(&arrival.source).or_insert(lag);
            *entry = lag.min(*entry);
        }
        for (source, lag) in least {
            if self.lag_of(source).is_none_or(|known| lag < known) {
                let query = tx.query(LAG).bind(self.name).bind(source).bind(lag);
                let row = query.fetch_one().await?;
                self.learn_lag(source, row.get("lag_us")?);
            }
        }
        Ok(())
    }

    /// Before which moment of ours a predecessor is not waited for: when the subscription began, or the
    /// newest of what retention has removed was recorded. Asked only if something is missing.
    async fn horizon(
        &self,
        tx: &mut Tx,
        arrivals: &[Arrival],
        places: &Places,
        began_at: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Error> {
        let is_missing = |key: &Key| !places.log.contains_key(key);
        let mut before = arrivals.iter().filter_map(|arrival| arrival.predecessor);
        if !before.any(|key| is_missing(&key)) {
            return Ok(began_at);
        }
        let Some(row) = tx.query(TRIMMED_UNTIL).fetch_optional().await? else {
            return Ok(began_at);
        };
        let until = row.get::<String>("value")?.parse().ok();
        let until = until.and_then(DateTime::from_timestamp_micros);
        Ok(until.map_or(began_at, |until| until.max(began_at)))
    }

    fn plan(
        &self,
        arrivals: &[Arrival],
        (places, horizon, passed): (&Places, DateTime<Utc>, usize),
    ) -> Plan {
        let links: Vec<Link<'_>> = arrivals
            .iter()
            .enumerate()
            .map(|(at, arrival)| Link {
                id: arrival.record.id_key,
                content: &arrival.record.content_hash,
                predecessor: arrival.predecessor,
                is_excused: at < passed || self.is_excused(arrival, places, horizon),
                is_passed: at < passed,
            })
            .collect();
        plan(&links, &places.log)
    }

    /// Answers whether the predecessor of an event will not come: it lies in quarantine, or was sent before.
    fn is_excused(&self, arrival: &Arrival, places: &Places, horizon: DateTime<Utc>) -> bool {
        if arrival
            .predecessor
            .is_some_and(|key| places.quarantine.contains(&key))
        {
            return true;
        }
        let before = arrival
            .stamp
            .as_ref()
            .and_then(|stamp| stamp.predecessor.as_ref());
        let (Some(before), Some(lag)) = (before, self.lag_of(&arrival.source)) else {
            return false;
        };
        let sent_us = before.sent_at.timestamp_micros().saturating_add(lag);
        sent_us < (horizon - MARGIN).timestamp_micros()
    }

    /// Reports the gaps that are passed now: one row for each missing id.
    async fn report(
        &self,
        tx: &mut Tx,
        passed: &[Arrival],
        (plan, places): (&Plan, &Places),
    ) -> Result<(), Error> {
        let appended: HashSet<usize> = plan.append.iter().copied().collect();
        let at_hand: HashSet<Key> = passed.iter().map(|arrival| arrival.record.id_key).collect();
        for (at, arrival) in passed.iter().enumerate() {
            let before = arrival
                .stamp
                .as_ref()
                .and_then(|stamp| stamp.predecessor.as_ref());
            let (Some(before), Some(key)) = (before, arrival.predecessor) else {
                continue;
            };
            let is_missing = !places.log.contains_key(&key) && !at_hand.contains(&key);
            if !is_missing || !appended.contains(&at) {
                continue;
            }
            tracing::warn!(
                subscription = self.name,
                missing = before.id,
                followed_by = arrival.record.id,
                "a gap was passed"
            );
            tx.query(GAP)
                .bind(self.name)
                .bind(self.scope.as_str())
                .bind(arrival.source.as_str())
                .bind(before.id.as_str())
                .bind(key)
                .bind(arrival.record.tenant.as_str())
                .bind(arrival.record.id.as_str())
                .execute()
                .await?;
        }
        Ok(())
    }

    /// Returns the records to append; what was reported missing is marked late, and its report says so.
    async fn late(
        &self,
        tx: &mut Tx,
        arrivals: &[Arrival],
        (plan, places): (&Plan, &Places),
    ) -> Result<Vec<Record>, Error> {
        let mut records: Vec<Record> = plan
            .append
            .iter()
            .map(|at| arrivals[*at].record.clone())
            .collect();
        for record in &mut records {
            record.is_late = places.gaps.contains(&record.id_key);
        }
        let late = records.iter().filter(|record| record.is_late);
        let late: Vec<Key> = late.map(|record| record.id_key).collect();
        if !late.is_empty() {
            let sql = match tx.dialect() {
                Dialect::Sqlite => ARRIVED_SQLITE,
                Dialect::Postgres => ARRIVED_POSTGRES,
            };
            tx.query(sql).bind(list(late)).execute().await?;
        }
        Ok(records)
    }
}

const LOCK_SHARED_POSTGRES: &str =
    "select set_config('idle_in_transaction_session_timeout', '8000', true),
    pg_advisory_xact_lock_shared(hashtextextended('platform_receiving/' || $1, 0))";
const LOCK_ALONE_POSTGRES: &str =
    "select set_config('idle_in_transaction_session_timeout', '8000', true),
    pg_advisory_xact_lock(hashtextextended('platform_receiving/' || $1, 0))";
const OPENING: &str = "select t.now, s.began_at, s.open_us
    from platform_time t, platform_subscription s where s.name = $1";
const OWN: &str = "update platform_subscription set own = own + $2 where name = $1";
const LAG: &str = "insert into platform_sender (subscription, source, lag_us) values ($1, $2, $3)
    on conflict (subscription, source) do update set lag_us =
        case when excluded.lag_us < platform_sender.lag_us then excluded.lag_us else platform_sender.lag_us end
    returning lag_us";
const TRIMMED_UNTIL: &str = "select value from platform_meta where name = 'trimmed_until'";
const GAP: &str = "insert into platform_gap
    (subscription, scope, source, missing_id, id_key, tenant, followed_by, passed_at)
    values ($1, $2, $3, $4, $5, $6, $7, (select now from platform_time)) on conflict (id_key) do nothing";
const ARRIVED_SQLITE: &str = "update platform_gap set arrived_at = (select now from platform_time)
    where arrived_at is null and id_key in (select unhex(value) from json_each($1))";
const ARRIVED_POSTGRES: &str =
    "update platform_gap set arrived_at = (select now from platform_time)
    where arrived_at is null
      and id_key = any(array(select value::uuid from json_array_elements_text($1::json)))";
