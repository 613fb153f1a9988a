//! The raw twins on SQLite.

use platform_core::{Key, Store};
use sqlx::Row;

use crate::publish::MOVE;
use crate::twin::Account;

pub(crate) const FILL: &str =
    "with recursive n(n) as (select 0 union all select n + 1 from n where n < 2000)
    insert into account select n, 1, 100 from n";

/// The business write, and the two rows of its event, in one transaction.
pub(crate) async fn twin(store: &Store, id: i64) {
    let mut tx = store.begin().await.unwrap();
    let conn = tx.sqlite().unwrap();
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

/// Loads the log with events of one type, as publishers would have left them.
pub(crate) async fn fill_log(store: &Store, count: i64, attributes: &str) {
    let mut tx = store.begin().await.unwrap();
    let conn = tx.sqlite().unwrap();
    sqlx::query(LOAD)
        .bind(count)
        .bind(attributes)
        .bind(PAYLOAD)
        .execute(conn)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Writes one effect for each of `count` events, a batch of `batch` in one transaction that moves a lane's row
/// and records a run.
pub(crate) async fn effects(store: &Store, count: i64, batch: i64) {
    let all: Vec<i64> = (0..count).collect();
    for chunk in all.chunks(usize::try_from(batch).unwrap()) {
        let mut tx = store.begin().await.unwrap();
        let conn = tx.sqlite().unwrap();
        for n in chunk {
            sqlx::query(EFFECT)
                .bind(-n - 1)
                .bind(*n)
                .execute(&mut *conn)
                .await
                .unwrap();
        }
        sqlx::query(RUN)
            .bind(chunk[0])
            .bind(chunk[0])
            .execute(&mut *conn)
            .await
            .unwrap();
        sqlx::query(LANE)
            .bind(0)
            .bind(chunk[0])
            .execute(&mut *conn)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

const ATTRIBUTES: &str = r#"{"specversion":"1.0","id":"6f1c1d1e-0000-8000-8000-000000000001","source":"bank","type":"account.updated","subject":"17","time":"2026-01-01T00:00:00.000000Z","datacontenttype":"application/json","correlationid":"6f1c1d1e-0000-8000-8000-000000000001","entitytype":"account","entityversion":"17","partitionkey":"account/17","schemaversion":"1","tenantid":"default"}"#;
pub(crate) const LOADED: &str = r#"{"specversion":"1.0","id":"x","source":"bank","type":"account.updated","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","tenantid":"default"}"#;
const PAYLOAD: &[u8] = br#"{"text":"a payload of about a hundred bytes, as small events have them; nobody reads it here"}"#;
const LOG: &str =
    "insert into twin_log (lane, key, id_key, type, tenant, correlation_id, occurred_at,
        recorded_at, attributes, data)
    values ($1, $2, $3, 'account.updated', 'default', hex($3), unixepoch(), unixepoch(), $4, $5)
    returning seq";
const ID: &str = "insert into twin_id (id_key, seq, content_hash) values ($1, $2, $3)";
const LOAD: &str = "with recursive n(n) as (select 1 union all select n + 1 from n where n < $1)
    insert into platform_log (seq, lane, key, id_key, type, tenant, correlation_id, occurred_at,
        recorded_at, attributes, data)
    select n, n % 16, cast(printf('%016d', n % 10000) as blob), cast(printf('%016d', n) as blob), 'account.updated', 'default', cast(n as text), 0, 0, replace($2, '{n}', n % 10000), $3 from n";
const EFFECT: &str = "insert into effect (seq, n) values ($1, $2)";
const RUN: &str = "insert into twin_run (seq_from, seq_to) values ($1, $2)";
const LANE: &str =
    "insert into twin_lane values ($1, $2) on conflict (lane) do update set position = $2";
