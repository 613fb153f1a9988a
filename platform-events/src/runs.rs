//! Runs: one row per attempt, or per batch that succeeded. Operational memory with a short retention.

use std::time::Duration;

use platform_core::{Store, Tx};

use crate::Error;
use crate::log::Position;

/// One attempt of a handler, or a batch of them that succeeded together.
#[derive(Debug, Clone)]
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
    /// `done`, `failed`, `rejected`, `snoozed`, `crashed` or `lost`.
    pub outcome: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// How many events it published.
    pub produced: i64,
    /// When it began.
    pub started_at: chrono::DateTime<chrono::Utc>,
    /// How long it took.
    pub took: Duration,
}

/// What the worker knows of a run when it ends.
#[derive(Debug, Clone)]
pub(crate) struct Ended<'r> {
    pub(crate) group: i64,
    pub(crate) lane: i16,
    pub(crate) positions: (Position, Position),
    pub(crate) events: usize,
    pub(crate) attempt: u32,
    pub(crate) outcome: &'static str,
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
        .bind(run.outcome)
        .bind(run.reason)
        .bind(i64::try_from(run.produced).unwrap_or(i64::MAX))
        .bind(run.took)
        .bind(i64::try_from(run.took.as_micros()).unwrap_or(i64::MAX))
        .execute()
        .await?;
    Ok(())
}

/// Returns the runs that covered the event at `position`, newest first, at most 100.
pub(crate) async fn of_event(store: &Store, position: Position) -> Result<Vec<Run>, Error> {
    let mut runs = fetch(store.query(OF_EVENT).bind(position)).await?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.id));
    runs.truncate(100);
    Ok(runs)
}

/// Returns the runs of one handler before the run `before`, newest first, at most 100.
pub(crate) async fn of_handler(store: &Store, name: &str, before: i64) -> Result<Vec<Run>, Error> {
    fetch(store.query(OF_HANDLER).bind(name).bind(before)).await
}

async fn fetch(query: platform_core::store::Query<'_>) -> Result<Vec<Run>, Error> {
    let rows = query.fetch_all().await?;
    rows.iter()
        .map(|row| {
            let micros: i64 = row.get("duration_us")?;
            Ok(Run {
                id: row.get("id")?,
                handler: row.get("name")?,
                positions: (row.get("seq_from")?, row.get("seq_to")?),
                events: row.get("events")?,
                attempt: row.get("attempt")?,
                outcome: row.get("outcome")?,
                reason: row.get("reason")?,
                produced: row.get("produced")?,
                started_at: row.get("started_at")?,
                took: Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
            })
        })
        .collect()
}

const RECORD: &str =
    "insert into platform_run (group_id, lane, seq_from, seq_to, events, attempt, outcome,
        reason, produced, started_at, duration_us)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, (select now from platform_time) - $10, $11)";
/// A lane's runs follow each other, so the first hundred that end at the event or later hold all that cover it.
const OF_EVENT: &str = "select r.id, r.seq_from, r.seq_to, r.events, r.attempt, r.outcome, r.reason, r.produced,
        r.started_at, r.duration_us, g.name
    from platform_group g cross join platform_run r
    where r.group_id = g.id and r.seq_from <= $1 and r.id in (
        select x.id from platform_run x
        where x.group_id = g.id and x.seq_to >= $1
          and x.lane = case when g.lanes = 1 then -1 else (select lane from platform_log where seq = $1) end
        order by x.seq_to limit 100)";
const OF_HANDLER: &str =
    "select r.id, r.seq_from, r.seq_to, r.events, r.attempt, r.outcome, r.reason, r.produced,
        r.started_at, r.duration_us, $1 as name
    from platform_run r
    where r.group_id = (select id from platform_group where name = $1) and r.id < $2
    order by r.group_id desc, r.id desc limit 100";
