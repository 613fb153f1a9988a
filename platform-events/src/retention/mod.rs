//! What leaves the log: whole stretches that are old, passed by every group, and hold nothing parked.
//!
//! Archived first if a place is named. PostgreSQL drops partitions, SQLite deletes rows in small steps.

mod postgres;
mod sqlite;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use platform_core::Store;
use platform_core::store::Row;

use crate::envelope::Envelope;
use crate::log::Position;
use crate::{Error, ErrorKind};

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

/// Removes every stretch that may go.
pub(crate) async fn trim(store: &Store, retention: &Retention) -> Result<Trimmed, Error> {
    let limit = store.query(LIMIT).bind(retention.keep).fetch_one().await?;
    let limit: Position = limit.get("up_to")?;
    let mut trimmed = Trimmed::default();
    while let Some(stretch) = next(store, limit).await? {
        if let Some(folder) = &retention.archive {
            archive(store, stretch, folder).await?;
        }
        trimmed.events += match store.postgres() {
            Some(_) => postgres::remove(store, stretch).await?,
            None => sqlite::remove(store, stretch).await?,
        };
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
    let part = folder.join(format!("{name}.part"));
    let mut file = File::create(&part).map_err(failed)?;
    let mut after = stretch.from - 1;
    loop {
        let rows = store
            .query(PAGE)
            .bind(after)
            .bind(stretch.to)
            .fetch_all()
            .await?;
        let Some(last) = rows.last() else { break };
        after = last.get("seq")?;
        for row in &rows {
            file.write_all(&line(row)?).map_err(failed)?;
        }
    }
    file.sync_all().map_err(failed)?;
    std::fs::rename(&part, folder.join(&name)).map_err(failed)
}

fn line(row: &Row) -> Result<Vec<u8>, Error> {
    let (position, attributes): (i64, String) = (row.get("seq")?, row.get("attributes")?);
    let envelope = Envelope::from_parts(&attributes, row.get::<Vec<u8>>("data")?.into())
        .map_err(|error| Error::invalid("an event cannot be archived").with_source(error))?;
    let mut line = format!("{{\"position\":{position},\"event\":").into_bytes();
    line.extend(envelope.to_json());
    line.extend(b"}\n");
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
const TRIMMED: &str = "select value from platform_meta where name = 'trimmed_to'";
const PAGE: &str = "select seq, attributes, data from platform_log
    where seq > $1 and seq <= $2 order by seq limit 1000";
