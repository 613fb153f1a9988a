//! The raw twins on PostgreSQL.

use platform_core::{Key, Store};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::publish::MOVE;
use crate::twin::Account;

pub(crate) const FILL: &str =
    "insert into account select n, 1, 100 from generate_series(0, 2000) n";

/// The business write, and the two rows of its event, in one transaction.
pub(crate) async fn twin(store: &Store, id: i64) {
    let mut tx = store.begin().await.unwrap();
    let conn = tx.postgres().unwrap();
    let row = sqlx::query(MOVE)
        .bind(id)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let version = u64::try_from(row.get::<i64, _>(0)).unwrap();
    let payload = Account::moved(id, version - 1).payload(None).bytes;
    let key = Key::unique().as_uuid();
    let seq: i64 = sqlx::query_scalar(LOG)
        .bind(i16::from(key.as_bytes()[15] % 16))
        .bind(key)
        .bind(key)
        .bind(ATTRIBUTES)
        .bind(payload)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    sqlx::query(ID)
        .bind(key)
        .bind(seq)
        .bind(&key.as_bytes()[..])
        .execute(conn)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Puts so many ids beside the ones of real events.
pub(crate) async fn fill_ids(store: &Store, count: i64) {
    let pool = store.postgres().unwrap();
    for table in ["platform_log_id", "twin_id"] {
        let sql = format!(
            "insert into {table} select gen_random_uuid(), 0, decode(repeat('00', 32), 'hex')
             from generate_series(1, {count})"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(pool)
            .await
            .unwrap();
    }
    sqlx::query("checkpoint").execute(pool).await.unwrap();
}

/// Loads the log with events of one type, as publishers would have left them.
pub(crate) async fn fill_log(store: &Store, count: i64, attributes: &str) {
    let pool = store.postgres().unwrap();
    sqlx::query("select platform_log_partition($1)")
        .bind(count + 1)
        .execute(pool)
        .await
        .unwrap();
    for sql in [
        LOAD,
        "select setval('platform_log_seq', (select max(seq) from platform_log))",
    ] {
        let query = sqlx::query(sql);
        let query = if sql == LOAD {
            query.bind(count).bind(attributes).bind(PAYLOAD)
        } else {
            query
        };
        query.execute(pool).await.unwrap();
    }
    sqlx::query("analyze platform_log")
        .execute(pool)
        .await
        .unwrap();
}

/// Reads the events after `from` lane by lane as a worker does, and writes one effect for each, `batch` of them in a
/// transaction that moves the lane's row and records a run.
pub(crate) async fn effects(store: &Store, from: i64, batch: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..16_i16 {
        let store = store.clone();
        tasks.spawn(async move {
            let (pool, mut position) = (store.postgres().unwrap(), from);
            loop {
                let read = sqlx::query(READ).bind(lane).bind(position);
                let rows = read.fetch_all(pool).await.unwrap();
                for chunk in rows.chunks(batch) {
                    position = chunk.last().unwrap().get(0);
                    write(&store, lane, chunk).await;
                }
                if rows.is_empty() {
                    return;
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

async fn write(store: &Store, lane: i16, chunk: &[PgRow]) {
    let last: i64 = chunk.last().unwrap().get(0);
    let mut tx = store.begin().await.unwrap();
    let conn = tx.postgres().unwrap();
    for row in chunk {
        let (seq, attributes): (i64, String) = (row.get(0), row.get(1));
        let data: Vec<u8> = row.get(2);
        let effect = sqlx::query(EFFECT).bind(-seq - 1);
        let size = i64::try_from(attributes.len() + data.len()).unwrap();
        effect.bind(size).execute(&mut *conn).await.unwrap();
    }
    let run = sqlx::query(RUN).bind(chunk[0].get::<i64, _>(0)).bind(last);
    run.execute(&mut *conn).await.unwrap();
    let moved = sqlx::query(LANE).bind(i32::from(lane)).bind(last);
    moved.execute(&mut *conn).await.unwrap();
    tx.commit().await.unwrap();
}

const ATTRIBUTES: &str = r#"{"specversion":"1.0","id":"6f1c1d1e-0000-8000-8000-000000000001","source":"bank","type":"account.updated","subject":"17","time":"2026-01-01T00:00:00.000000Z","datacontenttype":"application/json","correlationid":"6f1c1d1e-0000-8000-8000-000000000001","entitytype":"account","entityversion":"17","partitionkey":"account/17","schemaversion":"1","tenantid":"default"}"#;
pub(crate) const LOADED: &str = r#"{"specversion":"1.0","id":"x","source":"bank","type":"account.updated","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","tenantid":"default"}"#;
const PAYLOAD: &[u8] = br#"{"text":"a payload of about a hundred bytes, as small events have them; nobody reads it here"}"#;
const LOG: &str = "insert into twin_log (lane, key, id_key, type, tenant, correlation_id, occurred_at,
        recorded_at, attributes, data)
    values ($1, $2, $3, 'account.updated', 'default', $3::text, clock_timestamp(), clock_timestamp(), $4, $5)
    returning seq";
const ID: &str = "insert into twin_id (id_key, seq, content_hash) values ($1, $2, $3)";
const LOAD: &str = "insert into platform_log (seq, lane, key, id_key, type, tenant, correlation_id, occurred_at,
        recorded_at, attributes, data)
    select n, n % 16, md5((n % 10000)::text)::uuid, md5(n::text)::uuid, 'account.updated', 'default', n::text,
        now(), now(), replace($2, '{n}', (n % 10000)::text), $3 from generate_series(1, $1) n";
const EFFECT: &str = "insert into effect (seq, n) values ($1, $2)";
const RUN: &str = "insert into twin_run (seq_from, seq_to) values ($1, $2)";
const LANE: &str =
    "insert into twin_lane values ($1, $2) on conflict (lane) do update set position = $2";
const READ: &str =
    "select seq, attributes, data, type, tenant, muted, recorded_at, key from platform_log
    where (lane, seq) > ($1, $2) and lane = $1 order by lane, seq limit 1000";
