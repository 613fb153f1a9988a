//! A small business that is crashed: items whose names say how their handling goes, and a table
//! that remembers who saw which of their versions. It must not know processes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use platform_core::store::{Migrations, Options, Step};
use platform_core::{Change, Entity, RetryPolicy, Store, TenantId, Tx};
use platform_events::{
    Builder, Context, Effects, EntityChanged, Error, Handler, HandlerError, Publisher, Received,
    Reject, Service, Start,
};

/// The lease of every worker here, the shortest that a service may have.
pub(crate) const LEASE: Duration = Duration::from_secs(1);
/// How long after a lease has run out its lanes may take to find another owner.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(kind = "item")]
pub(crate) struct Item {
    #[entity(id)]
    pub(crate) id: String,
    #[entity(tenant)]
    pub(crate) tenant: TenantId,
    #[entity(version)]
    pub(crate) version: u64,
    pub(crate) place: String,
}

/// `seen` admits doubles, so that an effect that happened twice is there twice.
pub(crate) const TABLES: Migrations = Migrations {
    set: "world",
    steps: &[Step {
        version: 1,
        name: "world",
        admits: 1,
        sqlite: "create table item (id text primary key, version integer not null);
            create table seen (id integer primary key autoincrement, who text not null,
                item text not null, version integer not null)",
        postgres: "create table item (id text primary key, version bigint not null);
            create table seen (id bigint generated always as identity primary key,
                who text not null, item text not null, version bigint not null)",
    }],
};

/// Fails soon and often, so that a story need not wait.
pub(crate) const QUICK: RetryPolicy = RetryPolicy {
    attempts: 12,
    base: Duration::from_millis(5),
    cap: Duration::from_millis(50),
    ..RetryPolicy::DEFAULT
};

/// Opens a store that need not survive a loss of power: processes crash here, machines do not.
pub(crate) async fn open(url: &str) -> Store {
    Options::new(url)
        .without_flush()
        .with_connections_max(30)
        .open()
        .await
        .unwrap()
}

/// Begins to wire the service that every process here runs.
pub(crate) fn wire(store: &Store) -> Builder {
    Service::builder("post", store.clone())
        .with_migrations(TABLES)
        .with_lease(LEASE)
}

/// The service with its usual handler.
pub(crate) async fn post(store: &Store) -> Service {
    wire(store)
        .handle(Track::default().from(Start::Beginning))
        .build()
        .await
        .unwrap()
}

/// The change that makes `version` of an item.
pub(crate) fn moved(id: &str, version: u64) -> Change {
    let item = |version: u64| Item {
        id: id.into(),
        tenant: TenantId::default(),
        version,
        place: format!("stop {version}"),
    };
    let change = match version {
        1 => Change::created(&item(1)),
        _ => Change::updated(&item(version - 1), &item(version)),
    };
    change.unwrap()
}

/// Raises the version of an item's row, then publishes the change.
pub(crate) async fn raise(tx: &mut Tx, publisher: &Publisher, id: &str) -> Result<u64, Error> {
    let row = tx
        .query(
            "insert into item (id, version) values ($1, 1)
                on conflict (id) do update set version = item.version + 1 returning version",
        )
        .bind(id)
        .fetch_one()
        .await?;
    let version = u64::try_from(row.get::<i64>("version")?).unwrap();
    publisher.publish_in(tx, moved(id, version)).await?;
    Ok(version)
}

/// Raises each item `times` times, round by round, in one transaction a round.
pub(crate) async fn publish(store: &Store, publisher: &Publisher, ids: &[String], times: u64) {
    for _ in 0..times {
        let mut tx = store.begin().await.unwrap();
        for id in ids {
            raise(&mut tx, publisher, id).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

/// `count` names of one sort: `plain-00`, `plain-01` and so on.
pub(crate) fn names(sort: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{sort}-{at:02}")).collect()
}

/// Remembers every change. An item called `flaky` fails every fourth version once in each process,
/// the third version of one called `bad` is refused, that of one called `deadly` ends the process.
#[derive(Debug, Default)]
pub(crate) struct Track {
    failed: Mutex<HashSet<(String, u64)>>,
    /// The handling, counted from 1, before which the process stops until its parent says go.
    pub(crate) stops_before: Option<u64>,
    handled: Mutex<u64>,
}

impl Track {
    /// Where a child says that it stands before its effects.
    pub(crate) const PLACE: &'static str = "handling";

    pub(crate) fn stopping_before(handling: Option<u64>) -> Self {
        Self {
            stops_before: handling,
            ..Self::default()
        }
    }

    fn stop_if_due(&self) {
        let is_due = {
            let mut handled = self.handled.lock().unwrap();
            *handled += 1;
            self.stops_before == Some(*handled)
        };
        if is_due {
            crate::part::stop(Self::PLACE);
        }
    }

    fn outcome(&self, id: &str, version: u64) -> Result<(), HandlerError> {
        let sort = id.split('-').next().unwrap_or_default();
        match (sort, version) {
            ("flaky", _) if version % 4 == 2 => {
                let is_new = self.failed.lock().unwrap().insert((id.to_owned(), version));
                if is_new {
                    Err(HandlerError::retry("not the first time"))
                } else {
                    Ok(())
                }
            }
            ("bad", 3) => Err("never the third".reject()),
            ("deadly", 3) => std::process::abort(),
            _ => Ok(()),
        }
    }
}

impl Handler for Track {
    const NAME: &'static str = "track";
    const EFFECTS: Effects = Effects::Transactional;
    const RETRY: RetryPolicy = QUICK;
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        self.stop_if_due();
        // The effect comes first: that of a failed attempt has to be undone.
        remember(Self::NAME, &event, cx).await?;
        self.outcome(&id_of(&event), event.version)
    }
}

/// The item that an event is about.
pub(crate) fn id_of(event: &Received<EntityChanged<Item>>) -> String {
    event
        .entity()
        .map(|item| item.id.clone())
        .unwrap_or_default()
}

/// The effect of handling: one row.
pub(crate) async fn remember(
    who: &str,
    event: &Received<EntityChanged<Item>>,
    cx: &mut Context<'_>,
) -> Result<(), HandlerError> {
    cx.tx()
        .await?
        .query("insert into seen (who, item, version) values ($1, $2, $3)")
        .bind(who)
        .bind(id_of(event))
        .bind(i64::try_from(event.version)?)
        .execute()
        .await?;
    Ok(())
}

/// The versions that a handler saw of each item, in the order in which it saw them.
pub(crate) async fn versions(store: &Store, who: &str) -> BTreeMap<String, Vec<i64>> {
    let rows = store
        .query("select item, version from seen where who = $1 order by id")
        .bind(who)
        .fetch_all()
        .await
        .unwrap();
    let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in rows {
        found
            .entry(row.get("item").unwrap())
            .or_default()
            .push(row.get("version").unwrap());
    }
    found
}

/// Asserts that `who` saw every committed version of every item once and in order, up to the third
/// of those items whose third is parked.
pub(crate) async fn assert_exact(store: &Store, who: &str) {
    let mut seen = versions(store, who).await;
    let rows = store
        .query("select id, version from item order by id")
        .fetch_all()
        .await
        .unwrap();
    for row in rows {
        let (id, version): (String, i64) = (row.get("id").unwrap(), row.get("version").unwrap());
        let is_parked = id.starts_with("bad-") || id.starts_with("deadly-");
        let last = if is_parked { version.min(2) } else { version };
        let found = seen.remove(&id).unwrap_or_default();
        assert_eq!(found, (1..=last).collect::<Vec<i64>>(), "{who} {id}");
    }
    assert!(seen.is_empty(), "{who} saw what nobody committed: {seen:?}");
}

/// The parked events as `cause of item`, in the order of the log.
pub(crate) async fn parked(service: &Service, store: &Store) -> Vec<String> {
    let all = platform_events::parking::Filter::all();
    let mut found = Vec::new();
    for event in service.parking().list(&all, None, 200).await.unwrap().items {
        let data = "select data from platform_log where seq = $1";
        let row = store
            .query(data)
            .bind(event.position)
            .fetch_one()
            .await
            .unwrap();
        let data = String::from_utf8(row.get::<Vec<u8>>("data").unwrap()).unwrap();
        let payload: serde_json::Value = serde_json::from_str(&data).unwrap();
        let (id, version) = (&payload["after"]["id"], &payload["version"]);
        found.push(format!(
            "{} of {} {version}",
            event.cause,
            id.as_str().unwrap_or("?")
        ));
    }
    found
}

/// Counts the rows that a statement answers in its column `n`.
pub(crate) async fn count(store: &Store, sql: &'static str) -> i64 {
    store
        .query(sql)
        .fetch_one()
        .await
        .unwrap()
        .get("n")
        .unwrap()
}

/// Changes rows behind the platform's back.
pub(crate) async fn execute(store: &Store, sql: &'static str) {
    let mut tx = store.begin().await.unwrap();
    tx.query(sql).execute().await.unwrap();
    tx.commit().await.unwrap();
}

/// Lets the lease of every process run out now; those that live renew it.
pub(crate) async fn expire_leases(store: &Store) {
    execute(store, "update platform_process set expires_at = started_at").await;
}
