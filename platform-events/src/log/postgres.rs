//! The log on PostgreSQL: publisher floors and the bound.
//!
//! Before a transaction draws its first number it takes one shared advisory lock that carries a lower bound of
//! every number it will draw (its floor). The reader asks for the last number first and the floors second: what
//! is not yet among the locks will draw above that number, so below the least floor everything is decided.

mod sql;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use platform_core::{Key, Store};
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};

use self::sql::{
    APPEND, APPEND_ONE, AT, FLOOR, FLOORS, FOLLOWERS, HOLDER, KNOWN, LAST, PARTITION, PLACE,
    READ_LANES, READ_WHOLE,
};
use super::{
    Appended, Backend, Bound, Chunk, Holder, LogRow, Position, READ_BYTES, READ_MAX, Record,
};
use crate::{Error, ErrorKind};

/// What a publisher needs to know of the log to append through any connection of the database.
#[derive(Clone, Debug)]
pub(super) struct Statements {
    append: Arc<str>,
    append_one: Arc<str>,
    known: Arc<str>,
    namespace: i64,
    partition_rows: i64,
    /// The least position without a partition made ahead, as far as this process knows.
    partitioned_to: Arc<AtomicI64>,
    is_partitioning: Arc<AtomicBool>,
}

impl Statements {
    /// As [`partition_ahead`](Self::partition_ahead), by one publisher at a time: a whole partition still lies
    /// ahead, so the others go on, and a failure is only tried again.
    async fn partition_soon(&self, pool: &PgPool, last: Position) {
        if self.partitioned_to.load(Ordering::Acquire) > last + self.partition_rows
            || self.is_partitioning.swap(true, Ordering::AcqRel)
        {
            return;
        }
        if let Err(error) = self.partition_ahead(pool, last).await {
            tracing::warn!(
                error = crate::outcome::chain(&error),
                "making a partition ahead"
            );
        }
        self.is_partitioning.store(false, Ordering::Release);
    }

    /// Makes partitions, in another connection, so that one whole partition lies ahead of `last`.
    async fn partition_ahead(&self, pool: &PgPool, last: Position) -> Result<(), Error> {
        let wanted = last + self.partition_rows;
        if self.partitioned_to.load(Ordering::Acquire) > wanted {
            return Ok(());
        }
        let made: i64 = sqlx::query_scalar(PARTITION)
            .bind(wanted)
            .fetch_one(pool)
            .await
            .map_err(failed)?;
        self.partitioned_to.fetch_max(made, Ordering::AcqRel);
        Ok(())
    }
}

/// Learns what appending and reading need to know: the schema, the sequence's oid, the partitions.
pub(super) async fn open(store: &Store) -> Result<Backend, Error> {
    let Some(pool) = store.postgres() else {
        return Err(Error::wiring("the store is no PostgreSQL database"));
    };
    let (schema, oid, rows, last): (String, i64, String, i64) = sqlx::query_as(PLACE)
        .fetch_one(pool)
        .await
        .map_err(failed)?;
    let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
    // The two-key advisory lock takes signed keys; pg_locks shows the same bits as an oid.
    let lock = i32::from_ne_bytes(u32::try_from(oid).unwrap_or_default().to_ne_bytes());
    let fill = |sql: &str| -> Arc<str> {
        sql.replace("{floor}", FLOOR)
            .replace("{schema}", &quoted)
            .replace("{oid}", &oid.to_string())
            .replace("{lock}", &lock.to_string())
            .into()
    };
    let statements = Statements {
        append: fill(APPEND),
        append_one: fill(APPEND_ONE),
        known: fill(KNOWN),
        namespace: oid,
        partition_rows: rows.parse().unwrap_or(1_000_000),
        partitioned_to: Arc::default(),
        is_partitioning: Arc::default(),
    };
    statements.partition_ahead(pool, last).await?;
    Ok(Backend::Postgres(statements))
}

pub(super) async fn append(
    statements: &Statements,
    pool: Option<&PgPool>,
    conn: &mut PgConnection,
    records: &[Record],
) -> Result<Vec<Appended>, Error> {
    let rows = insert(statements, conn, records).await?;
    let mut seqs: HashMap<Key, Position> = rows
        .iter()
        .map(|row| (Key::from(row.get::<uuid::Uuid, _>(1)), row.get(0)))
        .collect();
    if let (Some(pool), Some(&last)) = (pool, seqs.values().max()) {
        statements.partition_soon(pool, last).await;
    }
    let first: Vec<Option<Position>> = records
        .iter()
        .map(|record| seqs.remove(&record.id_key))
        .collect();
    let missing: Vec<uuid::Uuid> = records
        .iter()
        .zip(&first)
        .filter(|(_, seq)| seq.is_none())
        .map(|(record, _)| record.id_key.as_uuid())
        .collect();
    let known = known(statements, conn, &missing).await?;
    records
        .iter()
        .zip(first)
        .map(|(record, seq)| match seq {
            Some(seq) => Ok(Appended::New(seq)),
            None => known
                .get(&record.id_key)
                .cloned()
                .ok_or_else(|| not_appended(conn_hint())),
        })
        .collect()
}

fn conn_hint() -> &'static str {
    "the append returned no row; publish inside a transaction at READ COMMITTED"
}

fn not_appended(hint: &str) -> Error {
    Error::new(ErrorKind::NotInTransaction, hint)
}

async fn insert(
    statements: &Statements,
    conn: &mut PgConnection,
    records: &[Record],
) -> Result<Vec<PgRow>, Error> {
    if let [record] = records {
        return insert_one(statements, conn, record).await;
    }
    macro_rules! column {
        ($record:ident => $value:expr) => {
            records.iter().map(|$record| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query(AssertSqlSafe(Arc::clone(&statements.append)))
        .bind(column!(r => r.id_key.as_uuid()))
        .bind(column!(r => r.content_hash.clone()))
        .bind(column!(r => r.lane))
        .bind(column!(r => r.key.as_uuid()))
        .bind(column!(r => r.kind.clone()))
        .bind(column!(r => r.tenant.clone()))
        .bind(column!(r => r.correlation_id.clone()))
        .bind(column!(r => r.causation_id.clone()))
        .bind(column!(r => r.occurred_at))
        .bind(column!(r => r.depth))
        .bind(column!(r => r.is_muted))
        .bind(column!(r => r.attributes.clone()))
        .bind(column!(r => r.data.to_vec()))
        .bind(column!(r => r.origin.clone()))
        .bind(column!(r => r.is_late))
        .fetch_all(conn)
        .await
        .map_err(failed)
}

async fn insert_one(
    statements: &Statements,
    conn: &mut PgConnection,
    record: &Record,
) -> Result<Vec<PgRow>, Error> {
    sqlx::query(AssertSqlSafe(Arc::clone(&statements.append_one)))
        .bind(record.id_key.as_uuid())
        .bind(record.content_hash.as_slice())
        .bind(record.lane)
        .bind(record.key.as_uuid())
        .bind(record.kind.as_str())
        .bind(record.tenant.as_str())
        .bind(record.correlation_id.as_str())
        .bind(record.causation_id.as_deref())
        .bind(record.occurred_at)
        .bind(record.depth)
        .bind(record.is_muted)
        .bind(record.attributes.as_str())
        .bind(record.data.as_ref())
        .bind(record.origin.as_str())
        .bind(record.is_late)
        .fetch_all(conn)
        .await
        .map_err(failed)
}

/// Ids that returned no row stand in the log already; a second statement sees also what was committed while
/// the first one ran.
async fn known(
    statements: &Statements,
    conn: &mut PgConnection,
    ids: &[uuid::Uuid],
) -> Result<HashMap<Key, Appended>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(AssertSqlSafe(Arc::clone(&statements.known)))
        .bind(ids)
        .fetch_all(conn)
        .await
        .map_err(failed)?;
    Ok(rows
        .iter()
        .map(|row| {
            (
                Key::from(row.get::<uuid::Uuid, _>(0)),
                Appended::Known(row.get(1), row.get(2)),
            )
        })
        .collect())
}

pub(super) async fn is_in_transaction(conn: &mut PgConnection) -> Result<bool, Error> {
    if conn.is_in_transaction() {
        return Ok(true);
    }
    // A local setting outlives its statement only inside a transaction.
    sqlx::query("select set_config('platform.probe', 'inside', true)")
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
    let probe: Option<String> =
        sqlx::query_scalar("select current_setting('platform.probe', true)")
            .fetch_one(conn)
            .await
            .map_err(failed)?;
    Ok(probe.as_deref() == Some("inside"))
}

pub(super) async fn bound(statements: &Statements, store: &Store) -> Result<Bound, Error> {
    let Some(pool) = store.postgres() else {
        return Ok(Bound::default());
    };
    let mut conn = pool.acquire().await.map_err(failed)?;
    let row: (i64, i64, i64, bool, String) = sqlx::query_as(LAST)
        .fetch_one(&mut *conn)
        .await
        .map_err(failed)?;
    let (last, newest, position, is_standby, _) = row;
    if is_standby {
        return Err(Error::new(
            ErrorKind::Damaged,
            "the server has become a standby, which shows no locks; connect to the primary",
        ));
    }
    if last < newest || last < position {
        return Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "platform_log_seq stands at {last}, below the log's last row {newest} or a group's position \
                 {position}; run: select setval('platform_log_seq', {})",
                newest.max(position)
            ),
        ));
    }
    let floors: Vec<(i64, Option<i32>)> = sqlx::query_as(FLOORS)
        .bind(statements.namespace)
        .fetch_all(&mut *conn)
        .await
        .map_err(failed)?;
    let least = floors
        .into_iter()
        .map(|(low, pid)| (rebuilt(low, last), pid))
        .min();
    match least {
        Some((floor, pid)) if floor < last => {
            let holder = holder(&mut conn, pid).await?;
            Ok(Bound {
                position: floor,
                last,
                holder: Some(holder),
            })
        }
        _ => Ok(Bound {
            position: last,
            last,
            holder: None,
        }),
    }
}

/// Rebuilds a floor from its low 31 bits: the greatest number not above `last` with these bits.
fn rebuilt(low: i64, last: Position) -> Position {
    const SPAN: i64 = 1 << 31;
    let candidate = (last & !(SPAN - 1)) | low;
    if candidate > last {
        candidate - SPAN
    } else {
        candidate
    }
}

async fn holder(conn: &mut PgConnection, pid: Option<i32>) -> Result<Holder, Error> {
    let found = sqlx::query(HOLDER)
        .bind(pid)
        .fetch_optional(conn)
        .await
        .map_err(failed)?;
    Ok(match found {
        Some(row) => Holder {
            pid,
            application: row.get(0),
            since: row.get(1),
        },
        None => Holder {
            pid,
            application: String::new(),
            since: None,
        },
    })
}

pub(super) async fn read(
    store: &Store,
    lanes: &[(i16, Position)],
    bound: Position,
    like: &[String],
) -> Result<Vec<(i16, Chunk)>, Error> {
    let Some(pool) = store.postgres() else {
        return Ok(Vec::new());
    };
    let is_whole = lanes.first().is_some_and(|(lane, _)| *lane == super::WHOLE);
    let (numbers, positions): (Vec<i16>, Vec<i64>) = lanes.iter().copied().unzip();
    let rows = sqlx::query(if is_whole { READ_WHOLE } else { READ_LANES })
        .bind(numbers)
        .bind(positions)
        .bind(bound)
        .bind(READ_MAX)
        .bind(like)
        .bind(READ_BYTES)
        .fetch_all(pool)
        .await
        .map_err(failed)?;
    let mut chunks: Vec<(i16, Chunk)> = Vec::new();
    for row in &rows {
        let lane: i16 = row.get("cursor_lane");
        if chunks.last().is_none_or(|(last, _)| *last != lane) {
            chunks.push((lane, Chunk::default()));
        }
        let Some((_, chunk)) = chunks.last_mut() else {
            continue;
        };
        chunk.covered = Some(row.get("seq"));
        if row.get("is_wanted") {
            chunk.rows.push(log_row(row)?);
        }
    }
    Ok(chunks)
}

pub(super) async fn followers(
    conn: &mut PgConnection,
    key: Key,
    from: Position,
    to: Position,
) -> Result<Vec<(Position, String)>, Error> {
    let rows = sqlx::query(FOLLOWERS)
        .bind(key.as_uuid())
        .bind(from)
        .bind(to)
        .fetch_all(conn)
        .await
        .map_err(failed)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

pub(super) async fn at(store: &Store, seq: Position) -> Result<Option<LogRow>, Error> {
    let Some(pool) = store.postgres() else {
        return Ok(None);
    };
    let row = sqlx::query(AT)
        .bind(seq)
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    row.as_ref().map(log_row).transpose()
}

fn log_row(row: &PgRow) -> Result<LogRow, Error> {
    Ok(LogRow {
        seq: row.get("seq"),
        key: Key::from(row.get::<uuid::Uuid, _>("key")),
        kind: row.get("type"),
        tenant: row.get("tenant"),
        origin: row.get("origin"),
        is_muted: row.get("muted"),
        recorded_at: row.get("recorded_at"),
        attributes: row.get("attributes"),
        data: row.get::<Vec<u8>, _>("data").into(),
    })
}

pub(super) fn failed(error: sqlx::Error) -> Error {
    platform_core::store::failure(error, "the log").into()
}

#[cfg(test)]
mod tests {
    use super::rebuilt;

    #[test]
    fn a_floor_is_rebuilt_across_the_wrap_of_its_31_bits() {
        let wrap = 1_i64 << 31;
        assert_eq!(rebuilt(5, 9), 5);
        assert_eq!(rebuilt(wrap - 1, wrap + 3), wrap - 1);
        assert_eq!(rebuilt(2, wrap + 3), wrap + 2);
        assert_eq!(rebuilt(0, 0), 0);
    }
}
