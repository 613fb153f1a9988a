//! An event on its way from one service to the other: what it keeps, and where it ends.

use platform_core::{Actor, TenantId};
use platform_events::envelope::Envelope;
use platform_events::receiving::Subscription;
use platform_events::transport::memory::Memory;
use platform_events::{Context, Effects, Event, Handler, HandlerError, Received, Start};
use platform_tests::{Backend, Database, each_backend, eventually};
use serde::{Deserialize, Serialize};

use crate::world::{
    Home, LONG_WAIT, PATIENCE, Running, TOPIC, World, count, delivered, ids, items, moved, send,
    service, shift_clock, subscribed, track, versions,
};

/// The only event of a log, with what its columns say.
async fn only(home: &Home) -> (Envelope, [String; 3]) {
    let sql = "select attributes, data, origin, tenant, correlation_id from platform_log";
    let rows = home.store.query(sql).fetch_all().await.unwrap();
    assert_eq!(rows.len(), 1);
    let text = |name| rows[0].get::<String>(name).unwrap();
    let data: Vec<u8> = rows[0].get("data").unwrap();
    let event = Envelope::from_parts(&text("attributes"), data.into()).unwrap();
    (
        event,
        [text("origin"), text("tenant"), text("correlation_id")],
    )
}

async fn an_event_crosses_once_and_keeps_what_it_says(database: Database) {
    let world = World::of(database, items()).await;
    let tenant = TenantId::parse("acme").unwrap();
    let change = moved(&tenant, "a", 1)
        .by(Actor::user("ada"))
        .because("it was time");
    world.publisher().publish(change).await.unwrap();
    let handled = async || !versions(&world.to.store).await.is_empty();
    eventually(PATIENCE, handled).await;
    world.settled().await;
    let ((sent, there), (came, here)) = (only(&world.from).await, only(&world.to).await);
    assert_eq!((there[0].as_str(), here[0].as_str()), ("", "depot"));
    assert_eq!(there[1..], here[1..]);
    assert_eq!(came.data(), sent.data());
    let stamps = ["predecessor", "predecessorsentat", "sentat"];
    let unstamped = stamps
        .iter()
        .fold(came, |event, name| event.without_extension(name));
    assert_eq!(unstamped, sent);
    assert_eq!(versions(&world.to.store).await["acme/a"], [1]);
    world.stop().await;
}

/// It begins where it joins: nothing older comes, and nothing older is waited for.
async fn a_late_subscriber_waits_for_nothing_from_before(database: Database) {
    // The clocks of the two are an hour apart, either way.
    for secs in [-3_600, 3_600] {
        let (from, broker) = (Home::of(database.backend()).await, Memory::new());
        let post = service("post", &from, &broker).relay(TOPIC);
        let post = Running::start(post.build().await.unwrap());
        // A predecessor of the last tenth of a second before it joined is waited for.
        shift_clock(&from.store, secs - 1).await;
        send(&post.service().publisher(), "a", 1, 5).await;
        eventually(PATIENCE, async || broker.published() >= 5).await;

        let to = Home::of(database.backend()).await;
        let depot = service("depot", &to, &broker).handle(track());
        let depot = depot.receive(items()).build().await.unwrap();
        shift_clock(&from.store, secs).await;
        let depot = Running::start(depot);
        subscribed(&broker, "depot").await;
        send(&post.service().publisher(), "a", 6, 8).await;
        let all = async || count(&to.store, "select count(*) as n from seen").await == 3;
        eventually(PATIENCE, all).await;
        delivered(&broker, &depot, &to.store).await;
        assert_eq!(versions(&to.store).await["default/a"], [6, 7, 8]);
        post.stop().await;
        depot.stop().await;
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(type = "ball.hit")]
struct BallHit {
    #[event(key)]
    table: String,
}

/// Answers every ball with another.
struct HitBack;

impl Handler for HitBack {
    const NAME: &'static str = "hit-back";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = BallHit;

    async fn handle(
        &self,
        event: Received<BallHit>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        // Its own ball comes by as well, and is not for it.
        let is_foreign = event.envelope().extension("sentat").is_some();
        if is_foreign || event.envelope().depth().is_none() {
            cx.publish(BallHit {
                table: event.table.clone(),
            });
        }
        Ok(())
    }
}

async fn player(name: &str, other: &str, home: &Home, broker: &Memory) -> Running {
    let takes = Subscription::topic(other)
        .from_source(other)
        .with_gap_wait(LONG_WAIT);
    let builder = service(name, home, broker)
        .handle(HitBack.from(Start::Now))
        .relay(name)
        .receive(takes);
    Running::start(builder.build().await.unwrap())
}

async fn a_circle_of_two_services_ends(database: Database) {
    let (left_home, broker) = (Home::of(database.backend()).await, Memory::new());
    let right_home = Home::at(database).await;
    let left = player("left", "right", &left_home, &broker).await;
    let right = player("right", "left", &right_home, &broker).await;
    eventually(PATIENCE, async || {
        broker.is_subscribed("right", "left") && broker.is_subscribed("left", "right")
    })
    .await;
    let ball = BallHit {
        table: "one".into(),
    };
    let serve = left.service().publisher();
    serve.publish(ball.keyed("serve")).await.unwrap();
    let deep = "select count(*) as n from platform_blocked where cause = 'depth'";
    let ended =
        async || count(&left_home.store, deep).await + count(&right_home.store, deep).await >= 1;
    eventually(PATIENCE, ended).await;
    delivered(&broker, &left, &left_home.store).await;
    delivered(&broker, &right, &right_home.store).await;
    // Depths 0 to 16 came into being, and what was received went no further.
    assert!(broker.published() <= 40, "{}", broker.published());
    left.stop().await;
    right.stop().await;
}

async fn what_was_received_is_not_relayed(database: Database) {
    let backend: Backend = database.backend();
    let (from, broker) = (Home::of(backend).await, Memory::new());
    let to = Home::at(database).await;
    let depot = service("depot", &to, &broker)
        .relay("onward")
        .receive(items());
    let depot = Running::start(depot.build().await.unwrap());
    subscribed(&broker, "depot").await;
    let post = service("post", &from, &broker).relay(TOPIC);
    let post = post.build().await.unwrap();
    send(&post.publisher(), "a", 1, 5).await;
    let post = Running::start(post);
    eventually(PATIENCE, async || ids(&to.store).await.len() == 5).await;
    delivered(&broker, &depot, &to.store).await;
    assert_eq!(broker.published(), 5);
    post.stop().await;
    depot.stop().await;
}

each_backend!(
    an_event_crosses_once_and_keeps_what_it_says,
    a_late_subscriber_waits_for_nothing_from_before,
    a_circle_of_two_services_ends,
    what_was_received_is_not_relayed,
);
