//! The few numbers that say how far a service is.

use platform_core::Store;

use crate::Error;
use crate::worker::Parts;

/// How far a service is with what its log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Overview {
    /// Events in the log.
    pub events: i64,
    /// Events handled, counted once for each handler that asked for them.
    pub handled: i64,
    /// Keys that wait for their next attempt.
    pub waiting: i64,
    /// Events parked.
    pub parked: i64,
    /// Nothing is left to read and nothing waits for a retry. Parked events do not unsettle.
    pub is_settled: bool,
}

pub(crate) async fn overview(
    store: &Store,
    service: &str,
    is_settled: bool,
) -> Result<Overview, Error> {
    let row = store.query(OVERVIEW).bind(service).fetch_one().await?;
    Ok(Overview {
        events: row.get("events")?,
        handled: row.get("handled")?,
        waiting: row.get("waiting")?,
        parked: row.get("parked")?,
        is_settled,
    })
}

/// Answers whether nothing is left to read and nothing waits, in the groups of this build of the service: what a
/// handler that is gone has not read is no work of anybody.
pub(crate) async fn is_settled(parts: &Parts) -> Result<bool, Error> {
    let query = parts.log.store().query(UNSETTLED);
    for row in query.bind(parts.service.as_str()).fetch_all().await? {
        let unsettled: i64 = row.get("id")?;
        if parts.groups.iter().any(|(id, _)| *id == unsettled) {
            return Ok(false);
        }
    }
    Ok(true)
}

const UNSETTLED: &str = "select g.id from platform_group g
    where g.service = $1 and g.retired_at is null and (
        exists (select 1 from platform_blocked b where b.group_id = g.id and b.state <> 'parked')
        or exists (select 1 from platform_lane l where l.group_id = g.id and (
            exists (select 1 from platform_log e where l.lane >= 0 and e.lane = l.lane and e.seq > l.position)
            or (l.lane < 0 and exists (select 1 from platform_log e where e.seq > l.position)))))";
const OVERVIEW: &str =
    "with mine as (select id from platform_group where service = $1 and retired_at is null)
    select
    (select count(*) from platform_log) as events,
    (select cast(coalesce(sum(handled), 0) as bigint) from platform_lane
        where group_id in (select id from mine)) as handled,
    (select count(*) from platform_blocked
        where group_id in (select id from mine) and state <> 'parked') as waiting,
    (select count(*) from platform_blocked
        where group_id in (select id from mine) and state = 'parked') as parked";
