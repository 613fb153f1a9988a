//! How far every handler is, and what holds it up.

use std::time::Duration;

use platform_core::store::{Dialect, Row};
use serde::Serialize;

use crate::subscription::Subscription;
use crate::{Error, Service, seconds};

/// How long nobody may have had a handler before it counts as orphaned.
const ORPHANED_AFTER: Duration = Duration::from_hours(7 * 24);

/// How far one handler is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct GroupLag {
    /// The handler's name.
    pub handler: String,
    /// What it asks for.
    pub patterns: Vec<String>,
    /// Its lanes; one for a serial handler.
    pub lanes: Vec<LaneLag>,
    /// Keys that wait for their next attempt.
    pub waiting: i64,
    /// Events parked.
    pub parked: i64,
    /// Why a process has paused it.
    pub paused: Option<String>,
    /// A process waits, since it asks for less than another release does.
    pub is_waiting_for_release: bool,
    /// No process has had it for 7 days: retire it, if it is gone for good.
    pub is_orphaned: bool,
}

/// How far one lane of a handler is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LaneLag {
    /// Its number; -1 for the one lane of a serial handler.
    pub lane: i16,
    /// The last position that it has passed.
    pub position: i64,
    /// The process that holds it, and nobody when its lease has run out.
    pub holder: Option<String>,
    /// How long ago the oldest event that it has not passed was appended.
    #[serde(rename = "oldest_seconds", serialize_with = "seconds::maybe")]
    pub oldest: Option<Duration>,
    /// Where it resumes after a replay that is under way.
    pub replaying_to: Option<i64>,
}

impl GroupLag {
    /// How long ago the oldest event that no lane has passed was appended.
    pub fn oldest(&self) -> Option<Duration> {
        self.lanes.iter().filter_map(|lane| lane.oldest).max()
    }
}

impl Service {
    /// Tells how far every handler of this service is, also those that this build does not have.
    ///
    /// # Errors
    /// The store's.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn lag(&self) -> Result<Vec<GroupLag>, Error> {
        let store = self.store();
        let service = self.parts.service.as_str();
        let groups = store.query(GROUPS).bind(service).bind(ORPHANED_AFTER);
        let groups = groups.fetch_all().await?;
        let sql = match store.dialect() {
            Dialect::Sqlite => LANES_SQLITE,
            Dialect::Postgres => LANES_POSTGRES,
        };
        let lanes = store.query(sql).bind(service).fetch_all().await?;
        let mut lags = Vec::with_capacity(groups.len());
        for row in &groups {
            let id: i64 = row.get("id")?;
            let mut lag = group(row)?;
            for lane_row in &lanes {
                if lane_row.get::<i64>("group_id")? == id {
                    lag.lanes.push(lane(lane_row)?);
                }
            }
            lags.push(lag);
        }
        Ok(lags)
    }
}

fn group(row: &Row) -> Result<GroupLag, Error> {
    let subscription = Subscription::parse(&row.get::<String>("subscription")?)?;
    let patterns = subscription.patterns().iter();
    Ok(GroupLag {
        handler: row.get("name")?,
        patterns: patterns.map(ToString::to_string).collect(),
        lanes: Vec::new(),
        waiting: row.get("waiting")?,
        parked: row.get("parked")?,
        paused: row.get("paused")?,
        is_waiting_for_release: row.get("is_waiting")?,
        is_orphaned: row.get("is_orphaned")?,
    })
}

fn lane(row: &Row) -> Result<LaneLag, Error> {
    let position = row.get("position")?;
    let resume_at: Option<i64> = row.get("resume_at")?;
    Ok(LaneLag {
        lane: row.get("lane")?,
        position,
        holder: row.get("holder")?,
        oldest: row.get("oldest")?,
        replaying_to: resume_at.filter(|to| *to > position),
    })
}

const GROUPS: &str = "select g.id, g.name, g.subscription,
        (select count(*) from platform_blocked b where b.group_id = g.id and b.state <> 'parked') as waiting,
        (select count(*) from platform_blocked b where b.group_id = g.id and b.state = 'parked') as parked,
        (select min(m.pause_reason) from platform_member m where m.group_id = g.id) as paused,
        exists (select 1 from platform_member m join platform_process p on p.id = m.process
            where m.group_id = g.id and m.subscription <> g.subscription
              and p.expires_at > (select now from platform_time)) as is_waiting,
        g.seen_at < (select now from platform_time) - $2
            and not exists (select 1 from platform_member m join platform_process p on p.id = m.process
                where m.group_id = g.id and p.expires_at > (select now from platform_time)) as is_orphaned
    from platform_group g where g.service = $1 and g.retired_at is null order by g.name";
const LANES_SQLITE: &str = "select l.group_id, l.lane, l.position, l.resume_at,
        (select p.name from platform_process p
            where p.id = l.process and p.expires_at > (select now from platform_time)) as holder,
        (select now from platform_time) - case when l.lane < 0
            then (select e.recorded_at from platform_log e where e.seq > l.position order by e.seq limit 1)
            else (select e.recorded_at from platform_log e
                where e.lane = l.lane and e.seq > l.position order by e.seq limit 1) end as oldest
    from platform_lane l join platform_group g on g.id = l.group_id
    where g.service = $1 and g.retired_at is null order by l.group_id, l.lane";
/// The row comparisons leave only the index over (lane, seq) to look by.
const LANES_POSTGRES: &str = "select l.group_id, l.lane, l.position, l.resume_at,
        (select p.name from platform_process p
            where p.id = l.process and p.expires_at > (select now from platform_time)) as holder,
        (select now from platform_time) - case when l.lane < 0
            then (select e.recorded_at from platform_log e where e.seq > l.position order by e.seq limit 1)
            else (select e.recorded_at from platform_log e
                where (e.lane, e.seq) > (l.lane, l.position) and (e.lane, e.seq) <= (l.lane, 9223372036854775807)
                  and e.seq > l.position
                order by e.lane, e.seq limit 1) end as oldest
    from platform_lane l join platform_group g on g.id = l.group_id
    where g.service = $1 and g.retired_at is null order by l.group_id, l.lane";
