//! Every matching rule makes one task, and every refusal is visible.

use std::time::Duration;

use platform_core::Change;
use platform_events::{ErrorKind, HandlerError, Service, parking::Filter};
use platform_tasks::{Later, Task, TaskContext, Tasks};
use platform_tests::{Database, each_backend};
use serde::{Deserialize, Serialize};

use crate::world::{
    FollowUp, Order, Plan, changed, created, effects, follow, order, rows, service, settle, store,
    tasks,
};

#[derive(Serialize, Deserialize)]
struct Praise;

impl Task for Praise {
    const KIND: &'static str = "praise";

    async fn run(&self, _cx: &mut TaskContext<'_>) -> Result<(), HandlerError> {
        Ok(())
    }
}

async fn each_event_makes_one_task_for_each_matching_rule(database: Database) {
    let store = store(&database).await;
    let tasks = tasks()
        .on("order.*", |_: &Order| Praise.after(Duration::ZERO))
        .on("order.praised", |order: &Order| {
            (order.version > 1).then(|| Praise.after(Duration::ZERO))
        });
    let service = service(&store, tasks).await;
    let orders: Vec<_> = (0..15)
        .map(|n| order("acme", &format!("O-{n}"), Plan::Write))
        .collect();
    let changes: Vec<Change> = orders
        .iter()
        .flat_map(|order| [created(order), changed(order, "order.praised")])
        .collect();
    service.publisher().publish(changes).await.unwrap();
    settle(&service).await;
    let rows = rows(&store).await;
    let count = |row: &str| rows.iter().filter(|told| *told == row).count();
    assert_eq!(count("acme follow-up done - 1"), 15);
    assert_eq!(count("acme praise done - 1"), 2 * 15 + 15);
    assert_eq!(rows.len(), 60);
    assert_eq!(effects(&store).await.len(), 15);
}

async fn a_redelivered_event_changes_nothing(database: Database) {
    let store = store(&database).await;
    follow(&store, created(&order("acme", "O-1", Plan::Write))).await;
    let mut tx = store.begin().await.unwrap();
    tx.query("update platform_lane set position = 0")
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let service = service(&store, tasks()).await;
    settle(&service).await;
    assert_eq!(service.overview().await.unwrap().handled, 2);
    assert_eq!(rows(&store).await, ["acme follow-up done - 1"]);
    assert_eq!(effects(&store).await, ["acme O-1 1"]);
}

async fn tenants_with_equal_ids_never_mix(database: Database) {
    let store = store(&database).await;
    let orders = ["acme", "globex"].map(|tenant| created(&order(tenant, "O-1", Plan::Write)));
    follow(&store, orders).await;
    assert_eq!(
        rows(&store).await,
        ["acme follow-up done - 1", "globex follow-up done - 1"]
    );
    assert_eq!(effects(&store).await, ["acme O-1 1", "globex O-1 1"]);
}

async fn a_muted_event_is_skipped_visibly(database: Database) {
    let store = store(&database).await;
    follow(&store, created(&order("acme", "O-1", Plan::Write)).muted()).await;
    assert_eq!(rows(&store).await, ["acme follow-up skipped muted 0"]);
    assert_eq!(effects(&store).await, [""; 0]);
}

async fn a_deleted_order_has_no_follow_up(database: Database) {
    let store = store(&database).await;
    let tasks = Tasks::new().on("order.deleted", |_: &Order| Praise.after(Duration::ZERO));
    let service = service(&store, tasks).await;
    let deleted = Change::deleted(&order("acme", "O-1", Plan::Write)).unwrap();
    service.publisher().publish(deleted).await.unwrap();
    settle(&service).await;
    assert_eq!(rows(&store).await, [""; 0]);
}

async fn a_rule_that_panics_parks_its_event(database: Database) {
    let store = store(&database).await;
    let panics = |order: &Order| -> Option<Later<Praise>> { panic!("no praise for {}", order.id) };
    let service = service(&store, tasks().on("order.created", panics)).await;
    service
        .publisher()
        .publish(created(&order("acme", "O-1", Plan::Write)))
        .await
        .unwrap();
    settle(&service).await;
    let parked = service.parking().list(&Filter::all(), None, 200).await;
    let parked = parked.unwrap().items;
    let reason = "the rule of order.created for praise: it panicked: no praise for O-1";
    assert_eq!(
        (parked[0].cause.as_str(), parked[0].reason.as_str()),
        ("rejected", reason)
    );
    assert_eq!(rows(&store).await, [""; 0]);
}

#[derive(Serialize, Deserialize)]
struct Imposter;

impl Task for Imposter {
    const KIND: &'static str = FollowUp::KIND;

    async fn run(&self, _cx: &mut TaskContext<'_>) -> Result<(), HandlerError> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Unnamed;

impl Task for Unnamed {
    const KIND: &'static str = "Send Survey";

    async fn run(&self, _cx: &mut TaskContext<'_>) -> Result<(), HandlerError> {
        Ok(())
    }
}

async fn wrong_tasks_are_found_before_the_first_event(database: Database) {
    let store = store(&database).await;
    let twice = tasks().on("order.created", |order: &Order| {
        FollowUp::of(order).after(Duration::ZERO)
    });
    for (tasks, needle) in [
        (twice, "two rules make follow-up of order.created"),
        (
            tasks().knowing::<Imposter>(),
            "two types of task are called `follow-up`",
        ),
        (
            tasks().knowing::<Unnamed>(),
            "`Send Survey` is no kind of task",
        ),
        (Tasks::new(), "no rule and know no kind"),
    ] {
        let error = Service::builder("shop", store.clone())
            .with(tasks)
            .build()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Wiring);
        assert!(error.to_string().contains(needle), "{error}");
    }
}

each_backend!(
    each_event_makes_one_task_for_each_matching_rule,
    a_redelivered_event_changes_nothing,
    tenants_with_equal_ids_never_mix,
    a_muted_event_is_skipped_visibly,
    a_deleted_order_has_no_follow_up,
    a_rule_that_panics_parks_its_event,
    wrong_tasks_are_found_before_the_first_event,
);
