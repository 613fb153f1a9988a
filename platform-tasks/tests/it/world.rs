//! A small business for the tests: orders whose follow-ups do what the order's plan says.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use platform_core::store::{Migrations, Options, Step};
use platform_core::{Change, Entity, Store, TenantId};
use platform_events::event::IntoDrafts;
use platform_events::{HandlerError, Reject, Service, snooze};
use platform_tasks::{Task, TaskContext, Tasks};
use platform_tests::Database;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

#[derive(Clone, Debug, Entity)]
#[entity(kind = "order")]
pub(crate) struct Order {
    #[entity(id)]
    pub(crate) id: String,
    #[entity(tenant)]
    pub(crate) tenant: TenantId,
    #[entity(version)]
    pub(crate) version: u64,
    pub(crate) plan: Plan,
    pub(crate) wait_secs: u64,
}

/// What the follow-up of an order does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Plan {
    Write,
    FailUntil(u32),
    Reject,
    Snooze,
    Panic,
    Hang,
    Publish,
    Wait(String),
}

pub(crate) fn order(tenant: &str, id: &str, plan: Plan) -> Order {
    let tenant = TenantId::parse(tenant).unwrap();
    Order {
        id: id.into(),
        tenant,
        version: 1,
        plan,
        wait_secs: 0,
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct FollowUp {
    order: String,
    plan: Plan,
}

impl FollowUp {
    pub(crate) fn of(order: &Order) -> Self {
        Self {
            order: order.id.clone(),
            plan: order.plan.clone(),
        }
    }
}

impl Task for FollowUp {
    const KIND: &'static str = "follow-up";
    const TIMEOUT: Duration = Duration::from_secs(1);

    async fn run(&self, cx: &mut TaskContext<'_>) -> Result<(), HandlerError> {
        let (tenant, attempt) = (cx.tenant().clone(), cx.attempt());
        let insert = "insert into followed (tenant, parcel, attempt) values ($1, $2, $3)";
        cx.tx()
            .query(insert)
            .bind(&tenant)
            .bind(&self.order)
            .bind(attempt)
            .execute()
            .await?;
        match &self.plan {
            Plan::Write => {}
            Plan::FailUntil(first) if attempt >= *first => {}
            Plan::FailUntil(_) => {
                return Err(HandlerError::retry(format!("not in attempt {attempt}")));
            }
            Plan::Reject => return Err("no such customer".reject()),
            Plan::Snooze => return Err(snooze(Duration::from_secs(3_600))),
            Plan::Panic => panic!("the pen broke"),
            Plan::Hang => std::future::pending().await,
            Plan::Publish => {
                let order = order(tenant.as_str(), &self.order, Plan::Publish);
                cx.publish(changed(&order, "order.surveyed"))?;
            }
            Plan::Wait(gate) => {
                let gate = Gate::named(gate);
                gate.reached.notify_one();
                gate.open.notified().await;
            }
        }
        Ok(())
    }
}

/// Where a task of this process waits for its test.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) reached: Notify,
    pub(crate) open: Notify,
}

impl Gate {
    pub(crate) fn named(name: &str) -> Arc<Self> {
        static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);
        Arc::clone(GATES.lock().unwrap().entry(name.to_owned()).or_default())
    }
}

/// The change that follows an order's version.
pub(crate) fn changed(order: &Order, event_type: &str) -> Change {
    let new = Order {
        version: order.version + 1,
        wait_secs: order.wait_secs + 1,
        ..order.clone()
    };
    Change::updated(order, &new).unwrap().named(event_type)
}

pub(crate) fn created(order: &Order) -> Change {
    Change::created(order).unwrap()
}

/// One rule: a created order is followed up.
pub(crate) fn tasks() -> Tasks {
    Tasks::new().on("order.created", |order: &Order| {
        FollowUp::of(order).after(Duration::from_secs(order.wait_secs))
    })
}

const TABLES: Migrations = Migrations {
    set: "world",
    steps: &[Step {
        version: 1,
        name: "followed",
        admits: 1,
        sqlite: "create table followed (tenant text, parcel text, attempt integer)",
        postgres: "create table followed (tenant text, parcel text, attempt bigint)",
    }],
};

pub(crate) async fn store(database: &Database) -> Store {
    Options::new(&database.url())
        .without_flush()
        .open()
        .await
        .unwrap()
}

pub(crate) async fn service(store: &Store, tasks: Tasks) -> Service {
    let builder = Service::builder("shop", store.clone()).with_migrations(TABLES);
    builder.with(tasks).build().await.unwrap()
}

/// Publishes, and lets a service with these tasks do all that is to be done now.
pub(crate) async fn follow(store: &Store, events: impl IntoDrafts) -> Service {
    let service = service(store, tasks()).await;
    service.publisher().publish(events).await.unwrap();
    settle(&service).await;
    service
}

pub(crate) async fn settle(service: &Service) {
    let bound = Duration::from_secs(30);
    tokio::time::timeout(bound, service.run_until_settled())
        .await
        .unwrap()
        .unwrap();
}

/// Lets time pass for the database.
pub(crate) async fn advance(store: &Store, by: Duration) {
    let mut tx = store.begin().await.unwrap();
    let micros = i64::try_from(by.as_micros()).unwrap();
    let sql = "update platform_clock set offset_us = offset_us + $1";
    tx.query(sql).bind(micros).execute().await.unwrap();
    tx.commit().await.unwrap();
}

/// Lets time pass, then does what is due by then.
pub(crate) async fn later(store: &Store, by: Duration) {
    advance(store, by).await;
    settle(&service(store, tasks()).await).await;
}

/// Tasks as `tenant kind state code attempts`, sorted.
pub(crate) async fn rows(store: &Store) -> Vec<String> {
    let sql = "select tenant || ' ' || kind || ' ' || state || ' ' || coalesce(code, '-') || ' '
            || cast(attempts as text) as told
        from platform_task order by 1";
    let rows = store.query(sql).fetch_all().await.unwrap();
    rows.iter().map(|row| row.get("told").unwrap()).collect()
}

/// What the last failed attempt of the only task said.
pub(crate) async fn reason(store: &Store) -> String {
    let sql = "select tenant, reason from platform_task";
    store
        .query(sql)
        .fetch_one()
        .await
        .unwrap()
        .get("reason")
        .unwrap()
}

/// The effects of tasks as `tenant id attempt`, sorted.
pub(crate) async fn effects(store: &Store) -> Vec<String> {
    let sql = "select tenant || ' ' || parcel || ' ' || cast(attempt as text) as told
        from followed order by 1";
    let rows = store.query(sql).fetch_all().await.unwrap();
    rows.iter().map(|row| row.get("told").unwrap()).collect()
}
