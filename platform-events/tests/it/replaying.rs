//! A replay handles a stretch of the log again, muted, and leaves everything else as it was.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform_core::{Actor, RetryPolicy, Store};
use platform_events::parking::Filter;
use platform_events::replay::Replay;
use platform_events::{
    Context, Effects, EntityChanged, ErrorKind, Event, Handler, HandlerError, Received, Reject,
    Service, Start,
};
use platform_tests::{Database, each_backend};
use serde::{Deserialize, Serialize};

use crate::world::{Parcel, TABLES, send, settled, store};

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(type = "parcel.told")]
struct Told {
    #[event(key)]
    parcel: String,
    version: u64,
}

/// What the handler refuses or stumbles over, and how long it takes.
#[derive(Clone, Default)]
struct Moods {
    refused: Arc<Mutex<Option<(&'static str, u64)>>>,
    stumbles: Arc<Mutex<Option<(&'static str, u64)>>>,
    pause_ms: Arc<AtomicU64>,
}

struct Tell(Moods);

impl Handler for Tell {
    const NAME: &'static str = "tell";
    const EFFECTS: Effects = Effects::Transactional;
    const RETRY: RetryPolicy = RetryPolicy {
        base: Duration::from_millis(5),
        ..RetryPolicy::DEFAULT
    };
    type Event = EntityChanged<Parcel>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Parcel>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let id = event.entity().map(|parcel| parcel.id.clone());
        let id = id.unwrap_or_default();
        let is_it = |mood: &Mutex<Option<(&str, u64)>>| {
            let mood = *mood.lock().unwrap();
            mood.is_some_and(|(of, version)| id.starts_with(of) && event.version == version)
        };
        if is_it(&self.0.refused) {
            return Err("refused".reject());
        }
        if is_it(&self.0.stumbles) {
            *self.0.stumbles.lock().unwrap() = None;
            return Err(HandlerError::retry("stumbled"));
        }
        let pause = self.0.pause_ms.load(Ordering::Acquire);
        let takes = Duration::from_millis(pause);
        let _over = tokio::time::timeout(takes, std::future::pending::<()>()).await;
        assert_eq!(event.is_muted(), cx.is_replay());
        let who = if cx.is_replay() { "again" } else { "new" };
        let sql = "insert into seen (who, tenant, parcel, version) values ($1, $2, $3, $4)";
        cx.tx()
            .await?
            .query(sql)
            .bind(who)
            .bind(event.tenant())
            .bind(&id)
            .bind(event.version)
            .execute()
            .await?;
        let version = event.version;
        cx.publish(Told {
            parcel: id,
            version,
        });
        Ok(())
    }
}

async fn post(store: &Store, moods: &Moods) -> Service {
    Service::builder("post", store.clone())
        .with_migrations(TABLES)
        .handle(Tell(moods.clone()).from(Start::Beginning))
        .build()
        .await
        .unwrap()
}

/// How each version of each parcel was handled, in order.
async fn seen(store: &Store) -> BTreeMap<String, Vec<(String, i64)>> {
    let sql = "select who, parcel, version from seen order by id";
    let mut seen: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    for row in store.query(sql).fetch_all().await.unwrap() {
        let of = seen.entry(row.get("parcel").unwrap()).or_default();
        of.push((row.get("who").unwrap(), row.get("version").unwrap()));
    }
    seen
}

fn new(version: i64) -> (String, i64) {
    ("new".to_owned(), version)
}

fn again(version: i64) -> (String, i64) {
    ("again".to_owned(), version)
}

async fn events(service: &Service) -> i64 {
    service.overview().await.unwrap().events
}

fn ada() -> Actor {
    Actor::user("ada")
}

async fn a_replay_handles_again_muted_and_publishes_nothing(database: Database) {
    let store = store(&database).await;
    let service = post(&store, &Moods::default()).await;
    for id in ["a", "b"] {
        send(&service.publisher(), &store, id, 1, 2).await;
    }
    settled(&service).await;
    let before = service.overview().await.unwrap();
    let begun = service
        .replay("tell", Replay::from(1), &ada(), "a new table")
        .await;
    assert_eq!(begun.unwrap().events, before.events);
    send(&service.publisher(), &store, "a", 3, 3).await;
    settled(&service).await;
    let all = [new(1), new(2), again(1), again(2)];
    let seen = seen(&store).await;
    assert_eq!(seen["b"], all);
    assert_eq!(seen["a"][..4], all);
    assert_eq!(seen["a"][4..], [new(3)]);
    let after = service.overview().await.unwrap();
    assert_eq!(
        after.events,
        before.events + 2,
        "the new change and what it told"
    );
    assert_eq!(after.handled, before.handled + 1);
}

async fn a_publishing_replay_publishes_under_ids_of_its_own(database: Database) {
    let store = store(&database).await;
    let service = post(&store, &Moods::default()).await;
    send(&service.publisher(), &store, "a", 1, 2).await;
    settled(&service).await;
    for round in 1..=2 {
        let replay = Replay::from(1).publishing();
        service
            .replay("tell", replay, &ada(), "they lost theirs")
            .await
            .unwrap();
        settled(&service).await;
        assert_eq!(events(&service).await, 4 + 2 * round);
    }
}

async fn a_stretch_is_handled_again_and_nothing_beside_it(database: Database) {
    let store = store(&database).await;
    let service = post(&store, &Moods::default()).await;
    send(&service.publisher(), &store, "a", 1, 5).await;
    settled(&service).await;
    let first: i64 = {
        let sql = "select min(seq) as seq from platform_log where type = 'parcel.updated'";
        store
            .query(sql)
            .fetch_one()
            .await
            .unwrap()
            .get("seq")
            .unwrap()
    };
    let replay = Replay::from(first).to(first + 1);
    service
        .replay("tell", replay, &ada(), "two of them")
        .await
        .unwrap();
    send(&service.publisher(), &store, "a", 6, 6).await;
    settled(&service).await;
    let mut expected: Vec<_> = (1..=5).map(new).collect();
    expected.extend([again(2), again(3), new(6)]);
    assert_eq!(seen(&store).await["a"], expected);
}

async fn what_waits_behind_a_parked_event_is_not_taken_for_handled(database: Database) {
    let store = store(&database).await;
    let moods = Moods::default();
    *moods.refused.lock().unwrap() = Some(("a", 2));
    let service = post(&store, &moods).await;
    for id in ["a", "b"] {
        send(&service.publisher(), &store, id, 1, 4).await;
    }
    settled(&service).await;
    service
        .replay("tell", Replay::from(1), &ada(), "a new table")
        .await
        .unwrap();
    settled(&service).await;
    assert_eq!(seen(&store).await["a"], [new(1), again(1)]);
    *moods.refused.lock().unwrap() = None;
    let parking = service.parking();
    parking
        .redrive(&Filter::all(), &ada(), "mended")
        .await
        .unwrap();
    settled(&service).await;
    let seen = seen(&store).await;
    assert_eq!(seen["a"], [new(1), again(1), new(2), new(3), new(4)]);
    let b: Vec<_> = (1..=4).map(new).chain((1..=4).map(again)).collect();
    assert_eq!(seen["b"], b);
}

async fn a_replayed_event_that_fails_holds_up_its_key_alone(database: Database) {
    let store = store(&database).await;
    let moods = Moods::default();
    let service = post(&store, &moods).await;
    for id in ["a", "b"] {
        send(&service.publisher(), &store, id, 1, 4).await;
    }
    settled(&service).await;
    *moods.stumbles.lock().unwrap() = Some(("a", 2));
    service
        .replay("tell", Replay::from(1), &ada(), "a new table")
        .await
        .unwrap();
    send(&service.publisher(), &store, "a", 5, 5).await;
    settled(&service).await;
    let twice: Vec<_> = (1..=4).map(new).chain((1..=4).map(again)).collect();
    let seen = seen(&store).await;
    assert_eq!(seen["b"], twice);
    assert_eq!(seen["a"][..8], twice);
    assert_eq!(seen["a"][8..], [new(5)]);
}

async fn a_failure_below_a_parked_head_moves_it_back(database: Database) {
    let store = store(&database).await;
    let moods = Moods::default();
    *moods.refused.lock().unwrap() = Some(("a", 3));
    let service = post(&store, &moods).await;
    send(&service.publisher(), &store, "a", 1, 4).await;
    settled(&service).await;
    *moods.stumbles.lock().unwrap() = Some(("a", 1));
    service
        .replay("tell", Replay::from(1), &ada(), "a new table")
        .await
        .unwrap();
    settled(&service).await;
    let expected = [new(1), new(2), again(1), again(2)];
    assert_eq!(seen(&store).await["a"], expected);
    let parked = service
        .parking()
        .list(&Filter::all(), None, 10)
        .await
        .unwrap();
    assert_eq!(parked.items.len(), 1, "the head is parked again");
    *moods.refused.lock().unwrap() = None;
    let parking = service.parking();
    parking
        .redrive(&Filter::all(), &ada(), "mended")
        .await
        .unwrap();
    settled(&service).await;
    assert_eq!(seen(&store).await["a"][4..], [new(3), new(4)]);
}

async fn what_is_redriven_during_a_replay_takes_its_followers_along(database: Database) {
    let store = store(&database).await;
    let moods = Moods::default();
    *moods.refused.lock().unwrap() = Some(("p", 2));
    let service = post(&store, &moods).await;
    let ids: Vec<String> = (0..40).map(|n| format!("p{n}")).collect();
    // The others keep the lanes on their way until the retries come.
    let others = (0..80).map(|n| format!("q{n}"));
    for id in others.chain(ids.iter().cloned()) {
        send(&service.publisher(), &store, &id, 1, 4).await;
    }
    settled(&service).await;
    *moods.refused.lock().unwrap() = None;
    moods.pause_ms.store(10, Ordering::Release);
    service
        .replay("tell", Replay::from(1), &ada(), "once more")
        .await
        .unwrap();
    let parking = service.parking();
    parking
        .redrive(&Filter::all(), &ada(), "mended")
        .await
        .unwrap();
    settled(&service).await;
    let seen = seen(&store).await;
    for id in &ids {
        let of = seen[id].iter().filter(|(said, _)| said == "new");
        let versions: Vec<i64> = of.map(|(_, version)| *version).collect();
        assert_eq!(versions, [1, 2, 3, 4], "{id}");
    }
}

/// Stops a service as soon as it has handled so many events.
async fn run_until(service: &Service, store: &Store, count: i64) {
    let enough = async {
        loop {
            let sql = "select count(*) as n from seen";
            let row = store.query(sql).fetch_one().await.unwrap();
            if row.get::<i64>("n").unwrap() >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    service.run(enough).await.unwrap();
}

async fn lanes_that_lag_and_stops_on_the_way_mute_nothing_that_is_new(database: Database) {
    let store = store(&database).await;
    let moods = Moods::default();
    let service = post(&store, &moods).await;
    let ids: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
    for id in &ids {
        send(&service.publisher(), &store, id, 1, 4).await;
    }
    moods.pause_ms.store(3, Ordering::Release);
    run_until(&service, &store, 30).await;
    let handled_before = seen(&store).await;
    service
        .replay("tell", Replay::from(1), &ada(), "once more")
        .await
        .unwrap();
    run_until(&service, &store, 50).await;
    moods.pause_ms.store(0, Ordering::Release);
    settled(&service).await;
    let seen = seen(&store).await;
    for id in &ids {
        let before = handled_before.get(id).map_or(0, Vec::len);
        let versions = |who: &str| -> Vec<i64> {
            let of = seen[id].iter().filter(|(said, _)| said == who);
            of.map(|(_, version)| *version).collect()
        };
        assert_eq!(versions("new"), [1, 2, 3, 4], "{id}");
        let redone: Vec<i64> = (1..=4).take(before).collect();
        assert_eq!(versions("again"), redone, "{id}");
    }
}

async fn a_wrong_replay_is_refused_with_the_way_to_mend_it(database: Database) {
    let store = store(&database).await;
    let service = post(&store, &Moods::default()).await;
    send(&service.publisher(), &store, "a", 1, 3).await;
    settled(&service).await;
    let mut tx = store.begin().await.unwrap();
    let trimmed = "update platform_meta set value = '1' where name = 'trimmed_to'";
    tx.query(trimmed).execute().await.unwrap();
    tx.commit().await.unwrap();
    for (handler, replay, kind, words) in [
        ("nobody", Replay::from(2), ErrorKind::NotFound, "nobody"),
        (
            "tell",
            Replay::from(1),
            ErrorKind::InvalidEvent,
            "at 2 at the earliest",
        ),
        (
            "tell",
            Replay::from(3).to(2),
            ErrorKind::InvalidEvent,
            "no event",
        ),
        (
            "tell",
            Replay::from(1_000),
            ErrorKind::InvalidEvent,
            "nothing after",
        ),
    ] {
        let refused = service
            .replay(handler, replay, &ada(), "why not")
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
    assert!(service.is_settled().await.unwrap());
}

each_backend!(
    a_replay_handles_again_muted_and_publishes_nothing,
    a_publishing_replay_publishes_under_ids_of_its_own,
    a_stretch_is_handled_again_and_nothing_beside_it,
    what_waits_behind_a_parked_event_is_not_taken_for_handled,
    a_replayed_event_that_fails_holds_up_its_key_alone,
    a_failure_below_a_parked_head_moves_it_back,
    what_is_redriven_during_a_replay_takes_its_followers_along,
    lanes_that_lag_and_stops_on_the_way_mute_nothing_that_is_new,
    a_wrong_replay_is_refused_with_the_way_to_mend_it,
);
