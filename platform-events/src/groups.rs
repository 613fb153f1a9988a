//! Groups: one handler each, with its own position in every lane. Registration and start.

use platform_core::Tx;
use platform_core::store::{Dialect, Row};

use crate::handler::{Lanes, Start};
use crate::log::{LANES, Log, Position, WHOLE};
use crate::registry::Spec;
use crate::retention::{self, TRIMMED};
use crate::subscription::Subscription;
use crate::{Error, ErrorKind};

/// A group as its row knows it.
pub(crate) struct Registered {
    pub(crate) id: i64,
    /// The name it was made under, which the ids of what it publishes contain.
    pub(crate) first_name: String,
}

/// Registers a group, or finds it by one of its names.
///
/// What it asks for stands in its row; a release that asks for more says so here, one that asks for less only when
/// it takes lanes.
pub(crate) async fn register(log: &Log, service: &str, spec: &Spec) -> Result<Registered, Error> {
    let bound = log.bound().await?.position;
    let mut tx = log.store().begin().await?;
    // Two processes of a first deployment come at once: the second finds what the first has made.
    if tx.dialect() == Dialect::Postgres {
        tx.query(LOCK).execute().await?;
    }
    let registered = match find(&mut tx, spec).await? {
        Some(found) => {
            found.check(service, spec)?;
            let id = found.registered.id;
            if spec.formerly.contains(&found.name.as_str()) {
                tx.query(RENAME).bind(id).bind(spec.name).execute().await?;
            }
            let asked = Subscription::of(&spec.patterns)?;
            asked.announce(&mut tx, id, &found.subscription).await?;
            if found.is_retired {
                revive(&mut tx, id, spec).await?;
            }
            found.registered
        }
        None => create(&mut tx, service, spec, bound).await?,
    };
    name(&mut tx, registered.id, spec).await?;
    tx.commit().await?;
    Ok(registered)
}

/// Gives the group its names; one that is another group's was registered before this handler claimed it.
async fn name(tx: &mut Tx, id: i64, spec: &Spec) -> Result<(), Error> {
    for name in std::iter::once(&spec.name).chain(spec.formerly) {
        tx.query(ADD_NAME).bind(*name).bind(id).execute().await?;
        let owner = tx.query(OWNER).bind(*name).fetch_one().await?;
        if owner.get::<i64>("id")? != id {
            let other: String = owner.get("name")?;
            return Err(Error::wiring(format!(
                "the handler `{}` says that it was `{name}`, but that is the group of `{other}`: it has a position \
                 of its own already; take the name out of FORMERLY",
                spec.name
            )));
        }
    }
    Ok(())
}

/// Lets a retired group go on; the log may have been trimmed beyond its position meanwhile.
async fn revive(tx: &mut Tx, id: i64, spec: &Spec) -> Result<(), Error> {
    let trimmed = trimmed(tx).await?;
    tx.query(REVIVE).bind(id).execute().await?;
    let moved = tx.query(SKIP).bind(id).bind(trimmed).execute().await?;
    tracing::warn!(group = spec.name, moved, "a retired group goes on");
    Ok(())
}

/// Retires a group that no process alive has; false when there is none such.
pub(crate) async fn retire(tx: &mut Tx, service: &str, name: &str) -> Result<Option<i64>, Error> {
    let row = tx
        .query(RETIRE)
        .bind(service)
        .bind(name)
        .fetch_optional()
        .await?;
    Ok(row.map(|row| row.get("id")).transpose()?)
}

struct Found {
    registered: Registered,
    service: String,
    name: String,
    lanes: i64,
    subscription: String,
    is_retired: bool,
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
                registered: registered(&row)?,
                service: row.get("service")?,
                name: row.get("name")?,
                lanes: row.get("lanes")?,
                subscription: row.get("subscription")?,
                is_retired: row.get("is_retired")?,
            };
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn registered(row: &Row) -> Result<Registered, Error> {
    Ok(Registered {
        id: row.get("id")?,
        first_name: row.get("first_name")?,
    })
}

async fn create(
    tx: &mut Tx,
    service: &str,
    spec: &Spec,
    bound: Position,
) -> Result<Registered, Error> {
    let position = start_position(tx, &spec.start, bound).await?;
    tracing::info!(group = spec.name, position, start = ?spec.start, "a new group starts");
    let row = tx
        .query(CREATE)
        .bind(service)
        .bind(spec.name)
        .bind(lane_count(spec))
        .bind(start_text(&spec.start))
        .bind(position)
        .bind(Subscription::of(&spec.patterns)?.as_str())
        .bind(spec.first_name())
        .fetch_one()
        .await?;
    let registered = registered(&row)?;
    for lane in lanes(spec) {
        tx.query(CREATE_LANE)
            .bind(registered.id)
            .bind(lane)
            .bind(position)
            .execute()
            .await?;
    }
    Ok(registered)
}

async fn trimmed(tx: &mut Tx) -> Result<Position, Error> {
    let trimmed: String = tx.query(TRIMMED).fetch_one().await?.get("value")?;
    retention::position(&trimmed)
}

async fn start_position(tx: &mut Tx, start: &Start, bound: Position) -> Result<Position, Error> {
    let trimmed = trimmed(tx).await?;
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

fn start_text(start: &Start) -> String {
    match start {
        Start::Now => "now".to_owned(),
        Start::Beginning => "beginning".to_owned(),
        Start::Time(time) => format!("time {}", time.to_rfc3339()),
        Start::Position(position) => format!("position {position}"),
    }
}

pub(crate) const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('platform_group', 0))";
const FIND: &str =
    "select g.id, g.service, g.name, g.lanes, g.first_name, g.subscription, g.retired_at is not null as is_retired
    from platform_group g
    join platform_group_name n on n.group_id = g.id where n.name = $1";
const CREATE: &str = "insert into platform_group
    (service, name, lanes, start_at, start_position, subscription, first_name, registered_at, seen_at)
    values ($1, $2, $3, $4, $5, $6, $7, (select now from platform_time), (select now from platform_time))
    returning id, first_name";
const CREATE_LANE: &str =
    "insert into platform_lane (group_id, lane, position) values ($1, $2, $3)";
const ADD_NAME: &str = "insert into platform_group_name (name, group_id, recorded_at)
    values ($1, $2, (select now from platform_time)) on conflict do nothing";
const OWNER: &str =
    "select g.id, g.name from platform_group_name n join platform_group g on g.id = n.group_id
    where n.name = $1";
const RENAME: &str = "update platform_group set name = $2 where id = $1";
const REVIVE: &str = "update platform_group set retired_at = null where id = $1";
const SKIP: &str = "update platform_lane set position = $2, token = token + 1
    where group_id = $1 and position < $2";
const RETIRE: &str = "update platform_group set retired_at = (select now from platform_time)
    where service = $1 and name = $2 and retired_at is null and not exists (
        select 1 from platform_member m join platform_process p on p.id = m.process
        where m.group_id = platform_group.id and p.expires_at > (select now from platform_time))
    returning id";
const SINCE: &str = "select min(seq) as seq from platform_log where recorded_at >= $1";
