//! Trimming on SQLite: rows, in steps that hold the writer for a moment only.

use std::time::Duration;

use platform_core::Store;

use super::{Stretch, may_go};
use crate::Error;
use crate::log::Position;

/// The most rows of one stretch, and so of one archive file.
const STRETCH_MAX: i64 = 10_000;

pub(super) async fn next(store: &Store, limit: Position) -> Result<Option<Stretch>, Error> {
    let row = store
        .query(NEXT)
        .bind(limit)
        .bind(STRETCH_MAX)
        .fetch_one()
        .await?;
    let (from, to): (Option<i64>, Option<i64>) = (row.get("low")?, row.get("high")?);
    Ok(from.zip(to).map(|(from, to)| Stretch { from, to }))
}

pub(super) async fn remove(
    store: &Store,
    stretch: Stretch,
    keep: Duration,
) -> Result<Option<u64>, Error> {
    let mut tx = store.begin().await?;
    if !may_go(&mut tx, stretch, keep).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    tx.query(TRIMMED_UNTIL).bind(stretch.to).execute().await?;
    tx.query(REMOVE_IDS).bind(stretch.to).execute().await?;
    let removed = tx.query(REMOVE).bind(stretch.to).execute().await?;
    tx.query(TRIMMED)
        .bind(stretch.to.to_string())
        .execute()
        .await?;
    tx.commit().await?;
    Ok(Some(removed))
}

const NEXT: &str = "select min(seq) as low, max(seq) as high from
    (select seq from platform_log where seq <= $1 order by seq limit $2)";
const REMOVE_IDS: &str = "delete from platform_log_id where id_key in
    (select id_key from platform_log where seq <= $1)";
const REMOVE: &str = "delete from platform_log where seq <= $1";
/// When the newest of what leaves was recorded: receiving does not wait for what was sent before.
const TRIMMED_UNTIL: &str = "insert into platform_meta (name, value)
    select 'trimmed_until', cast(max(recorded_at) as text) from platform_log where seq <= $1
    having max(recorded_at) is not null
    on conflict (name) do update set value = excluded.value";
const TRIMMED: &str = "update platform_meta set value = $1 where name = 'trimmed_to'";
