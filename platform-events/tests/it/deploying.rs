//! Releases come and go beside each other: what a group asks for grows, shrinks and changes its name, and nothing
//! is lost, doubled or reordered.

use std::sync::Arc;
use std::time::Duration;

use platform_core::{Actor, Store};
use platform_events::envelope::Envelope;
use platform_events::{
    Context, Effects, ErrorKind, Handler, HandlerError, Received, Service, Start,
};
use platform_tests::{Database, each_backend, eventually};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::{TABLES, parcel, send, store};

const WITHIN: Duration = Duration::from_secs(30);

/// A release of the handler, which asks for some of the verbs of a parcel.
struct Release(&'static [&'static str]);

impl Handler for Release {
    const NAME: &'static str = "release";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = Envelope;

    fn patterns(&self) -> Vec<String> {
        self.0.iter().map(|text| (*text).to_owned()).collect()
    }

    async fn handle(
        &self,
        event: Received<Envelope>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        note(&event, cx).await
    }
}

/// The same handler under a new name.
struct Renamed;

impl Handler for Renamed {
    const NAME: &'static str = "renamed";
    const FORMERLY: &'static [&'static str] = &["release"];
    const EFFECTS: Effects = Effects::Transactional;
    type Event = Envelope;

    fn patterns(&self) -> Vec<String> {
        vec!["parcel.*".to_owned()]
    }

    async fn handle(
        &self,
        event: Received<Envelope>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        note(&event, cx).await
    }
}

async fn note(event: &Received<Envelope>, cx: &mut Context<'_>) -> Result<(), HandlerError> {
    let version = event.entityversion().unwrap_or_default();
    let tx = cx.tx().await?;
    tx.query("insert into seen (who, tenant, parcel, version) values ('release', $1, $2, $3)")
        .bind(event.tenant())
        .bind(event.subject())
        .bind(version)
        .execute()
        .await?;
    Ok(())
}

const NARROW: Release = Release(&["parcel.created"]);
const WIDE: Release = Release(&["parcel.created", "parcel.updated"]);

/// A process of some release.
struct Process {
    service: Arc<Service>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), platform_events::Error>>,
}

impl Process {
    async fn start(
        store: &Store,
        handler: impl FnOnce() -> platform_events::handler::Registration,
    ) -> Self {
        let service = Service::builder("post", store.clone())
            .with_migrations(TABLES)
            .with_lease(Duration::from_secs(1))
            .handle(handler())
            .build()
            .await
            .unwrap();
        let service = Arc::new(service);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn({
            let service = Arc::clone(&service);
            async move { service.run(async { drop(stopped.await) }).await }
        });
        eventually(WITHIN, async || service.health().is_ready).await;
        Self {
            service,
            stop,
            running,
        }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }

    async fn says(&self, words: &str) {
        let says = || {
            self.service
                .health()
                .reasons
                .iter()
                .any(|reason| reason.contains(words))
        };
        eventually(WITHIN, async || says()).await;
    }
}

async fn seen(store: &Store) -> Vec<(String, i64)> {
    let rows = store
        .query("select parcel, version from seen order by parcel, id")
        .fetch_all()
        .await;
    let rows = rows.unwrap();
    let pair =
        |row: &platform_core::store::Row| (row.get("parcel").unwrap(), row.get("version").unwrap());
    rows.iter().map(pair).collect()
}

async fn expect(store: &Store, expected: &[(&str, i64)]) {
    let expected: Vec<(String, i64)> = expected
        .iter()
        .map(|(id, version)| ((*id).to_owned(), *version))
        .collect();
    eventually(WITHIN, async || seen(store).await.len() >= expected.len()).await;
    assert_eq!(seen(store).await, expected);
}

/// Moves the database's clock on.
async fn pass(store: &Store, time: Duration) {
    let mut tx = store.begin().await.unwrap();
    tx.query("update platform_clock set offset_us = offset_us + $1")
        .bind(i64::try_from(time.as_micros()).unwrap())
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn a_wider_release_takes_over_and_the_narrower_one_waits(database: Database) {
    let store = store(&database).await;
    let old = Process::start(&store, || NARROW.from(Start::Now)).await;
    send(&old.service.publisher(), &store, "a", 1, 1).await;
    expect(&store, &[("a", 1)]).await;
    let new = Process::start(&store, || WIDE.from(Start::Now)).await;
    // From its build on, before it holds a lane: nothing of the new kind is passed over.
    send(&old.service.publisher(), &store, "a", 2, 4).await;
    expect(&store, &[("a", 1), ("a", 2), ("a", 3), ("a", 4)]).await;
    old.says("asks for more").await;
    send(&old.service.publisher(), &store, "b", 1, 2).await;
    expect(
        &store,
        &[("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 1), ("b", 2)],
    )
    .await;
    old.stop().await;
    new.stop().await;
}

async fn the_way_back_waits_for_the_wider_release_and_notes_what_is_passed_over(
    database: Database,
) {
    let store = store(&database).await;
    let wide = Process::start(&store, || WIDE.from(Start::Now)).await;
    send(&wide.service.publisher(), &store, "a", 1, 2).await;
    expect(&store, &[("a", 1), ("a", 2)]).await;
    let narrow = Process::start(&store, || NARROW.from(Start::Now)).await;
    narrow.says("asks for more").await;
    send(&wide.service.publisher(), &store, "a", 3, 3).await;
    expect(&store, &[("a", 1), ("a", 2), ("a", 3)]).await;
    wide.stop().await;
    pass(&store, Duration::from_secs(200)).await;
    send(&narrow.service.publisher(), &store, "b", 1, 1).await;
    expect(&store, &[("a", 1), ("a", 2), ("a", 3), ("b", 1)]).await;
    send(&narrow.service.publisher(), &store, "b", 2, 2).await;
    narrow.service.settled().await;
    narrow.stop().await;
    let again = Process::start(&store, || WIDE.from(Start::Now)).await;
    again.service.settled().await;
    let kept = "select count(*) as n from platform_narrowed where to_position > from_position";
    let row = store.query(kept).fetch_one().await.unwrap();
    assert!(
        row.get::<i64>("n").unwrap() > 0,
        "what was passed over is known"
    );
    send(&again.service.publisher(), &store, "b", 3, 3).await;
    expect(&store, &[("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 3)]).await;
    again.stop().await;
}

async fn a_renamed_handler_goes_on_beside_its_old_name(database: Database) {
    let store = store(&database).await;
    let all = || Release(&["parcel.*"]).from(Start::Now);
    let old = Process::start(&store, all).await;
    send(&old.service.publisher(), &store, "a", 1, 2).await;
    let new = Process::start(&store, || Renamed.from(Start::Now)).await;
    for id in ["b", "c", "d", "e"] {
        send(&new.service.publisher(), &store, id, 1, 2).await;
    }
    let pairs = |id| [(id, 1), (id, 2)];
    let expected: Vec<_> = ["a", "b", "c", "d", "e"]
        .into_iter()
        .flat_map(pairs)
        .collect();
    expect(&store, &expected).await;
    old.stop().await;
    send(&new.service.publisher(), &store, "f", 1, 1).await;
    new.service.settled().await;
    assert_eq!(seen(&store).await.len(), 11);
    new.stop().await;
    let groups = store
        .query("select count(*) as n from platform_group")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(groups.get::<i64>("n").unwrap(), 1);
}

async fn a_former_name_that_is_another_group_is_refused(database: Database) {
    let store = store(&database).await;
    for handler in [
        NARROW.from(Start::Now),
        crate::following::Track.from(Start::Now),
    ] {
        let service = Service::builder("post", store.clone()).with_migrations(TABLES);
        service.handle(handler).build().await.unwrap();
    }
    struct Claims;
    impl Handler for Claims {
        const NAME: &'static str = "track";
        const FORMERLY: &'static [&'static str] = &["release"];
        const EFFECTS: Effects = Effects::Transactional;
        type Event = platform_events::EntityChanged<crate::world::Parcel>;

        async fn handle(
            &self,
            _: Received<Self::Event>,
            _: &mut Context<'_>,
        ) -> Result<(), HandlerError> {
            Ok(())
        }
    }
    let built = Service::builder("post", store.clone())
        .handle(Claims.from(Start::Now))
        .build()
        .await
        .unwrap_err();
    assert_eq!(built.kind(), ErrorKind::Wiring);
    assert!(built.to_string().contains("`release`"), "{built}");
}

async fn a_group_that_is_gone_for_good_is_retired_by_a_call(database: Database) {
    let store = store(&database).await;
    let service = Service::builder("post", store.clone()).with_migrations(TABLES);
    drop(
        service
            .handle(NARROW.from(Start::Now))
            .build()
            .await
            .unwrap(),
    );
    let without = Service::builder("post", store.clone())
        .build()
        .await
        .unwrap();
    let by = Actor::user("ada");
    without
        .retire("release", &by, "moved to another service")
        .await
        .unwrap();
    let again = without.retire("release", &by, "twice").await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
    let kept = store
        .query("select action, actor, reason from platform_decision")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(kept.get::<String>("action").unwrap(), "retire");
    let publisher = without.publisher();
    publisher
        .publish(platform_core::Change::created(&parcel("a", 1)).unwrap())
        .await
        .unwrap();
    let back = Process::start(&store, || NARROW.from(Start::Now)).await;
    expect(&store, &[("a", 1)]).await;
    back.stop().await;
}

each_backend!(
    a_wider_release_takes_over_and_the_narrower_one_waits,
    the_way_back_waits_for_the_wider_release_and_notes_what_is_passed_over,
    a_renamed_handler_goes_on_beside_its_old_name,
    a_former_name_that_is_another_group_is_refused,
    a_group_that_is_gone_for_good_is_retired_by_a_call,
);
