//! A small business for the stories: items that move from stop to stop, and tables that remember
//! who saw which of their versions.

use std::collections::BTreeMap;

use platform_core::store::{Migrations, Options, Query, Step};
use platform_core::{Change, Entity, Store, TenantId, Tx};
use platform_events::handler::Registration;
use platform_events::{
    BatchHandler, Context, Effects, EntityChanged, Error, Event, Handler, HandlerError, Lanes,
    Published, Publisher, Received, Service, Start,
};
use platform_tests::Database;
use serde::{Deserialize, Serialize};

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

/// A fact that is not the change of one entity.
#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(type = "note.taken")]
pub(crate) struct NoteTaken {
    #[event(key)]
    pub(crate) about: String,
    pub(crate) text: String,
}

pub(crate) fn note(about: &str, text: &str) -> NoteTaken {
    NoteTaken {
        about: about.into(),
        text: text.into(),
    }
}

pub(crate) const TABLES: Migrations = Migrations {
    set: "world",
    steps: &[Step {
        version: 1,
        name: "world",
        admits: 1,
        sqlite: "create table item (id text primary key, version integer not null);
            create table audit (note text not null);
            create table total (slot integer primary key, amount integer not null);
            create table seen (id integer primary key autoincrement, who text not null,
                tenant text not null, item text not null, version integer not null)",
        postgres: "create table item (id text primary key, version bigint not null);
            create table audit (note text not null);
            create table total (slot bigint primary key, amount bigint not null);
            create table seen (id bigint generated always as identity primary key,
                who text not null, tenant text not null, item text not null,
                version bigint not null)",
    }],
};

/// Opens a store for as many connections as a story may want.
pub(crate) async fn open(database: &Database) -> Store {
    open_url(&database.url()).await
}

pub(crate) async fn open_url(url: &str) -> Store {
    Options::new(url)
        .without_flush()
        .with_connections_max(60)
        .open()
        .await
        .unwrap()
}

/// Builds the service that owns the items.
pub(crate) async fn post(
    store: &Store,
    handlers: impl IntoIterator<Item = Registration>,
) -> Result<Service, Error> {
    let builder = Service::builder("post", store.clone()).with_migrations(TABLES);
    handlers
        .into_iter()
        .fold(builder, |builder, handler| builder.handle(handler))
        .build()
        .await
}

/// A service whose handlers remember every item's change: one by lanes, one in the log's order.
pub(crate) async fn watching(store: &Store) -> Service {
    post(store, watchers()).await.unwrap()
}

pub(crate) fn watchers() -> [Registration; 2] {
    [Track.from(Start::Beginning), Ledger.from(Start::Beginning)]
}

pub(crate) fn item(id: &str, version: u64) -> Item {
    item_of(&TenantId::default(), id, version)
}

pub(crate) fn item_of(tenant: &TenantId, id: &str, version: u64) -> Item {
    let place = format!("stop {version}");
    Item {
        id: id.into(),
        tenant: tenant.clone(),
        version,
        place,
    }
}

/// The change that makes `version` of an item.
pub(crate) fn moved(tenant: &TenantId, id: &str, version: u64) -> Change {
    let new = item_of(tenant, id, version);
    let change = match version {
        1 => Change::created(&new),
        _ => Change::updated(&item_of(tenant, id, version - 1), &new),
    };
    change.unwrap()
}

/// Publishes one version of an item in the caller's transaction.
pub(crate) async fn publish_in(
    publisher: &Publisher,
    tx: &mut Tx,
    id: &str,
    version: u64,
) -> Vec<Published> {
    let change = moved(&TenantId::default(), id, version);
    publisher.publish_in(tx, change).await.unwrap()
}

/// Publishes versions `from..=to` of one item, each in a transaction of its own.
pub(crate) async fn send(publisher: &Publisher, id: &str, from: u64, to: u64) {
    for version in from..=to {
        let change = moved(&TenantId::default(), id, version);
        publisher.publish(change).await.unwrap();
    }
}

/// Makes rows for `count` items, at version 0.
pub(crate) async fn stock(store: &Store, count: u64) {
    let mut tx = store.begin().await.unwrap();
    for at in 0..count {
        let insert = tx.query("insert into item (id, version) values ($1, 0)");
        insert
            .bind(format!("item-{at:02}"))
            .execute()
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// Raises the version of an item's row, then publishes the change: the order that keeps versions
/// in order.
pub(crate) async fn raise(tx: &mut Tx, publisher: &Publisher, id: &str) -> Result<(), Error> {
    let row = tx
        .query("update item set version = version + 1 where id = $1 returning version")
        .bind(id)
        .fetch_one()
        .await?;
    let version = u64::try_from(row.get::<i64>("version")?).unwrap();
    publisher
        .publish_in(tx, moved(&TenantId::default(), id, version))
        .await?;
    Ok(())
}

/// Remembers each change, lane by lane.
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
        remember(Self::NAME, &event, cx).await
    }
}

/// Remembers each change in the order of the log.
pub(crate) struct Ledger;

impl BatchHandler for Ledger {
    const NAME: &'static str = "ledger";
    const LANES: Lanes = Lanes::Serial;
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        events: &[Received<EntityChanged<Item>>],
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        for event in events {
            remember(Self::NAME, event, cx).await?;
        }
        Ok(())
    }
}

pub(crate) async fn remember(
    who: &str,
    event: &Received<EntityChanged<Item>>,
    cx: &mut Context<'_>,
) -> Result<(), HandlerError> {
    let id = event.entity().map(|item| item.id.clone());
    cx.tx()
        .await?
        .query("insert into seen (who, tenant, item, version) values ($1, $2, $3, $4)")
        .bind(who)
        .bind(event.envelope().tenantid())
        .bind(id)
        .bind(i64::try_from(event.version)?)
        .execute()
        .await?;
    Ok(())
}

/// What a handler saw, as `tenant/item/version`, in the order in which it saw it.
pub(crate) async fn seen(store: &Store, who: &str) -> Vec<String> {
    let rows = store
        .query("select tenant, item, version from seen where who = $1 order by id")
        .bind(who)
        .fetch_all()
        .await
        .unwrap();
    let text = |row: &platform_core::store::Row| {
        let tenant: String = row.get("tenant").unwrap();
        let item: String = row.get("item").unwrap();
        format!("{tenant}/{item}/{}", row.get::<i64>("version").unwrap())
    };
    rows.iter().map(text).collect()
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

/// Starts a statement with nothing but nulls for its placeholders.
pub(crate) fn with_nulls<'s>(store: &'s Store, sql: &'static str) -> Query<'s> {
    let uncommented: String = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect();
    let outside = uncommented
        .split('\'')
        .step_by(2)
        .flat_map(|part| part.split('$').skip(1));
    let numbers = outside.map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest[..digits].parse().unwrap_or(0)
    });
    let most = numbers.max().unwrap_or(0);
    (0..most).fold(store.query(sql), |query, _| query.bind(None::<i64>))
}
