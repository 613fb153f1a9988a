//! The same event handled by two workers at once, each in the belief that the lane is its own.

use std::sync::Arc;
use std::time::Duration;

use platform_core::Store;
use platform_events::{Context, Effects, EntityChanged, Handler, HandlerError, Received, Start};
use platform_tests::{Database, each_backend, eventually};
use tokio::sync::watch;

use crate::running::{PATIENCE, Running};
use crate::world::{
    Item, assert_exact, count, execute, expire_leases, id_of, names, open, parked, post, publish,
    remember, wire,
};

/// Handles the item called `shared` only once somebody else has begun to handle it too.
struct Pair {
    begun: Begun,
}

/// How often the handling of the item was begun.
type Begun = Arc<watch::Sender<usize>>;

impl Handler for Pair {
    const NAME: &'static str = "track";
    const EFFECTS: Effects = Effects::External;
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        if id_of(&event) == "shared" {
            self.begun.send_modify(|begun| *begun += 1);
            let mut begun = self.begun.subscribe();
            let met = begun.wait_for(|begun| *begun >= 2);
            drop(tokio::time::timeout(PATIENCE, met).await??);
        }
        remember(Self::NAME, &event, cx).await
    }
}

async fn worker(url: &str, begun: &Begun) -> Running {
    let pair = Pair {
        begun: Arc::clone(begun),
    };
    let store = open(url).await;
    Running::start(
        wire(&store)
            .handle(pair.from(Start::Beginning))
            .build()
            .await
            .unwrap(),
    )
}

/// Takes every lane away from its owner, which learns of it when it commits.
async fn disown(store: &Store) {
    execute(store, "update platform_lane set process = null").await;
}

async fn an_event_handled_twice_at_once_is_committed_once(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    let begun = Begun::default();
    let (one, other) = (worker(&url, &begun).await, worker(&url, &begun).await);
    let mut items = names("plain", 10);
    items.push("shared".into());
    publish(&store, &one.service().publisher(), &items, 1).await;
    eventually(PATIENCE, async || *begun.borrow() >= 1).await;
    let met = async || {
        expire_leases(&store).await;
        disown(&store).await;
        *begun.borrow() >= 2
    };
    eventually(PATIENCE, met).await;
    one.settled().await;
    publish(&store, &one.service().publisher(), &items, 2).await;
    one.settled().await;
    assert_exact(&store, "track").await;
    assert_eq!(parked(one.service(), &store).await, Vec::<String>::new());
    one.stop().await;
    other.stop().await;
}

async fn lanes_that_change_hands_all_the_time_stay_exact(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    let one = Running::start(post(&open(&url).await).await);
    let other = Running::start(post(&open(&url).await).await);
    let publisher = one.service().publisher();
    let items = [names("plain", 12), names("flaky", 6)].concat();
    for _ in 0..40 {
        publish(&store, &publisher, &items, 1).await;
        disown(&store).await;
    }
    one.settled().await;
    assert_exact(&store, "track").await;
    assert_eq!(parked(one.service(), &store).await, Vec::<String>::new());
    let unowned = "select count(*) as n from platform_lane where process is null";
    let owned = async || count(&store, unowned).await == 0;
    eventually(Duration::from_secs(3), owned).await;
    one.stop().await;
    other.stop().await;
}

each_backend!(an_event_handled_twice_at_once_is_committed_once);
each_backend!(lanes_that_change_hands_all_the_time_stay_exact);
