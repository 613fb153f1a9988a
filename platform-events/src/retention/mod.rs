//! What leaves the log: whole stretches that are old, passed by every group, and hold nothing parked.
//!
//! Archived first if a place is named. PostgreSQL drops partitions, SQLite deletes rows in small steps.

mod postgres;
mod sqlite;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform_core::store::{Dialect, Row};
use platform_core::{Key, Store, Tx};

use crate::envelope::Envelope;
use crate::log::Position;
use crate::{Error, ErrorKind, groups};

/// How long the log keeps its events; for ever unless a service says otherwise.
#[derive(Debug, Clone)]
pub struct Retention {
    keep: Duration,
    archive: Option<PathBuf>,
}

/// What one trim removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Trimmed {
    /// How many events left the log.
    pub events: u64,
    /// The position up to which (inclusive) the log is trimmed, over all time.
    pub up_to: i64,
}

impl Retention {
    /// Keeps events at least this long.
    pub fn keep(keep: Duration) -> Self {
        Self {
            keep,
            archive: None,
        }
    }

    /// Between two trims of a service that keeps it: a tenth of its time, at least 100 ms and at most an hour.
    pub(crate) fn every(&self) -> Duration {
        (self.keep / 10).clamp(Duration::from_millis(100), Duration::from_hours(1))
    }

    /// Writes what leaves into `folder` first: one file of JSON lines for each stretch, named by its positions.
    #[must_use]
    pub fn archived_to(mut self, folder: impl Into<PathBuf>) -> Self {
        self.archive = Some(folder.into());
        self
    }
}

/// A stretch of the log that may leave it, both ends inclusive.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: Position,
    to: Position,
}

/// Reads how far the log is trimmed.
pub(crate) fn position(trimmed_to: &str) -> Result<Position, Error> {
    let damaged = |error| Error::damaged("`trimmed_to` is no position").with_source(error);
    trimmed_to.parse().map_err(damaged)
}

/// Removes every stretch that may go.
pub(crate) async fn trim(store: &Store, retention: &Retention) -> Result<Trimmed, Error> {
    let limit = store.query(LIMIT).bind(retention.keep).fetch_one().await?;
    let limit: Position = limit.get("up_to")?;
    let mut trimmed = Trimmed::default();
    while let Some(stretch) = next(store, limit).await? {
        if let Some(folder) = &retention.archive {
            archive(store, stretch, folder).await?;
        }
        let removed = match store.postgres() {
            Some(_) => postgres::remove(store, stretch, retention.keep).await?,
            None => sqlite::remove(store, stretch, retention.keep).await?,
        };
        // Something needs it by now, or another process was quicker.
        let Some(removed) = removed else { break };
        trimmed.events += removed;
    }
    let row = store.query(TRIMMED).fetch_one().await?;
    trimmed.up_to = row.get::<String>("value")?.parse().unwrap_or(0);
    Ok(trimmed)
}

async fn next(store: &Store, limit: Position) -> Result<Option<Stretch>, Error> {
    match store.postgres() {
        Some(_) => postgres::next(store, limit).await,
        None => sqlite::next(store, limit).await,
    }
}

/// Answers whether a stretch may still go, in the transaction that removes it: a group may have been registered at
/// the beginning of the log meanwhile.
async fn may_go(tx: &mut Tx, stretch: Stretch, keep: Duration) -> Result<bool, Error> {
    if tx.dialect() == Dialect::Postgres {
        tx.query(groups::LOCK).execute().await?;
    }
    let limit = tx.query(LIMIT).bind(keep).fetch_one().await?;
    Ok(stretch.to <= limit.get::<Position>("up_to")?)
}

/// Writes a stretch as JSON lines. The file appears under its name only when it is whole.
async fn archive(store: &Store, stretch: Stretch, folder: &Path) -> Result<(), Error> {
    let failed = |error| {
        let message = format!(
            "cannot archive into {}; the log keeps everything",
            folder.display()
        );
        Error::new(ErrorKind::Store, message).with_source(error)
    };
    let name = format!("platform_log-{:020}-{:020}.jsonl", stretch.from, stretch.to);
    // Two processes may archive the same stretch; each writes a file of its own.
    let part = folder.join(format!("{name}.{}.part", Key::unique()));
    let made = part.clone();
    let mut file = blocking(move || File::create_new(&made))
        .await
        .map_err(failed)?;
    let mut after = stretch.from - 1;
    loop {
        let query = store.query(PAGE).bind(after).bind(stretch.to);
        let rows = query.fetch_all().await?;
        let Some(last) = rows.last() else { break };
        after = last.get("seq")?;
        let lines = rows
            .iter()
            .map(line)
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        let written = blocking(move || file.write_all(&lines).map(|()| file)).await;
        file = written.map_err(failed)?;
    }
    let (place, whole) = (folder.to_owned(), folder.join(&name));
    let named = move || {
        file.sync_all()?;
        std::fs::rename(&part, whole)?;
        File::open(place)?.sync_all()
    };
    blocking(named).await.map_err(failed)
}

/// Does what waits for a disk beside the others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}

/// An event as one line. One that cannot be read is kept as it is stored, with what is wrong with it.
fn line(row: &Row) -> Result<Vec<u8>, Error> {
    let (position, attributes): (i64, String) = (row.get("seq")?, row.get("attributes")?);
    let data: Vec<u8> = row.get("data")?;
    let mut line = match Envelope::from_parts(&attributes, data.clone().into()) {
        Ok(envelope) => {
            let mut line = format!("{{\"position\":{position},\"event\":").into_bytes();
            line.extend(envelope.to_json());
            line.push(b'}');
            line
        }
        Err(error) => serde_json::json!({
            "position": position,
            "fault": error.to_string(),
            "attributes": attributes,
            "data_base64": STANDARD.encode(&data),
        })
        .to_string()
        .into_bytes(),
    };
    line.push(b'\n');
    Ok(line)
}

/// The last position that is old enough, passed by every lane that has rows, and before every blocked key.
const LIMIT: &str = "select min(up_to) as up_to from (
    select coalesce(max(seq), 0) as up_to from platform_log
        where recorded_at < (select now from platform_time) - $1
    union all
    select coalesce(min(case when l.lane < 0
            then (select min(seq) from platform_log where seq > l.position)
            else (select min(seq) from platform_log where lane = l.lane and seq > l.position) end) - 1,
        9223372036854775807)
    from platform_lane l join platform_group g on g.id = l.group_id where g.retired_at is null
    union all
    select coalesce(min(head) - 1, 9223372036854775807) from platform_blocked) c";
/// How far the log is trimmed, as text; see [`position`].
pub(crate) const TRIMMED: &str = "select value from platform_meta where name = 'trimmed_to'";
const PAGE: &str = "select seq, attributes, data from platform_log
    where seq > $1 and seq <= $2 order by seq limit 1000";
