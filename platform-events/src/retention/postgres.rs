//! Trimming on PostgreSQL: whole partitions, without waiting for publishers.

use std::time::Duration;

use platform_core::Store;
use sqlx::{AssertSqlSafe, Executor};

use super::{Stretch, may_go};
use crate::Error;
use crate::log::Position;

pub(super) async fn next(store: &Store, limit: Position) -> Result<Option<Stretch>, Error> {
    let row = store.query(NEXT).bind(limit).fetch_optional().await?;
    row.map(|row| {
        Ok(Stretch {
            from: row.get("low")?,
            to: row.get("high")?,
        })
    })
    .transpose()
}

pub(super) async fn remove(
    store: &Store,
    stretch: Stretch,
    keep: Duration,
) -> Result<Option<u64>, Error> {
    let mut tx = store.begin().await?;
    let partition = format!("platform_log_{}_{}", stretch.from, stretch.to + 1);
    let may_go = may_go(&mut tx, stretch, keep).await?;
    let there = tx.query(THERE).bind(partition.as_str()).fetch_one().await?;
    if !may_go || !there.get("is_there")? {
        tx.rollback().await?;
        return Ok(None);
    }
    // The parent is locked for a moment; who cannot have it at once tries again at the next trim.
    for sql in [
        "set local lock_timeout = '500ms'".to_owned(),
        TRIMMED_UNTIL.replace("{partition}", &partition),
        format!("delete from platform_log_id i using {partition} p where i.id_key = p.id_key"),
        format!("alter table platform_log detach partition {partition}"),
    ] {
        let Some(conn) = tx.postgres() else {
            return Ok(None);
        };
        conn.execute(AssertSqlSafe(sql)).await.map_err(failed)?;
    }
    let Some(conn) = tx.postgres() else {
        return Ok(None);
    };
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {partition}")))
        .fetch_one(&mut *conn)
        .await
        .map_err(failed)?;
    conn.execute(AssertSqlSafe(format!("drop table {partition}")))
        .await
        .map_err(failed)?;
    tx.query(TRIMMED)
        .bind(stretch.to.to_string())
        .execute()
        .await?;
    tx.commit().await?;
    Ok(Some(u64::try_from(count).unwrap_or(0)))
}

fn failed(error: sqlx::Error) -> Error {
    platform_core::store::failure(error, "trimming the log").into()
}

/// The oldest partition, if all its positions may go.
const NEXT: &str = "select low, high - 1 as high from (
        select substring(inhrelid::regclass::text from '_([0-9]+)_[0-9]+\"?$')::bigint as low,
            substring(inhrelid::regclass::text from '_([0-9]+)\"?$')::bigint as high
        from pg_inherits where inhparent = 'platform_log'::regclass order by 1 limit 1) oldest
    where high - 1 <= $1";
/// When the newest of what leaves was recorded: receiving does not wait for what was sent before.
const TRIMMED_UNTIL: &str = "insert into platform_meta (name, value)
    select 'trimmed_until', (extract(epoch from max(recorded_at)) * 1000000)::bigint::text from {partition}
    having max(recorded_at) is not null
    on conflict (name) do update set value = excluded.value";
const TRIMMED: &str = "update platform_meta set value = $1 where name = 'trimmed_to'";
const THERE: &str = "select to_regclass($1) is not null as is_there";
