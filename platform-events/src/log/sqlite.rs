//! The log on SQLite: one writer, so the bound is the last row.

use futures_util::TryStreamExt;
use platform_core::{Key, Store};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Executor, Row};

use super::{
    Appended, Backend, Bound, Chunk, LogRow, Position, READ_BYTES, READ_MAX, Record, WHOLE,
};
use crate::{Error, ErrorKind};

/// Learns what appending and reading need to know: nothing here, once the tables stand.
pub(super) async fn open(store: &Store) -> Result<Backend, Error> {
    store.query(BOUND).fetch_one().await?;
    Ok(Backend::Sqlite)
}

pub(super) async fn append(
    conn: &mut SqliteConnection,
    records: &[Record],
) -> Result<Vec<Appended>, Error> {
    let mut appended = Vec::with_capacity(records.len());
    for record in records {
        let id: Option<SqliteRow> = sqlx::query(INSERT_ID)
            .bind(record.id_key.as_uuid())
            .bind(record.content_hash.as_slice())
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        appended.push(match id {
            Some(row) => {
                insert(conn, record, row.get(0)).await?;
                Appended::New(row.get(0))
            }
            None => known(conn, record).await?,
        });
    }
    Ok(appended)
}

async fn insert(conn: &mut SqliteConnection, record: &Record, seq: Position) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(record.lane)
        .bind(record.key.as_uuid())
        .bind(record.id_key.as_uuid())
        .bind(record.kind.as_str())
        .bind(record.tenant.as_str())
        .bind(record.correlation_id.as_str())
        .bind(record.causation_id.as_deref())
        .bind(record.occurred_at.timestamp_micros())
        .bind(record.depth)
        .bind(record.is_muted)
        .bind(record.attributes.as_str())
        .bind(record.data.as_ref())
        .bind(seq)
        .bind(record.origin.as_str())
        .bind(record.is_late)
        .execute(conn)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn known(conn: &mut SqliteConnection, record: &Record) -> Result<Appended, Error> {
    let row = sqlx::query(KNOWN)
        .bind(record.id_key.as_uuid())
        .fetch_one(conn)
        .await
        .map_err(failed)?;
    Ok(Appended::Known(row.get(0), row.get(1)))
}

pub(super) async fn is_in_transaction(conn: &mut SqliteConnection) -> Result<bool, Error> {
    // Inside a transaction a second BEGIN is refused; outside it opens one that is undone at once.
    match conn.execute("BEGIN").await {
        Err(sqlx::Error::Database(error)) if error.message().contains("within a transaction") => {
            return Ok(true);
        }
        begun => begun.map_err(failed)?,
    };
    conn.execute("ROLLBACK").await.map_err(failed)?;
    Ok(false)
}

pub(super) async fn bound(store: &Store) -> Result<Bound, Error> {
    let row = store.query(BOUND).fetch_one().await?;
    let last: i64 = row.get("last")?;
    let drawn: i64 = row.get("drawn")?;
    let position: i64 = row.get("position")?;
    if drawn < last || drawn < position {
        return Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "the log's counter stands at {drawn}, below its last row {last} or a group's position \
                 {position}; set seq of platform_log in sqlite_sequence to the greater of the two"
            ),
        ));
    }
    Ok(Bound {
        position: last,
        last,
        holder: None,
    })
}

pub(super) async fn read(
    store: &Store,
    lanes: &[(i16, Position)],
    bound: Position,
    like: &[String],
) -> Result<Vec<(i16, Chunk)>, Error> {
    let Some(pool) = store.sqlite() else {
        return Ok(Vec::new());
    };
    let like =
        serde_json::to_string(like).map_err(|e| Error::invalid("patterns").with_source(e))?;
    let mut chunks = Vec::with_capacity(lanes.len());
    for &(lane, position) in lanes {
        let sql = if lane == WHOLE { READ_WHOLE } else { READ_LANE };
        let mut rows = sqlx::query(sql)
            .bind(lane)
            .bind(position)
            .bind(bound)
            .bind(READ_MAX)
            .bind(like.as_str())
            .fetch(pool);
        let (mut chunk, mut bytes) = (Chunk::default(), 0);
        while bytes < READ_BYTES
            && let Some(row) = rows.try_next().await.map_err(failed)?
        {
            chunk.covered = Some(row.get("seq"));
            if row.get::<bool, _>("is_wanted") {
                let row = log_row(&row)?;
                bytes += i64::try_from(row.data.len()).unwrap_or(i64::MAX);
                chunk.rows.push(row);
            }
        }
        if chunk.covered.is_some() {
            chunks.push((lane, chunk));
        }
    }
    Ok(chunks)
}

pub(super) async fn followers(
    conn: &mut SqliteConnection,
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
    let Some(pool) = store.sqlite() else {
        return Ok(None);
    };
    let row = sqlx::query(AT)
        .bind(seq)
        .fetch_optional(pool)
        .await
        .map_err(failed)?;
    row.as_ref().map(log_row).transpose()
}

fn log_row(row: &SqliteRow) -> Result<LogRow, Error> {
    let recorded_at: i64 = row.get("recorded_at");
    Ok(LogRow {
        seq: row.get("seq"),
        key: Key::from(row.get::<uuid::Uuid, _>("key")),
        kind: row.get("type"),
        tenant: row.get("tenant"),
        origin: row.get("origin"),
        is_muted: row.get("muted"),
        recorded_at: chrono::DateTime::from_timestamp_micros(recorded_at).unwrap_or_default(),
        attributes: row.get("attributes"),
        data: row.get::<Vec<u8>, _>("data").into(),
    })
}

pub(super) fn failed(error: sqlx::Error) -> Error {
    platform_core::store::failure(error, "the log").into()
}

const KNOWN: &str = "select seq, content_hash from platform_log_id where id_key = $1";
/// Draws the number that `autoincrement` would give next, whatever was deleted.
const INSERT_ID: &str = "insert into platform_log_id (id_key, seq, content_hash)
    values ($1, coalesce((select seq from sqlite_sequence where name = 'platform_log'), 0) + 1, $2)
    on conflict do nothing returning seq";
const INSERT: &str = "insert into platform_log (lane, key, id_key, type, tenant, correlation_id,
        causation_id, occurred_at, recorded_at, depth, muted, attributes, data, seq,
        origin, late)
    values ($1, $2, $3, $4, $5, $6, $7, $8, (select now from platform_time), $9, $10, $11, $12, $13, $14, $15)";
const BOUND: &str = "select
    (select coalesce(max(seq), 0) from platform_log) as last,
    (select coalesce(max(seq), 0) from sqlite_sequence where name = 'platform_log') as drawn,
    (select coalesce(max(position), 0) from platform_lane) as position";
const READ_LANE: &str = "select seq, lane, key, type, tenant, origin, muted, recorded_at, is_wanted,
        case when is_wanted then attributes end as attributes, case when is_wanted then data end as data
    from (select l.*, exists (select 1 from json_each($5) p where l.type like p.value escape '\\') as is_wanted
        from platform_log l where lane = $1 and seq > $2 and seq <= $3 order by seq limit $4)
    order by seq";
const READ_WHOLE: &str = "select seq, lane, key, type, tenant, origin, muted, recorded_at, is_wanted,
        case when is_wanted then attributes end as attributes, case when is_wanted then data end as data
    from (select l.*, exists (select 1 from json_each($5) p where l.type like p.value escape '\\') as is_wanted
        from platform_log l where $1 = -1 and seq > $2 and seq <= $3 order by seq limit $4)
    order by seq";
const FOLLOWERS: &str = "select seq, type from platform_log
    where key = $1 and seq > $2 and seq <= $3 order by seq limit 1000";
const AT: &str = "select seq, lane, key, type, tenant, origin, muted, recorded_at, attributes, data
    from platform_log where seq = $1";
