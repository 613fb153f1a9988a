//! The events that wait for their predecessors: put there by whoever received them, taken by whoever appends what
//! they waited for. A row that is taken and must wait on is put back as it was.

use bytes::Bytes;
use platform_core::store::{Dialect, Row};
use platform_core::{Key, Tx};

use super::appending::Fault;
use super::arrival::{Arrival, Waited};
use super::places::list;
use super::receiver::Receiver;
use crate::Error;
use crate::envelope::Envelope;

/// The most waiting events that one transaction takes.
pub(super) const TAKE_MAX: i64 = 500;
/// What waits is passed after so many times the usual wait, even if its predecessor waits too.
const CIRCLES_AFTER: i64 = 4;

/// Which waiting events a transaction takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Taken<'t> {
    /// Those with these ids.
    Rows(&'t [Key]),
    /// Those with these ids, and what follows these ids, one after the other.
    Around(&'t [Key]),
    /// Those whose predecessors are known by now, or that are known themselves.
    Ready,
    /// Those that have waited for long enough, for an id that does not wait itself; of each key the first.
    Overdue { open_us: i64, gap_wait_us: i64 },
    /// The oldest gaps, whatever their age.
    Oldest(i64),
}

impl Receiver {
    /// Takes waiting events out of their table.
    pub(super) async fn take_waiting(
        &self,
        tx: &mut Tx,
        taken: Taken<'_>,
    ) -> Result<Vec<Arrival>, Error> {
        let is_sqlite = tx.dialect() == Dialect::Sqlite;
        let by_dialect = |sqlite, postgres| if is_sqlite { sqlite } else { postgres };
        let query = match taken {
            Taken::Rows(keys) => {
                let sql = by_dialect(ROWS_SQLITE, ROWS_POSTGRES);
                tx.query(sql).bind(self.name).bind(list(keys.to_vec()))
            }
            Taken::Around(keys) => {
                let sql = by_dialect(AROUND_SQLITE, AROUND_POSTGRES);
                let query = tx.query(sql).bind(self.name).bind(list(keys.to_vec()));
                query.bind(TAKE_MAX)
            }
            Taken::Ready => tx.query(READY).bind(self.name).bind(TAKE_MAX),
            Taken::Overdue {
                open_us,
                gap_wait_us,
            } => {
                let query = tx.query(OVERDUE).bind(self.name).bind(TAKE_MAX);
                query
                    .bind(open_us - gap_wait_us)
                    .bind(open_us - CIRCLES_AFTER * gap_wait_us)
            }
            Taken::Oldest(most) => tx.query(OLDEST).bind(self.name).bind(most.min(TAKE_MAX)),
        };
        let mut rows = query.fetch_all().await?;
        // What `returning` gives has no order; the sender's is the best guess there is.
        rows.sort_by_cached_key(|row| row.get::<chrono::DateTime<chrono::Utc>>("sent_at").ok());
        rows.iter().map(|row| self.waiting(row)).collect()
    }

    fn waiting(&self, row: &Row) -> Result<Arrival, Error> {
        let raw = Bytes::from(row.get::<Vec<u8>>("raw")?);
        let envelope = Envelope::from_json(&raw)
            .map_err(|error| Error::damaged("a waiting event cannot be read").with_source(error))?;
        let mut arrival = self.arrival(&envelope, &raw).map_err(Error::damaged)?;
        arrival.waited = Some(Waited {
            received_at: row.get("received_at")?,
            open_us: row.get("open_us")?,
        });
        Ok(arrival)
    }

    /// Lets an event wait, or wait on.
    pub(super) async fn let_wait(
        &self,
        tx: &mut Tx,
        arrival: &Arrival,
        open_us: i64,
    ) -> Result<(), Fault> {
        let before = arrival.stamp.as_ref().zip(arrival.predecessor);
        let Some((stamp, predecessor_key)) = before else {
            return Ok(());
        };
        let predecessor = stamp.predecessor.as_ref().map(|before| before.id.as_str());
        let waited = arrival.waited;
        let put = tx
            .query(INSERT)
            .bind(arrival.record.id_key)
            .bind(self.name)
            .bind(self.scope.as_str())
            .bind(arrival.source.as_str())
            .bind(arrival.record.id.as_str())
            .bind(predecessor)
            .bind(predecessor_key)
            .bind(arrival.record.key)
            .bind(arrival.record.tenant.as_str())
            .bind(stamp.sent_at)
            .bind(waited.map(|waited| waited.received_at))
            .bind(waited.map_or(open_us, |waited| waited.open_us))
            .bind(arrival.raw.as_ref())
            .execute()
            .await?;
        // Another receiver let its own copy wait meanwhile: seen again, they are compared.
        if put == 1 { Ok(()) } else { Err(Fault::Repeat) }
    }
}

const INSERT: &str = "insert into platform_received (id_key, subscription, scope, source, event_id, predecessor,
        predecessor_key, key, tenant, sent_at, received_at, open_us, raw)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce($11, (select now from platform_time)), $12, $13)
    on conflict (id_key, subscription) do nothing";
const ROWS_SQLITE: &str = "delete from platform_received where subscription = $1
        and id_key in (select unhex(value) from json_each($2))
    returning sent_at, received_at, open_us, raw";
const ROWS_POSTGRES: &str = "delete from platform_received where subscription = $1
        and id_key = any(array(select value::uuid from json_array_elements_text($2::json)))
    returning sent_at, received_at, open_us, raw";
const AROUND_SQLITE: &str = "with recursive ids as materialized (select unhex(value) as id from json_each($2)),
    chain as (
        select id_key from platform_received where subscription = $1 and id_key in (select id from ids)
        union
        select id_key from platform_received where subscription = $1 and predecessor_key in (select id from ids)
        union
        select r.id_key from chain c join platform_received r on r.predecessor_key = c.id_key
        where r.subscription = $1)
    delete from platform_received where subscription = $1 and id_key in (select id_key from chain limit $3)
    returning sent_at, received_at, open_us, raw";
const AROUND_POSTGRES: &str = "with recursive ids as materialized (
        select array(select value::uuid from json_array_elements_text($2::json)) as id),
    chain as (
        (select id_key from platform_received
            where subscription = $1 and id_key = any((select id from ids)::uuid[])
        union
        select id_key from platform_received
            where subscription = $1 and predecessor_key = any((select id from ids)::uuid[]))
        union
        select r.id_key from chain c join platform_received r on r.predecessor_key = c.id_key
        where r.subscription = $1)
    delete from platform_received where subscription = $1 and id_key in (select id_key from chain limit $3)
    returning sent_at, received_at, open_us, raw";
const READY: &str = "delete from platform_received where subscription = $1 and id_key in (
        select r.id_key from platform_received r where r.subscription = $1
          and (exists (select 1 from platform_log_id i where i.id_key = r.predecessor_key)
            or exists (select 1 from platform_log_id i where i.id_key = r.id_key)
            or exists (select 1 from platform_quarantine q where q.id_key = r.predecessor_key))
        order by r.sent_at limit $2)
    returning sent_at, received_at, open_us, raw";
/// Gaps are passed in the sender's order: the first that waits of each key, and what follows it, before the next.
const OVERDUE: &str = "delete from platform_received where subscription = $1 and id_key in (
        select r.id_key from platform_received r where r.subscription = $1 and r.open_us <= $3
          and (r.open_us <= $4 or not exists (select 1 from platform_received w
            where w.id_key = r.predecessor_key and w.subscription = $1))
          and not exists (select 1 from platform_received e
            where e.key = r.key and e.subscription = $1 and e.sent_at < r.sent_at)
        order by r.sent_at limit $2)
    returning sent_at, received_at, open_us, raw";
const OLDEST: &str = "delete from platform_received where subscription = $1 and id_key in (
        select r.id_key from platform_received r where r.subscription = $1
          and not exists (select 1 from platform_received w
            where w.id_key = r.predecessor_key and w.subscription = $1)
          and not exists (select 1 from platform_received e
            where e.key = r.key and e.subscription = $1 and e.sent_at < r.sent_at)
        order by r.open_us, r.sent_at limit $2)
    returning sent_at, received_at, open_us, raw";
