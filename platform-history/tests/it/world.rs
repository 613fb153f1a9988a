//! A small business for the tests: orders that change.

use std::time::Duration;

use platform_core::store::Options;
use platform_core::{Change, Entity, Store, TenantId};
use platform_events::Service;
use platform_events::event::IntoDrafts;
use platform_history::{Entry, History, Timeline};
use platform_tests::Database;
use serde_json::value::RawValue;

#[derive(Clone, Debug, Entity)]
#[entity(kind = "order")]
pub(crate) struct Order {
    #[entity(id)]
    pub(crate) id: String,
    #[entity(tenant)]
    pub(crate) tenant: TenantId,
    #[entity(version)]
    pub(crate) version: u64,
    pub(crate) status: String,
    pub(crate) stock: u64,
    pub(crate) price: Box<RawValue>,
    pub(crate) weight: String,
    pub(crate) note: Option<String>,
    #[entity(secret)]
    pub(crate) payment_token: String,
}

pub(crate) fn order(tenant: &str, id: &str, version: u64) -> Order {
    Order {
        id: id.into(),
        tenant: TenantId::parse(tenant).unwrap(),
        version,
        status: format!("step {version}"),
        stock: u64::MAX,
        price: RawValue::from_string("0.10".into()).unwrap(),
        weight: "1.50".into(),
        note: None,
        payment_token: "tok_1".into(),
    }
}

/// The changes that make versions `1..=to` of an order.
pub(crate) fn changes(tenant: &str, id: &str, to: u64) -> Vec<Change> {
    (1..=to)
        .map(|version| {
            let new = order(tenant, id, version);
            match version {
                1 => Change::created(&new),
                _ => Change::updated(&order(tenant, id, version - 1), &new),
            }
        })
        .collect::<Result<_, _>>()
        .unwrap()
}

pub(crate) async fn store(database: &Database) -> Store {
    Options::new(&database.url())
        .without_flush()
        .open()
        .await
        .unwrap()
}

pub(crate) async fn service(store: &Store, name: &str) -> Service {
    Service::builder(name, store.clone())
        .with(History::of::<Order>())
        .build()
        .await
        .unwrap()
}

/// Publishes, and lets a service of its own handle all there is.
pub(crate) async fn remember(store: &Store, events: impl IntoDrafts) {
    let service = service(store, "shop").await;
    service.publisher().publish(events).await.unwrap();
    settle(&service).await;
}

pub(crate) async fn settle(service: &Service) {
    let bound = Duration::from_secs(30);
    tokio::time::timeout(bound, service.run_until_settled())
        .await
        .unwrap()
        .unwrap();
}

/// The newest entries of an order.
pub(crate) async fn entries(store: &Store, tenant: &str, id: &str) -> Vec<Entry> {
    let tenant = TenantId::parse(tenant).unwrap();
    Timeline::of(store, &tenant, "order", id)
        .page(None, 200)
        .await
        .unwrap()
        .items
}

/// Entries of all tenants.
pub(crate) async fn count(store: &Store) -> i64 {
    let row = store
        .query("select count(*) as entries from platform_entry")
        .fetch_one()
        .await;
    row.unwrap().get("entries").unwrap()
}
