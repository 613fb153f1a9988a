//! Runs: one row per attempt, or per batch that succeeded. Operational memory with a short retention.

use std::collections::HashSet;
use std::time::Duration;

use platform_core::store::{Dialect, Query, Row};
use platform_core::{Cursor, Page, Store, TenantId, Tx};
use serde::Serialize;

use crate::Error;
use crate::event::entity_key;
use crate::log::Position;
use crate::publisher::lane_key;
use crate::seconds;
use crate::subscription::Subscription;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// Its effects stand.
    Done,
    /// It will be tried again, or its attempts are spent.
    Failed,
    /// The handler said never again, or the payload cannot be read.
    Rejected,
    /// The handler asked to be called later.
    Snoozed,
    /// It took its process or its connection down.
    Crashed,
}

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Done, "done"),
    (Outcome::Failed, "failed"),
    (Outcome::Rejected, "rejected"),
    (Outcome::Snoozed, "snoozed"),
    (Outcome::Crashed, "crashed"),
];

impl Outcome {
    /// Returns the stored name.
    pub fn as_str(self) -> &'static str {
        let named = OUTCOMES.iter().find(|(outcome, _)| *outcome == self);
        named.map_or("", |(_, name)| name)
    }

    fn parse(name: &str) -> Result<Self, Error> {
        let named = OUTCOMES.iter().find(|(_, known)| *known == name);
        named
            .map(|(outcome, _)| *outcome)
            .ok_or_else(|| Error::damaged(format!("platform_run names no outcome `{name}`")))
    }
}

/// One attempt of a handler, or a batch of them that succeeded together.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// The handler's name.
    pub handler: String,
    /// The positions of its first and last event.
    pub positions: (i64, i64),
    /// How many events it handled.
    pub events: i64,
    /// Which attempt it was; 1 is the first.
    pub attempt: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed.
    pub reason: Option<String>,
    /// How many events it published.
    pub produced: i64,
    /// When it began.
    pub started_at: chrono::DateTime<chrono::Utc>,
    /// How long it took.
    #[serde(rename = "took_seconds", serialize_with = "seconds::exact")]
    pub took: Duration,
}

/// The runs of a service's handlers. They are kept for 72 h unless the service says otherwise.
#[derive(Debug, Clone)]
pub struct Runs {
    store: Store,
    service: String,
}

/// What the worker knows of a run when it ends.
#[derive(Debug, Clone)]
pub(crate) struct Ended<'r> {
    pub(crate) group: i64,
    pub(crate) lane: i16,
    pub(crate) positions: (Position, Position),
    pub(crate) events: usize,
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<&'r str>,
    pub(crate) produced: usize,
    pub(crate) took: Duration,
}

/// Records a run in the transaction of its effects.
pub(crate) async fn record(tx: &mut Tx, run: &Ended<'_>) -> Result<(), Error> {
    tx.query(RECORD)
        .bind(run.group)
        .bind(run.lane)
        .bind(run.positions.0)
        .bind(run.positions.1)
        .bind(i64::try_from(run.events).unwrap_or(i64::MAX))
        .bind(run.attempt)
        .bind(run.outcome.as_str())
        .bind(run.reason)
        .bind(i64::try_from(run.produced).unwrap_or(i64::MAX))
        .bind(run.took)
        .bind(i64::try_from(run.took.as_micros()).unwrap_or(i64::MAX))
        .execute()
        .await?;
    Ok(())
}

/// The most runs, or events, of one page.
const LIMIT_MAX: u32 = 200;

impl Runs {
    pub(crate) fn new(store: &Store, service: &str) -> Self {
        Self {
            store: store.clone(),
            service: service.to_owned(),
        }
    }

    /// Returns the runs in which the event at `position` was tried, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn of_event(&self, position: i64) -> Result<Vec<Run>, Error> {
        self.covering(&[position]).await
    }

    /// Lists the runs of one handler, newest first: `limit` of them (1 to 200).
    ///
    /// # Errors
    /// When `after` is no cursor of this list; the store's.
    pub async fn of_handler(
        &self,
        name: &str,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Run>, Error> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let query = self.store.query(OF_HANDLER).bind(self.service.as_str());
        let query = query.bind(name).bind(before(after)?);
        let runs = fetch(query.bind(i64::from(limit) + 1)).await?;
        Ok(Page::of(runs, limit, |run| Cursor::of([&run.id])))
    }

    /// Lists the runs over the events of one entity, newest first: those of `limit` events (1 to 200).
    ///
    /// # Errors
    /// As [`of_handler`](Self::of_handler).
    pub async fn of_entity(
        &self,
        (tenant, kind, id): (&TenantId, &str, &str),
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Run>, Error> {
        let key = lane_key(tenant, &entity_key(kind, id));
        let query = self.store.query(OF_KEY).bind(key);
        self.page(query, after, limit).await
    }

    /// Lists the runs over the events that belong together, newest first: those of `limit` events (1 to 200).
    ///
    /// # Errors
    /// As [`of_handler`](Self::of_handler).
    pub async fn of_correlation(
        &self,
        (tenant, correlation): (&TenantId, &str),
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Run>, Error> {
        let query = self.store.query(OF_CORRELATION).bind(correlation);
        self.page(query.bind(tenant.as_str()), after, limit).await
    }

    async fn page(
        &self,
        query: Query<'_>,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Run>, Error> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let query = query.bind(before(after)?).bind(i64::from(limit) + 1);
        let positions = query.fetch_all().await?;
        let positions = positions
            .iter()
            .map(|row| Ok(row.get("seq")?))
            .collect::<Result<Vec<Position>, Error>>()?;
        let events = Page::of(positions, limit, |seq| Cursor::of([seq]));
        Ok(Page::new(self.covering(&events.items).await?, events.next))
    }

    async fn covering(&self, positions: &[Position]) -> Result<Vec<Run>, Error> {
        let sql = match self.store.dialect() {
            Dialect::Sqlite => COVERING_SQLITE,
            Dialect::Postgres => COVERING_POSTGRES,
        };
        let query = self.store.query(sql).bind(self.service.as_str());
        let positions = serde_json::json!(positions).to_string();
        let rows = query.bind(positions).fetch_all().await?;
        let covers = rows
            .iter()
            .map(Cover::read)
            .collect::<Result<Vec<_>, _>>()?;
        // An event that has runs of its own was passed over by the batch around it.
        let alone: HashSet<(String, Position)> = covers
            .iter()
            .filter(|cover| cover.is_alone())
            .map(|cover| (cover.run.handler.clone(), cover.position))
            .collect();
        let handled = covers.into_iter().filter(|cover| {
            let of = (cover.run.handler.clone(), cover.position);
            cover.is_asked && (cover.is_alone() || !(cover.is_held || alone.contains(&of)))
        });
        let mut runs: Vec<Run> = handled.map(|cover| cover.run).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        runs.dedup_by_key(|run| run.id);
        Ok(runs)
    }
}

/// A run whose positions cover an event.
struct Cover {
    run: Run,
    position: Position,
    /// The handler asks for the type of the event.
    is_asked: bool,
    /// The event waits behind a blocked key.
    is_held: bool,
}

impl Cover {
    fn read(row: &Row) -> Result<Self, Error> {
        let subscription = Subscription::parse(&row.get::<String>("subscription")?)?;
        let kind: String = row.get("type")?;
        Ok(Self {
            run: run(row)?,
            position: row.get("seq")?,
            is_asked: subscription.matches(&kind),
            is_held: row.get("is_held")?,
        })
    }

    fn is_alone(&self) -> bool {
        self.run.positions == (self.position, self.position)
    }
}

/// The number before which a page begins.
fn before(after: Option<&Cursor>) -> Result<i64, Error> {
    let number = |cursor: &Cursor| {
        let [number] = cursor.parts()?;
        cursor.part(number)
    };
    Ok(after.map(number).transpose()?.unwrap_or(i64::MAX))
}

async fn fetch(query: Query<'_>) -> Result<Vec<Run>, Error> {
    query.fetch_all().await?.iter().map(run).collect()
}

fn run(row: &Row) -> Result<Run, Error> {
    let micros: i64 = row.get("duration_us")?;
    Ok(Run {
        id: row.get("id")?,
        handler: row.get("name")?,
        positions: (row.get("seq_from")?, row.get("seq_to")?),
        events: row.get("events")?,
        attempt: row.get("attempt")?,
        outcome: Outcome::parse(&row.get::<String>("outcome")?)?,
        reason: row.get("reason")?,
        produced: row.get("produced")?,
        started_at: row.get("started_at")?,
        took: Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
    })
}

const RECORD: &str =
    "insert into platform_run (group_id, lane, seq_from, seq_to, events, attempt, outcome,
        reason, produced, started_at, duration_us)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, (select now from platform_time) - $10, $11)";
/// A lane's runs follow each other, so the first hundred that end at an event or later hold all that cover it.
const COVERING_SQLITE: &str =
    "select r.id, r.seq_from, r.seq_to, r.events, r.attempt, r.outcome, r.reason, r.produced,
        r.started_at, r.duration_us, g.name, g.subscription, e.seq, e.type,
        exists (select 1 from platform_blocked b
            where b.group_id = g.id and b.key = e.key and b.head <= e.seq) as is_held
    from json_each($2) p join platform_log e on e.seq = p.value
    cross join platform_group g cross join platform_run r
    where g.service = $1 and r.seq_from <= e.seq and r.id in (
        select x.id from platform_run x
        where x.group_id = g.id and x.seq_to >= e.seq
          and x.lane = case when g.lanes = 1 then -1 else e.lane end
        order by x.seq_to limit 100)";
const COVERING_POSTGRES: &str =
    "select r.id, r.seq_from, r.seq_to, r.events, r.attempt, r.outcome, r.reason, r.produced,
        r.started_at, r.duration_us, g.name, g.subscription, e.seq, e.type,
        exists (select 1 from platform_blocked b
            where b.group_id = g.id and b.key = e.key and b.head <= e.seq) as is_held
    from json_array_elements_text($2::json) p(seq) join platform_log e on e.seq = p.seq::bigint
    cross join platform_group g
    cross join lateral (
        select x.* from platform_run x
        where x.group_id = g.id and x.seq_to >= e.seq
          and x.lane = case when g.lanes = 1 then -1 else e.lane end
        order by x.seq_to limit 100) r
    where g.service = $1 and r.seq_from <= e.seq";
const OF_HANDLER: &str =
    "select r.id, r.seq_from, r.seq_to, r.events, r.attempt, r.outcome, r.reason, r.produced,
        r.started_at, r.duration_us, $2 as name
    from platform_run r
    where r.group_id = (select id from platform_group where service = $1 and name = $2) and r.id < $3
    order by r.group_id desc, r.id desc limit $4";
const OF_KEY: &str =
    "select seq from platform_log where key = $1 and seq < $2 order by seq desc limit $3";
const OF_CORRELATION: &str = "select seq from platform_log
    where correlation_id = $1 and tenant = $2 and seq < $3 order by seq desc limit $4";
