//! Groups: one handler each, with its own position in every lane. Registration and start.

use platform_core::Tx;
use platform_core::store::Dialect;

use crate::handler::{Lanes, Start};
use crate::log::{LANES, Log, Position, WHOLE};
use crate::registry::Spec;
use crate::{Error, ErrorKind};

/// Registers a group, or finds it by one of its names, and returns its id.
pub(crate) async fn register(log: &Log, service: &str, spec: &Spec) -> Result<i64, Error> {
    let bound = log.bound().await?.position;
    let mut tx = log.store().begin().await?;
    // Two processes of a first deployment come at once: the second finds what the first has made.
    if tx.dialect() == Dialect::Postgres {
        tx.query(LOCK).execute().await?;
    }
    let id = match find(&mut tx, spec).await? {
        Some(found) => {
            found.check(service, spec)?;
            found.id
        }
        None => create(&mut tx, service, spec, bound).await?,
    };
    let names = std::iter::once(&spec.name).chain(spec.formerly);
    for name in names {
        tx.query(ADD_NAME).bind(*name).bind(id).execute().await?;
    }
    tx.query(SEEN)
        .bind(id)
        .bind(spec.name)
        .bind(subscription(spec))
        .execute()
        .await?;
    tx.commit().await?;
    Ok(id)
}

struct Found {
    id: i64,
    service: String,
    lanes: i64,
}

impl Found {
    fn check(&self, service: &str, spec: &Spec) -> Result<(), Error> {
        if self.service != service {
            return Err(Error::wiring(format!(
                "the handler `{}` is already a group of the service `{}` in this database; give it another \
                 name",
                spec.name, self.service
            )));
        }
        if self.lanes != lane_count(spec) {
            return Err(Error::wiring(format!(
                "the handler `{}` changed between serial and parallel lanes, whose positions do not \
                 correspond; give it a new name and a start",
                spec.name
            )));
        }
        Ok(())
    }
}

async fn find(tx: &mut Tx, spec: &Spec) -> Result<Option<Found>, Error> {
    for name in std::iter::once(&spec.name).chain(spec.formerly) {
        if let Some(row) = tx.query(FIND).bind(*name).fetch_optional().await? {
            let found = Found {
                id: row.get("id")?,
                service: row.get("service")?,
                lanes: row.get("lanes")?,
            };
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn create(tx: &mut Tx, service: &str, spec: &Spec, bound: Position) -> Result<i64, Error> {
    let position = start_position(tx, &spec.start, bound).await?;
    tracing::info!(group = spec.name, position, start = ?spec.start, "a new group starts");
    let row = tx
        .query(CREATE)
        .bind(service)
        .bind(spec.name)
        .bind(lane_count(spec))
        .bind(start_text(&spec.start))
        .bind(position)
        .bind(subscription(spec))
        .fetch_one()
        .await?;
    let id = row.get("id")?;
    for lane in lanes(spec) {
        tx.query(CREATE_LANE)
            .bind(id)
            .bind(lane)
            .bind(position)
            .execute()
            .await?;
    }
    Ok(id)
}

async fn start_position(tx: &mut Tx, start: &Start, bound: Position) -> Result<Position, Error> {
    let trimmed: String = tx.query(TRIMMED).fetch_one().await?.get("value")?;
    let trimmed: Position = trimmed.parse().unwrap_or(0);
    match start {
        Start::Now => Ok(bound),
        Start::Beginning => {
            if trimmed > 0 {
                tracing::warn!(
                    trimmed,
                    "the log begins after this position: older events were removed"
                );
            }
            Ok(trimmed)
        }
        Start::Time(time) => {
            let row = tx
                .query(SINCE)
                .bind(*time - chrono::TimeDelta::hours(1))
                .fetch_one()
                .await?;
            Ok(row
                .get::<Option<i64>>("seq")?
                .map_or(bound, |seq| seq - 1)
                .max(trimmed))
        }
        Start::Position(position) if (trimmed..=bound).contains(position) => Ok(*position),
        Start::Position(position) => Err(Error::new(
            ErrorKind::Wiring,
            format!("the log reaches from {trimmed} to {bound}; position {position} lies outside"),
        )),
    }
}

/// How many lanes a group has.
fn lane_count(spec: &Spec) -> i64 {
    match spec.lanes {
        Lanes::Parallel => i64::from(LANES),
        Lanes::Serial => 1,
    }
}

/// The numbers of a group's lanes.
fn lanes(spec: &Spec) -> Vec<i16> {
    match spec.lanes {
        Lanes::Parallel => (0..i16::from(LANES)).collect(),
        Lanes::Serial => vec![WHOLE],
    }
}

pub(crate) fn subscription(spec: &Spec) -> String {
    let mut patterns = spec.patterns.clone();
    patterns.sort_unstable();
    serde_json::json!(patterns).to_string()
}

fn start_text(start: &Start) -> String {
    match start {
        Start::Now => "now".to_owned(),
        Start::Beginning => "beginning".to_owned(),
        Start::Time(time) => format!("time {}", time.to_rfc3339()),
        Start::Position(position) => format!("position {position}"),
    }
}

const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('platform_group', 0))";
const FIND: &str = "select g.id, g.service, g.lanes from platform_group g
    join platform_group_name n on n.group_id = g.id where n.name = $1";
const CREATE: &str = "insert into platform_group
    (service, name, lanes, start_at, start_position, subscription, registered_at, seen_at)
    values ($1, $2, $3, $4, $5, $6, (select now from platform_time), (select now from platform_time))
    returning id";
const CREATE_LANE: &str =
    "insert into platform_lane (group_id, lane, position) values ($1, $2, $3)";
const ADD_NAME: &str = "insert into platform_group_name (name, group_id, recorded_at)
    values ($1, $2, (select now from platform_time)) on conflict do nothing";
const SEEN: &str = "update platform_group
    set name = $2, subscription = $3, seen_at = (select now from platform_time) where id = $1";
const TRIMMED: &str = "select value from platform_meta where name = 'trimmed_to'";
const SINCE: &str = "select min(seq) as seq from platform_log where recorded_at >= $1";
