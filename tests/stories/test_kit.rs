//! The test kit, as a service's own tests use it.

use platform_core::{Store, TenantId};
use platform_events::test_kit::World;
use platform_events::{Handler, Service, Start};
use platform_tasks::{Task, TaskContext, Tasks, days};
use platform_tests::Backend;
use serde::{Deserialize, Serialize};

use crate::world::{Item, TABLES, Track, moved};

#[derive(Serialize, Deserialize)]
struct AskLater {
    item: String,
}

impl Task for AskLater {
    const KIND: &'static str = "ask-later";

    async fn run(&self, cx: &mut TaskContext<'_>) -> Result<(), platform_events::HandlerError> {
        let sql = "insert into audit (note) values ($1)";
        cx.tx().query(sql).bind(&self.item).execute().await?;
        Ok(())
    }
}

async fn service(store: Store) -> Result<Service, platform_events::Error> {
    let tasks = Tasks::new().on("item.created", |item: &Item| {
        AskLater {
            item: item.id.clone(),
        }
        .after(days(3))
    });
    Service::builder("post", store)
        .with_migrations(TABLES)
        .handle(Track.from(Start::Now))
        .with(tasks)
        .build()
        .await
}

fn created(id: &str) -> platform_core::Change {
    moved(&TenantId::default(), id, 1)
}

async fn asked(world: &World) -> i64 {
    crate::world::count(world.store(), "select count(*) as n from audit").await
}

#[tokio::test]
async fn a_world_tells_of_one_handling_and_of_three_days() {
    days_pass(World::of(service).await).await;
}

#[tokio::test]
async fn a_world_on_postgres_is_a_schema_that_goes_with_it() {
    let database = Backend::Postgres.fresh().await;
    days_pass(World::on(&database.url(), service).await).await;
    let store = Store::open(&database.url()).await.unwrap();
    let left = "select count(*) as n from pg_namespace where nspname like 'world%'";
    assert_eq!(crate::world::count(&store, left).await, 0);
}

async fn days_pass(world: World) {
    world.publish(created("i")).twice().await;
    world.settle().await;
    world.assert_handled("track", 1).await;
    world.assert_published("item.created", 1).await;
    world.advance(days(2)).await;
    assert_eq!(asked(&world).await, 0);
    world.advance(days(1)).await;
    assert_eq!(asked(&world).await, 1);
    world.assert_nothing_parked().await;
    world.end().await;
}

#[tokio::test]
async fn an_assertion_that_fails_tells_the_whole_story() {
    let world = World::of(service).await;
    world.publish(created("i")).await;
    world.settle().await;
    let failed = tokio::spawn(async move { world.assert_handled("track", 2).await }).await;
    let panic = failed.unwrap_err().into_panic();
    let said = panic.downcast_ref::<String>().unwrap();
    for words in [
        "has handled 1 events, not 2",
        "item.created of i",
        "track done",
        "task",
    ] {
        assert!(said.contains(words), "{said}");
    }
}
