//! A small business for the tests: parcels that are sent, and a table that remembers who saw them.

use platform_core::store::{Migrations, Options, Step};
use platform_core::{Change, Entity, Store, TenantId};
use platform_events::{Publisher, Service};
use platform_tests::Database;

#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(kind = "parcel")]
pub(crate) struct Parcel {
    #[entity(id)]
    pub(crate) id: String,
    #[entity(tenant)]
    pub(crate) tenant: TenantId,
    #[entity(version)]
    pub(crate) version: u64,
    pub(crate) place: String,
}

pub(crate) const TABLES: Migrations = Migrations {
    set: "world",
    steps: &[Step {
        version: 1,
        name: "seen",
        admits: 1,
        sqlite: "create table seen (id integer primary key autoincrement, who text, tenant text,
            parcel text, version integer)",
        postgres: "create table seen (id bigint generated always as identity primary key, who text,
            tenant text, parcel text, version bigint)",
    }],
};

pub(crate) async fn store(database: &Database) -> Store {
    Options::new(&database.url())
        .without_flush()
        .open()
        .await
        .unwrap()
}

/// Publishes versions `from..=to` of one parcel, each in a transaction of its own.
pub(crate) async fn send(publisher: &Publisher, store: &Store, id: &str, from: u64, to: u64) {
    for version in from..=to {
        let new = parcel(id, version);
        let change = if version == 1 {
            Change::created(&new).unwrap()
        } else {
            Change::updated(&parcel(id, version - 1), &new).unwrap()
        };
        let mut tx = store.begin().await.unwrap();
        publisher.publish_in(&mut tx, change).await.unwrap();
        tx.commit().await.unwrap();
    }
}

pub(crate) fn parcel(id: &str, version: u64) -> Parcel {
    Parcel {
        id: id.into(),
        tenant: TenantId::default(),
        version,
        place: format!("stop {version}"),
    }
}

/// What a handler saw of one parcel, in the order in which it saw it.
pub(crate) async fn seen(store: &Store, who: &str, id: &str) -> Vec<i64> {
    let rows = store
        .query("select version from seen where who = $1 and parcel = $2 order by id")
        .bind(who)
        .bind(id)
        .fetch_all()
        .await
        .unwrap();
    rows.iter().map(|row| row.get("version").unwrap()).collect()
}

pub(crate) async fn settled(service: &Service) {
    let bound = std::time::Duration::from_secs(30);
    tokio::time::timeout(bound, service.run_until_settled())
        .await
        .unwrap()
        .unwrap();
}
