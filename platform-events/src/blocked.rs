//! Blocked keys: where an event failed, later events of its key wait behind it.
//!
//! One row per group and key: the head that failed, and its state. Followers stay in the log and are found there
//! by key. Only the lane's owner makes, moves and deletes rows, inside its fence; people change state and
//! revision from outside.

use std::time::Duration;

use platform_core::store::{Dialect, Row};
use platform_core::{Key, RetryPolicy, Store, Tx};
use serde::Serialize;

use crate::Error;
use crate::input::Stored;
use crate::log::Position;
use crate::replay::Redo;

/// The most keys that one group may block; beyond it reading pauses and retrying goes on.
pub(crate) const BLOCKED_MAX: usize = 100_000;
/// How many reasons of past attempts a row keeps.
const REASONS_MAX: usize = 20;

/// Why an event is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Cause {
    /// The handler said never again, or its payload cannot be read.
    Rejected,
    /// The policy's attempts are spent.
    Exhausted,
    /// It was in hand when its process died, three times in a row.
    Crash,
    /// It took its database connection down three times.
    Database,
    /// It would be one cause too many in its chain.
    Depth,
}

const CAUSES: [(Cause, &str); 5] = [
    (Cause::Rejected, "rejected"),
    (Cause::Exhausted, "exhausted"),
    (Cause::Crash, "crash"),
    (Cause::Database, "database"),
    (Cause::Depth, "depth"),
];

impl Cause {
    /// Returns the stored name.
    pub fn as_str(self) -> &'static str {
        let named = CAUSES.iter().find(|(cause, _)| *cause == self);
        named.map_or("", |(_, name)| name)
    }

    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        let named = CAUSES.iter().find(|(_, known)| *known == name);
        named
            .map(|(cause, _)| *cause)
            .ok_or_else(|| Error::damaged(format!("platform_blocked names no cause `{name}`")))
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is to become of an event that failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// Try again after this wait.
    Again(Duration),
    Park(Cause),
}

impl Next {
    /// Asks the policy after `attempts` failed ones.
    pub(crate) fn by(policy: &RetryPolicy, attempts: u32, age: Duration, unit: f64) -> Self {
        policy
            .after(attempts, age, unit)
            .map_or(Self::Park(Cause::Exhausted), Self::Again)
    }

    fn columns(&self) -> (&'static str, Option<&'static str>, Duration) {
        match self {
            Self::Again(wait) => ("waiting", None, *wait),
            Self::Park(cause) => ("parked", Some(cause.as_str()), Duration::ZERO),
        }
    }
}

/// A blocked key whose time has come.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) group: i64,
    pub(crate) lane: i16,
    pub(crate) key: Key,
    pub(crate) head: Position,
    pub(crate) is_discarded: bool,
    pub(crate) cause: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) reasons: Vec<String>,
    pub(crate) age: Duration,
    pub(crate) revision: i64,
    pub(crate) edited: Option<Vec<u8>>,
    /// The stretch that its key is handling again.
    pub(crate) redo: Option<Redo>,
}

/// Makes the row of a key whose event failed for the first time, or that becomes the head itself.
///
/// A key that was blocked further on when a replay fails at one of its events has its head moved back: what lies
/// between is handled again first, then the head as before.
pub(crate) async fn block(
    tx: &mut Tx,
    (group, lane): (i64, i16),
    event: &Stored,
    (attempts, reason, next): (u32, Option<&str>, &Next),
    redo: Option<Redo>,
) -> Result<(), Error> {
    let (state, cause, wait) = next.columns();
    let reasons: Vec<&str> = reason.into_iter().collect();
    let sql = if redo.is_some() { BLOCK_AGAIN } else { BLOCK };
    let mut query = tx
        .query(sql)
        .bind(group)
        .bind(event.key)
        .bind(lane)
        .bind(event.tenant.as_str())
        .bind(event.seq)
        .bind(event.kind.as_str())
        .bind(state)
        .bind(cause)
        .bind(reason)
        .bind(attempts)
        .bind(serde_json::json!(reasons).to_string())
        .bind(wait);
    if let Some(redo) = redo {
        query = query
            .bind(redo.again.number)
            .bind(redo.muted_until)
            .bind(redo.resume_at);
    }
    query.execute().await?;
    Ok(())
}

/// Counts an attempt before it is made. Answers false when somebody changed the row meanwhile.
pub(crate) async fn count(tx: &mut Tx, due: &Due) -> Result<bool, Error> {
    let sql = COUNT;
    let hit = tx
        .query(sql)
        .bind(due.group)
        .bind(due.key)
        .bind(due.revision)
        .bind(due.head)
        .execute()
        .await?;
    Ok(hit == 1)
}

/// Puts a failed retry off, or parks it. Answers false when somebody changed the row meanwhile.
pub(crate) async fn put_off(
    tx: &mut Tx,
    due: &Due,
    (attempts, reason): (u32, &str),
    next: &Next,
) -> Result<bool, Error> {
    let (state, cause, wait) = next.columns();
    let mut reasons = due.reasons.clone();
    reasons.push(reason.to_owned());
    let from = reasons.len().saturating_sub(REASONS_MAX);
    let hit = tx
        .query(PUT_OFF)
        .bind(due.group)
        .bind(due.key)
        .bind(due.revision)
        .bind(state)
        .bind(cause)
        .bind(reason)
        .bind(serde_json::json!(&reasons[from..]).to_string())
        .bind(wait)
        .bind(attempts)
        .bind(due.head)
        .execute()
        .await?;
    Ok(hit == 1)
}

/// Takes back an attempt that was counted but not made: the store failed meanwhile.
pub(crate) async fn uncount(store: &Store, due: &Due) -> Result<(), Error> {
    let mut tx = store.begin().await?;
    tx.query(UNCOUNT)
        .bind(due.group)
        .bind(due.key)
        .bind(due.revision)
        .bind(due.attempts)
        .bind(due.head)
        .execute()
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Moves the row to its next follower, or deletes it. Answers false when somebody changed it meanwhile.
pub(crate) async fn advance(
    tx: &mut Tx,
    due: &Due,
    follower: Option<(Position, &str)>,
) -> Result<bool, Error> {
    let hit = match follower {
        Some((head, kind)) => {
            let query = tx
                .query(ADVANCE)
                .bind(due.group)
                .bind(due.key)
                .bind(due.revision);
            query.bind(head).bind(kind).bind(due.head).execute().await?
        }
        None => {
            tx.query(FREE)
                .bind(due.group)
                .bind(due.key)
                .bind(due.revision)
                .bind(due.head)
                .execute()
                .await?
        }
    };
    Ok(hit == 1)
}

/// Loads the blocked keys of one lane, after it has been taken.
pub(crate) async fn keys(
    store: &Store,
    group: i64,
    lane: i16,
) -> Result<Vec<(Key, Position)>, Error> {
    let rows = store.query(KEYS).bind(group).bind(lane).fetch_all().await?;
    rows.iter()
        .map(|row| Ok((row.get("key")?, row.get("head")?)))
        .collect()
}

/// Finds what is due in the lanes of `process`, over all groups, at most `most` rows.
pub(crate) async fn due(store: &Store, process: Key, most: i64) -> Result<Vec<Due>, Error> {
    let sql = match store.dialect() {
        Dialect::Sqlite => DUE_SQLITE,
        Dialect::Postgres => DUE_POSTGRES,
    };
    let rows = store
        .query(sql)
        .bind(process)
        .bind(most)
        .fetch_all()
        .await?;
    rows.iter().map(read_due).collect()
}

/// Finds the oldest waiting key of a group in the lanes of `process`, `skip` keys further on.
pub(crate) async fn oldest(
    store: &Store,
    process: Key,
    group: i64,
    skip: i64,
) -> Result<Option<Due>, Error> {
    let row = store
        .query(OLDEST)
        .bind(process)
        .bind(group)
        .bind(skip)
        .fetch_optional()
        .await?;
    row.as_ref().map(read_due).transpose()
}

fn read_due(row: &Row) -> Result<Due, Error> {
    let reasons: String = row.get("reasons")?;
    Ok(Due {
        group: row.get("group_id")?,
        lane: row.get("lane")?,
        key: row.get("key")?,
        head: row.get("head")?,
        is_discarded: row.get::<String>("state")? == "discarded",
        cause: row.get("cause")?,
        attempts: row.get("attempts")?,
        reasons: serde_json::from_str(&reasons).unwrap_or_default(),
        age: row.get("age")?,
        revision: row.get("revision")?,
        edited: row.get("edited")?,
        redo: Redo::read(row)?,
    })
}

const BLOCK: &str =
    "insert into platform_blocked (group_id, key, lane, tenant, head, type, state, cause,
        reason, attempts, reasons, first_failed_at, due, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, (select now from platform_time),
        (select now from platform_time) + $12, (select now from platform_time))";
const BLOCK_AGAIN: &str =
    "insert into platform_blocked (group_id, key, lane, tenant, head, type, state, cause,
        reason, attempts, reasons, first_failed_at, due, updated_at, replay, muted_until, resume_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, (select now from platform_time),
        (select now from platform_time) + $12, (select now from platform_time), $13, $14, $15)
    on conflict (group_id, key) do update set head = excluded.head, type = excluded.type,
        state = excluded.state, cause = excluded.cause, attempts = excluded.attempts, reasons = excluded.reasons,
        reason = excluded.reason || ' (in a replay; before, ' || platform_blocked.head || ' was '
            || platform_blocked.state || ': ' || coalesce(platform_blocked.reason, 'a follower') || ')',
        first_failed_at = excluded.first_failed_at, due = excluded.due, updated_at = excluded.updated_at,
        edited = null, revision = platform_blocked.revision + 1, replay = excluded.replay,
        muted_until = case when platform_blocked.head <= platform_blocked.resume_at
                or excluded.muted_until < platform_blocked.head then excluded.muted_until
            else platform_blocked.head - 1 end,
        resume_at = case when platform_blocked.head <= platform_blocked.resume_at then excluded.resume_at
            else platform_blocked.head - 1 end";
const COUNT: &str = "update platform_blocked set attempts = attempts + 1
    where group_id = $1 and key = $2 and revision = $3 and head = $4 and state = 'waiting'";
const UNCOUNT: &str = "update platform_blocked set attempts = $4
    where group_id = $1 and key = $2 and revision = $3 and head = $5 and attempts = $4 + 1";
const PUT_OFF: &str =
    "update platform_blocked set state = $4, cause = $5, reason = $6, reasons = $7,
        due = (select now from platform_time) + $8, attempts = $9, updated_at = (select now from platform_time)
    where group_id = $1 and key = $2 and revision = $3 and head = $10";
const ADVANCE: &str =
    "update platform_blocked set head = $4, type = $5, state = 'waiting', cause = null,
        reason = null, attempts = 0, reasons = '[]', edited = null, revision = revision + 1,
        first_failed_at = (select now from platform_time), due = (select now from platform_time),
        updated_at = (select now from platform_time)
    where group_id = $1 and key = $2 and revision = $3 and head = $6";
const FREE: &str =
    "delete from platform_blocked where group_id = $1 and key = $2 and revision = $3 and head = $4";
const KEYS: &str = "select key, head from platform_blocked where group_id = $1 and lane = $2";
/// A few rows of each lane whose group is not paused: a full or paused one leaves room for the others, and what
/// waits in long rows of due keys is not looked through.
const DUE_SQLITE: &str =
    "select b.group_id, b.lane, b.key, b.head, b.state, b.cause, b.attempts, b.reasons, b.revision, b.edited,
        b.replay, b.muted_until, b.resume_at,
        (select is_publishing from platform_replay r where r.id = b.replay) as is_publishing, b.due, (select now from platform_time) - b.first_failed_at as age
    from platform_lane l
    join platform_member m on m.process = l.process and m.group_id = l.group_id
    cross join platform_blocked b
    where l.process = $1 and b.group_id = l.group_id and b.key in (
        select w.key from platform_blocked w
        where w.group_id = l.group_id and w.lane = l.lane and w.state <> 'parked'
          and (m.pause_reason is null or w.state = 'discarded') and w.due <= (select now from platform_time)
        order by w.due limit 8)
    order by b.due limit $2";
const DUE_POSTGRES: &str =
    "select b.group_id, b.lane, b.key, b.head, b.state, b.cause, b.attempts, b.reasons, b.revision, b.edited,
        b.replay, b.muted_until, b.resume_at,
        (select is_publishing from platform_replay r where r.id = b.replay) as is_publishing, b.due, (select now from platform_time) - b.first_failed_at as age
    from platform_lane l
    join platform_member m on m.process = l.process and m.group_id = l.group_id
    cross join lateral (
        select * from platform_blocked w
        where w.group_id = l.group_id and w.lane = l.lane and w.state <> 'parked'
          and (m.pause_reason is null or w.state = 'discarded') and w.due <= (select now from platform_time)
        order by w.due limit 8) b
    where l.process = $1
      and exists (select 1 from platform_blocked where state <> 'parked')
    order by b.due limit $2";
const OLDEST: &str =
    "select b.group_id, b.lane, b.key, b.head, b.state, b.cause, b.attempts, b.reasons,
        b.revision, b.edited, b.replay, b.muted_until, b.resume_at,
        (select is_publishing from platform_replay r where r.id = b.replay) as is_publishing, (select now from platform_time) - b.first_failed_at as age
    from platform_blocked b join platform_lane l on l.group_id = b.group_id and l.lane = b.lane
    where l.process = $1 and b.group_id = $2 and b.state = 'waiting'
    order by b.head limit 1 offset $3";
