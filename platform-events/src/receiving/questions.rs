//! What an operator asks about receiving: how each subscription is, what is missing, what was put aside.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use platform_core::store::Row;
use platform_core::{Cursor, Page, Store};

use crate::Error;

/// The most rows of one page.
const LIMIT_MAX: u32 = 200;

/// The calls on what one service receives.
#[derive(Debug, Clone)]
pub struct Receiving {
    store: Store,
    /// What the names of its subscriptions begin with.
    prefix: String,
}

/// How one subscription is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionState {
    /// The topic.
    pub topic: String,
    /// When it subscribed first.
    pub began_at: DateTime<Utc>,
    /// Events that wait for their predecessors.
    pub waiting: i64,
    /// Deliveries in quarantine; beyond the subscription's bound receiving pauses.
    pub quarantined: i64,
    /// Gaps that were passed and whose missing event has not come since.
    pub gaps: i64,
    /// Deliveries of this service's own events, which were acknowledged and passed over.
    pub own: i64,
}

/// An event that was waited for in vain: what follows it was let through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    id: i64,
    /// The topic.
    pub topic: String,
    /// Who sent it.
    pub source: String,
    /// Its id, by which it can be asked for again.
    pub missing_id: String,
    /// Whose it is.
    pub tenant: String,
    /// The id of the event that was let through.
    pub followed_by: String,
    /// When that was.
    pub passed_at: DateTime<Utc>,
    /// When the missing one came after all; it stands in the log then, marked as late.
    pub arrived_at: Option<DateTime<Utc>>,
}

/// A delivery that was not appended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// Its number, by which it can be [removed](Receiving::remove).
    pub id: i64,
    /// The topic.
    pub topic: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// Why it was not appended.
    pub reason: String,
    /// Who sent it, if that can be read.
    pub source: Option<String>,
    /// Its id, if that can be read.
    pub event_id: Option<String>,
    /// The delivery as it came.
    pub raw: Bytes,
}

impl Receiving {
    pub(crate) fn new(store: &Store, service: &str) -> Self {
        Self {
            store: store.clone(),
            prefix: format!("{service}/"),
        }
    }

    /// Tells how each subscription is, by topic.
    ///
    /// # Errors
    /// The store's.
    pub async fn subscriptions(&self) -> Result<Vec<SubscriptionState>, Error> {
        let rows = self.store.query(STATES).bind(self.prefix.as_str());
        let rows = rows.fetch_all().await?;
        rows.iter()
            .map(|row| {
                Ok(SubscriptionState {
                    topic: row.get("topic")?,
                    began_at: row.get("began_at")?,
                    waiting: row.get("waiting")?,
                    quarantined: row.get("quarantined")?,
                    gaps: row.get("gaps")?,
                    own: row.get("own")?,
                })
            })
            .collect()
    }

    /// Lists the first `limit` (1 to 200) gaps, oldest first, or those that follow after `after`.
    ///
    /// # Errors
    /// When `after` is no cursor of this list; the store's.
    pub async fn gaps(&self, after: Option<&Cursor>, limit: u32) -> Result<Page<Gap>, Error> {
        let (rows, limit) = self.page(GAPS, after, limit).await?;
        let gaps = rows.iter().map(gap).collect::<Result<_, Error>>()?;
        Ok(Page::of(gaps, limit, |gap: &Gap| Cursor::of([&gap.id])))
    }

    /// Lists the first `limit` (1 to 200) deliveries in quarantine, oldest first, or those that follow after
    /// `after`.
    ///
    /// # Errors
    /// When `after` is no cursor of this list; the store's.
    pub async fn quarantine(
        &self,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Quarantined>, Error> {
        let (rows, limit) = self.page(QUARANTINE, after, limit).await?;
        let aside = rows.iter().map(quarantined).collect::<Result<_, Error>>()?;
        Ok(Page::of(aside, limit, |aside: &Quarantined| {
            Cursor::of([&aside.id])
        }))
    }

    /// Removes deliveries from quarantine for good, and returns how many they were. What names one of them as its
    /// predecessor and comes later waits for it.
    ///
    /// # Errors
    /// The store's.
    ///
    /// # Cancel safety
    /// Dropped, all of them are removed or none is.
    pub async fn remove(&self, ids: &[i64]) -> Result<u64, Error> {
        let mut tx = self.store.begin().await?;
        let mut removed = 0;
        for id in ids {
            let remove = tx.query(REMOVE).bind(self.prefix.as_str()).bind(*id);
            removed += remove.execute().await?;
        }
        tx.commit().await?;
        Ok(removed)
    }

    async fn page(
        &self,
        sql: &'static str,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<Row>, u32), Error> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let after: i64 = match after {
            Some(cursor) => cursor.part(cursor.parts::<1>()?[0])?,
            None => 0,
        };
        let query = self.store.query(sql).bind(self.prefix.as_str()).bind(after);
        let rows = query.bind(i64::from(limit) + 1).fetch_all().await?;
        Ok((rows, limit))
    }
}

fn gap(row: &Row) -> Result<Gap, Error> {
    Ok(Gap {
        id: row.get("id")?,
        topic: row.get("topic")?,
        source: row.get("source")?,
        missing_id: row.get("missing_id")?,
        tenant: row.get("tenant")?,
        followed_by: row.get("followed_by")?,
        passed_at: row.get("passed_at")?,
        arrived_at: row.get("arrived_at")?,
    })
}

fn quarantined(row: &Row) -> Result<Quarantined, Error> {
    Ok(Quarantined {
        id: row.get("id")?,
        topic: row.get("topic")?,
        received_at: row.get("received_at")?,
        reason: row.get("reason")?,
        source: row.get("source")?,
        event_id: row.get("event_id")?,
        raw: row.get::<Vec<u8>>("raw")?.into(),
    })
}

/// The subscriptions of a service are those whose names begin with its own.
const STATES: &str = "select substr(s.name, length($1) + 1) as topic, s.began_at, s.own,
    (select count(*) from platform_received r where r.subscription = s.name) as waiting,
    (select count(*) from platform_quarantine q where q.subscription = s.name) as quarantined,
    (select count(*) from platform_gap g where g.subscription = s.name and g.arrived_at is null) as gaps
    from platform_subscription s where substr(s.name, 1, length($1)) = $1 order by s.name";
const GAPS: &str = "select id, substr(subscription, length($1) + 1) as topic, source, missing_id, tenant,
    followed_by, passed_at, arrived_at
    from platform_gap where substr(subscription, 1, length($1)) = $1 and id > $2 order by id limit $3";
const QUARANTINE: &str = "select id, substr(subscription, length($1) + 1) as topic, received_at, reason, source,
    event_id, raw
    from platform_quarantine where substr(subscription, 1, length($1)) = $1 and id > $2 order by id limit $3";
const REMOVE: &str = "delete from platform_quarantine
    where substr(subscription, 1, length($1)) = $1 and id = $2";
