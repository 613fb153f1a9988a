//! Two services and a broker between them: `post` moves items and relays, `depot` receives and remembers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use platform_core::store::{Migrations, Options, Step};
use platform_core::{Change, Entity, Store, TenantId};
use platform_events::envelope::Envelope;
use platform_events::handler::Registration;
use platform_events::receiving::Subscription;
use platform_events::transport::memory::Memory;
use platform_events::{
    Builder, Context, Effects, EntityChanged, Error, Handler, HandlerError, Publisher, Received,
    Service, Start,
};
use platform_tests::{Backend, Database, eventually};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a story waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than any redelivery of a story, so that no gap is passed that will be filled.
pub(crate) const LONG_WAIT: Duration = Duration::from_secs(50);
pub(crate) const TOPIC: &str = "items";

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

pub(crate) const TABLES: Migrations = Migrations {
    set: "between",
    steps: &[Step {
        version: 1,
        name: "between",
        admits: 1,
        sqlite: "create table seen (id integer primary key autoincrement, tenant text not null,
            item text not null, version integer not null)",
        postgres: "create table seen (id bigint generated always as identity primary key,
            tenant text not null, item text not null, version bigint not null)",
    }],
};

/// The change that makes `version` of an item.
pub(crate) fn moved(tenant: &TenantId, id: &str, version: u64) -> Change {
    let item = |version: u64| Item {
        id: id.into(),
        tenant: tenant.clone(),
        version,
        place: format!("stop {version}"),
    };
    let change = match version {
        1 => Change::created(&item(1)),
        _ => Change::updated(&item(version - 1), &item(version)),
    };
    change.unwrap()
}

/// Publishes versions `from..=to` of one item of the usual tenant, each in a transaction of its own.
pub(crate) async fn send(publisher: &Publisher, id: &str, from: u64, to: u64) {
    for version in from..=to {
        let change = moved(&TenantId::default(), id, version);
        publisher.publish(change).await.unwrap();
    }
}

/// Remembers each change.
#[derive(Clone)]
pub(crate) struct Track;

impl Handler for Track {
    const NAME: &'static str = "track";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let item = event.entity().map(|item| item.id.clone());
        let version = i64::try_from(event.version)?;
        let insert = "insert into seen (tenant, item, version) values ($1, $2, $3)";
        let insert = cx.tx().await?.query(insert);
        let insert = insert.bind(event.tenant()).bind(item).bind(version);
        insert.execute().await?;
        Ok(())
    }
}

/// One service's own database.
pub(crate) struct Home {
    pub(crate) store: Store,
    _database: Database,
}

impl Home {
    pub(crate) async fn of(backend: Backend) -> Self {
        Self::at(backend.fresh().await).await
    }

    pub(crate) async fn at(database: Database) -> Self {
        let options = Options::new(&database.url()).without_flush();
        let store = options.with_connections_max(40).open().await.unwrap();
        Self {
            store,
            _database: database,
        }
    }
}

/// Starts to build a service of a home.
pub(crate) fn service(name: &str, home: &Home, broker: &Memory) -> Builder {
    Service::builder(name, home.store.clone())
        .with_migrations(TABLES)
        .with_transport(broker.clone())
}

/// What depot takes.
pub(crate) fn items() -> Subscription {
    Subscription::topic(TOPIC)
        .from_source("post")
        .with_gap_wait(LONG_WAIT)
}

pub(crate) fn track() -> Registration {
    Track.from(Start::Beginning)
}

/// A service at work.
pub(crate) struct Running {
    service: Arc<Service>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) fn start(service: Service) -> Self {
        Self::again(Arc::new(service))
    }

    pub(crate) fn again(service: Arc<Service>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let working = Arc::clone(&service);
        let task = tokio::spawn(async move {
            // A dropped story stops its service too.
            working.run(async { drop(stopped.await) }).await
        });
        Self {
            service,
            stop,
            task,
        }
    }

    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    pub(crate) async fn stop(self) {
        // It may have ended by itself.
        let _sent = self.stop.send(());
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.unwrap().unwrap().unwrap();
    }

    /// Drops the run where it stands, and starts another.
    pub(crate) async fn cut_off(self) -> Self {
        self.task.abort();
        drop(self.task.await);
        Self::again(self.service)
    }
}

/// Post and depot at work.
pub(crate) struct World {
    pub(crate) broker: Memory,
    pub(crate) post: Running,
    pub(crate) depot: Running,
    pub(crate) from: Home,
    pub(crate) to: Home,
}

impl World {
    /// Depot runs on the given database, post on one of the same kind.
    pub(crate) async fn of(database: Database, subscription: Subscription) -> Self {
        let broker = Memory::new();
        let from = Home::of(database.backend()).await;
        let to = Home::at(database).await;
        let post = service("post", &from, &broker).relay(TOPIC);
        let post = Running::start(post.build().await.unwrap());
        let depot = service("depot", &to, &broker)
            .handle(track())
            .receive(subscription);
        let depot = Running::start(depot.build().await.unwrap());
        subscribed(&broker, "depot").await;
        Self {
            broker,
            post,
            depot,
            from,
            to,
        }
    }

    pub(crate) fn publisher(&self) -> Publisher {
        self.post.service().publisher()
    }

    /// Waits until post has relayed all it has.
    pub(crate) async fn relayed(&self) {
        let post = self.post.service();
        eventually(PATIENCE, async || post.is_settled().await.unwrap()).await;
    }

    /// Waits until everything has been relayed, delivered and handled.
    pub(crate) async fn settled(&self) {
        self.relayed().await;
        delivered(&self.broker, &self.depot, &self.to.store).await;
    }

    pub(crate) async fn stop(self) {
        self.post.stop().await;
        self.depot.stop().await;
    }
}

pub(crate) async fn subscribed(broker: &Memory, consumer: &str) {
    eventually(PATIENCE, async || broker.is_subscribed(TOPIC, consumer)).await;
}

/// Waits until a receiver has taken and handled everything.
pub(crate) async fn delivered(broker: &Memory, running: &Running, store: &Store) {
    let waiting = "select count(*) as n from platform_received";
    eventually(PATIENCE, async || {
        broker.is_idle()
            && count(store, waiting).await == 0
            && running.service().is_settled().await.unwrap()
    })
    .await;
}

/// The versions that were handled of each item, in the order in which they were.
pub(crate) async fn versions(store: &Store) -> BTreeMap<String, Vec<u64>> {
    let rows = store.query("select tenant, item, version from seen order by id");
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for row in rows.fetch_all().await.unwrap() {
        let (tenant, item): (String, String) =
            (row.get("tenant").unwrap(), row.get("item").unwrap());
        let versions = found.entry(format!("{tenant}/{item}")).or_default();
        versions.push(row.get("version").unwrap());
    }
    found
}

/// Counts the rows that a statement answers in its column `n`.
pub(crate) async fn count(store: &Store, sql: &'static str) -> i64 {
    let row = store.query(sql).fetch_one().await.unwrap();
    row.get("n").unwrap()
}

/// Sets the clock of a database on or back, in seconds.
pub(crate) async fn shift_clock(store: &Store, secs: i64) {
    let mut tx = store.begin().await.unwrap();
    let shift = tx.query("update platform_clock set offset_us = $1");
    shift.bind(secs * 1_000_000).execute().await.unwrap();
    tx.commit().await.unwrap();
}

/// Starts an event as a foreign producer called `post` would write it.
pub(crate) fn foreign(id: &str) -> platform_events::envelope::Builder {
    Envelope::builder(id, "post", "note.taken")
        .tenantid("acme")
        .partitionkey("note")
        .json(format!("{{\"of\":\"{id}\"}}"))
}

/// The same with a stamp that names its predecessor.
pub(crate) fn following(id: &str, before: &str) -> platform_events::envelope::Builder {
    let text = platform_core::clock::now().to_rfc3339();
    foreign(id)
        .extension("predecessor", before)
        .extension("predecessorsentat", text.as_str())
        .extension("sentat", text.as_str())
}

/// Lets the broker deliver a foreign event.
pub(crate) fn inject(broker: &Memory, event: platform_events::envelope::Builder) {
    broker.inject(TOPIC, event.build().unwrap().to_json());
}

/// The ids in the log, in its order; late ones with an exclamation mark.
pub(crate) async fn ids(store: &Store) -> Vec<String> {
    let rows = store.query("select attributes, data, late from platform_log order by seq");
    let rows = rows.fetch_all().await.unwrap();
    rows.iter()
        .map(|row| {
            let attributes: String = row.get("attributes").unwrap();
            let data: Vec<u8> = row.get("data").unwrap();
            let event = Envelope::from_parts(&attributes, data.into()).unwrap();
            let mark = if row.get("late").unwrap() { "!" } else { "" };
            format!("{}{mark}", event.id())
        })
        .collect()
}

/// Depot alone, fed by hand.
pub(crate) async fn depot(
    database: Database,
    subscription: Subscription,
) -> (Memory, Home, Running) {
    let (broker, home) = (Memory::new(), Home::at(database).await);
    let depot = service("depot", &home, &broker)
        .handle(track())
        .receive(subscription);
    let running = Running::start(depot.build().await.unwrap());
    subscribed(&broker, "depot").await;
    (broker, home, running)
}
