//! What people do with parked events: look, edit, redrive, discard. Each leaves its actor and reason.
//!
//! The calls write state and revision only; the lane's owner, whoever it is, does the rest. None needs a worker
//! to be alive.

use bytes::Bytes;
use platform_core::store::Row;
use platform_core::{Actor, Cursor, Key, Page, Store};
use uuid::Uuid;

pub use crate::blocked::Cause;
use crate::decision::Decision;
use crate::envelope::Envelope;
pub use crate::worker::EventsParked;
use crate::{Error, ErrorKind};

/// The parked events of one service.
#[derive(Debug, Clone)]
pub struct Parking {
    store: Store,
    service: String,
}

/// A parked event. Later events of its key wait behind it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ParkedEvent {
    /// The handler that could not handle it.
    pub handler: String,
    /// Its key; with the handler it names the row.
    pub key: Key,
    /// Whose it is.
    pub tenant: String,
    /// Its position in the log.
    pub position: i64,
    /// Its id.
    pub event_id: String,
    /// Its type.
    pub event_type: String,
    /// What it is about, such as the id of its entity.
    pub subject: Option<String>,
    /// Why it is parked.
    pub cause: Cause,
    /// What the last attempt said.
    pub reason: String,
    /// What every attempt said, oldest first, at most 20.
    pub reasons: Vec<String>,
    /// How many attempts were made.
    pub attempts: i64,
    /// When it failed first.
    pub first_failed_at: chrono::DateTime<chrono::Utc>,
}

/// How many events are parked for one cause.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CauseCount {
    /// The handler that could not handle them.
    pub handler: String,
    /// Why they are parked.
    pub cause: Cause,
    /// Their type.
    pub event_type: String,
    /// How many they are.
    pub events: u64,
}

/// Which parked events a call means; everything unless narrowed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    handler: Option<String>,
    event_type: Option<String>,
    cause: Option<&'static str>,
    tenant: Option<String>,
    position: Option<i64>,
}

impl Filter {
    /// Means every parked event of the service.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only those of one handler.
    #[must_use]
    pub fn handler(mut self, name: &str) -> Self {
        self.handler = Some(name.to_owned());
        self
    }

    /// Only those of one type.
    #[must_use]
    pub fn event_type(mut self, kind: &str) -> Self {
        self.event_type = Some(kind.to_owned());
        self
    }

    /// Only those parked for one cause.
    #[must_use]
    pub fn cause(mut self, cause: Cause) -> Self {
        self.cause = Some(cause.as_str());
        self
    }

    /// Only those of one tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self
    }

    /// Only the one at this position of the log.
    #[must_use]
    pub fn position(mut self, position: i64) -> Self {
        self.position = Some(position);
        self
    }
}

impl Parking {
    pub(crate) fn new(store: &Store, service: &str) -> Self {
        Self {
            store: store.clone(),
            service: service.to_owned(),
        }
    }

    /// Lists the first `limit` (1 to 200) parked events by position, or those that follow after `after`.
    ///
    /// # Errors
    /// When `after` is no cursor of this list; the store's.
    pub async fn list(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<ParkedEvent>, Error> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let (position, handler, key) =
            after.map_or(Ok((0, String::new(), Key::from(Uuid::nil()))), place)?;
        let query = filter.bind(self.store.query(LIST).bind(self.service.as_str()));
        let query = query.bind(position).bind(handler).bind(key);
        let rows = query.bind(i64::from(limit) + 1).fetch_all().await?;
        let events = rows.iter().map(parked_event).collect::<Result<_, _>>()?;
        Ok(Page::of(events, limit, |event: &ParkedEvent| {
            Cursor::of([&event.position, &event.handler, &event.key])
        }))
    }

    /// Counts parked events by handler, cause and type, the most frequent first.
    ///
    /// # Errors
    /// The store's.
    pub async fn by_cause(&self) -> Result<Vec<CauseCount>, Error> {
        let rows = self
            .store
            .query(BY_CAUSE)
            .bind(self.service.as_str())
            .fetch_all()
            .await?;
        rows.iter()
            .map(|row| {
                Ok(CauseCount {
                    handler: row.get("name")?,
                    cause: Cause::parse(&row.get::<String>("cause")?)?,
                    event_type: row.get("type")?,
                    events: row.get("events")?,
                })
            })
            .collect()
    }

    /// Tries the meant events again, from attempt one, and returns how many they are.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when none is parked; the store's.
    pub async fn redrive(&self, filter: &Filter, by: &Actor, because: &str) -> Result<u64, Error> {
        self.decide(REDRIVE, "redrive", filter, (by, because)).await
    }

    /// Gives the meant events up, and returns how many they are. Their followers are handled then.
    ///
    /// # Errors
    /// As [`redrive`](Self::redrive).
    pub async fn discard(&self, filter: &Filter, by: &Actor, because: &str) -> Result<u64, Error> {
        self.decide(DISCARD, "discard", filter, (by, because)).await
    }

    /// Returns the payload that the handler will see: the edited one, if somebody edited it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the event is not parked any more; the store's.
    pub async fn payload(&self, event: &ParkedEvent) -> Result<Vec<u8>, Error> {
        let filter = Filter::all()
            .handler(&event.handler)
            .position(event.position);
        let query = filter.bind(self.store.query(PAYLOAD).bind(self.service.as_str()));
        let row = query.bind(event.key).fetch_optional().await?;
        Ok(row.ok_or_else(not_parked)?.get("payload")?)
    }

    /// Replaces the payload that the handler will see; the log keeps the original. Redrive it afterwards.
    ///
    /// It is the whole payload: of the change of an entity the object with `verb`, `before`, `after` and so on, as
    /// [`payload`](Self::payload) returns it. An event that was one cause too many cannot be edited.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the event is not parked any more; [`ErrorKind::InvalidEvent`] when the payload
    /// is no JSON; the store's.
    pub async fn edit(
        &self,
        event: &ParkedEvent,
        payload: &[u8],
        by: &Actor,
        because: &str,
    ) -> Result<(), Error> {
        serde_json::from_slice::<serde::de::IgnoredAny>(payload)
            .map_err(|error| Error::invalid("the edited payload is no JSON").with_source(error))?;
        let filter = Filter::all()
            .handler(&event.handler)
            .position(event.position);
        let mut tx = self.store.begin().await?;
        let changed = filter
            .bind(tx.query(EDIT).bind(self.service.as_str()))
            .bind(payload)
            .fetch_all()
            .await?;
        self.keep(&mut tx, &changed, "edit", (by, because)).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn decide(
        &self,
        sql: &'static str,
        action: &'static str,
        filter: &Filter,
        who: (&Actor, &str),
    ) -> Result<u64, Error> {
        let mut tx = self.store.begin().await?;
        let changed = filter
            .bind(tx.query(sql).bind(self.service.as_str()))
            .fetch_all()
            .await?;
        self.keep(&mut tx, &changed, action, who).await?;
        tx.commit().await?;
        Ok(changed.len() as u64)
    }

    /// Keeps who decided what about which events, and why.
    async fn keep(
        &self,
        tx: &mut platform_core::Tx,
        changed: &[Row],
        action: &'static str,
        (by, because): (&Actor, &str),
    ) -> Result<(), Error> {
        by.check()?;
        if changed.is_empty() {
            return Err(not_parked());
        }
        for row in changed {
            let decision = Decision {
                group: row.get("group_id")?,
                key: row.get("key")?,
                tenant: &row.get::<String>("tenant")?,
                head: row.get("head")?,
                action,
                by,
                because,
            };
            decision.keep(tx).await?;
        }
        Ok(())
    }
}

impl Filter {
    /// Binds the placeholders 2 to 6 of a statement.
    fn bind<'q>(&self, query: platform_core::store::Query<'q>) -> platform_core::store::Query<'q> {
        query
            .bind(self.handler.as_deref())
            .bind(self.event_type.as_deref())
            .bind(self.cause)
            .bind(self.tenant.as_deref())
            .bind(self.position)
    }
}

/// The most events of one page.
const LIMIT_MAX: u32 = 200;

/// The position, handler and key where a page ended: one event can be parked by several handlers, and one
/// handler can park what several events of one cause would have become.
fn place(cursor: &Cursor) -> Result<(i64, String, Key), Error> {
    let [position, handler, key] = cursor.parts()?;
    Ok((
        cursor.part(position)?,
        handler.to_owned(),
        cursor.part(key)?,
    ))
}

fn not_parked() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "no parked event is meant; list the parked events and name one of them",
    )
}

fn parked_event(row: &Row) -> Result<ParkedEvent, Error> {
    let reasons: String = row.get("reasons")?;
    let attributes: Option<String> = row.get("attributes")?;
    let kept: Option<Vec<u8>> = row.get("deep")?;
    let envelope = match (kept, attributes) {
        (Some(event), _) => Envelope::from_json(&event).ok(),
        (None, Some(attributes)) => Envelope::from_parts(&attributes, Bytes::new()).ok(),
        (None, None) => None,
    };
    Ok(ParkedEvent {
        event_id: envelope
            .as_ref()
            .map_or_else(String::new, |event| event.id().to_owned()),
        subject: envelope
            .as_ref()
            .and_then(Envelope::subject)
            .map(str::to_owned),
        handler: row.get("name")?,
        key: row.get("key")?,
        tenant: row.get("tenant")?,
        position: row.get("head")?,
        event_type: row.get("type")?,
        cause: Cause::parse(&row.get::<String>("cause")?)?,
        reason: row.get::<Option<String>>("reason")?.unwrap_or_default(),
        reasons: serde_json::from_str(&reasons).unwrap_or_default(),
        attempts: row.get("attempts")?,
        first_failed_at: row.get("first_failed_at")?,
    })
}

/// The rows that a filter means: service $1, handler $2, type $3, cause $4, tenant $5, position $6.
macro_rules! meant {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " where state = 'parked' and group_id in (select id from platform_group
                where service = $1 and ($2 is null or name = $2))
              and ($3 is null or type = $3) and ($4 is null or cause = $4)
              and ($5 is null or tenant = $5) and ($6 is null or head = $6) ",
            $after
        )
    };
}

const LIST: &str = meant!(
    "select * from (select key, tenant, head, type, cause, reason, reasons, attempts, first_failed_at,
            case when cause = 'depth' then edited end as deep,
            (select attributes from platform_log l where l.seq = b.head) as attributes,
            (select name from platform_group g where g.id = b.group_id) as name
        from platform_blocked b",
    ") p where (head, name, key) > ($7, $8, $9) order by head, name, key limit $10"
);
const PAYLOAD: &str = meant!(
    "select coalesce(edited, (select data from platform_log l where l.seq = b.head)) as payload
    from platform_blocked b",
    "and key = $7"
);
const BY_CAUSE: &str = "select g.name, coalesce(b.cause, '') as cause, b.type, count(*) as events
    from platform_blocked b join platform_group g on g.id = b.group_id
    where g.service = $1 and b.state = 'parked' group by g.name, b.cause, b.type order by 4 desc, 1, 2, 3";
const REDRIVE: &str = meant!(
    "update platform_blocked set state = 'waiting', attempts = 0, revision = revision + 1,
        cause = case when cause = 'depth' then cause end,
        first_failed_at = (select now from platform_time), due = (select now from platform_time),
        updated_at = (select now from platform_time)",
    "returning group_id, key, tenant, head"
);
const DISCARD: &str = meant!(
    "update platform_blocked set state = 'discarded', revision = revision + 1,
        due = (select now from platform_time), updated_at = (select now from platform_time)",
    "returning group_id, key, tenant, head"
);
/// An event that was one cause too many is kept whole in the same column, so it cannot be edited.
const EDIT: &str = meant!(
    "update platform_blocked set edited = $7, revision = revision + 1,
        updated_at = (select now from platform_time)",
    "and cause <> 'depth' returning group_id, key, tenant, head"
);
