//! Two processes of the receiving service share its deliveries: together they do what one would do.

use std::collections::BTreeMap;

use platform_core::{Key, TenantId};
use platform_events::transport::memory::Faults;
use platform_tests::{Backend, Database, each_backend, eventually, seeds};

use crate::world::{
    PATIENCE, Running, World, count, delivered, depot, following, foreign, ids, inject, items,
    moved, service, track, versions,
};

const ROUNDS: u64 = 2;
const ITEMS: u64 = 5;
const STEPS: u64 = 120;

async fn two_receivers_keep_every_item_in_order(database: Database) {
    let mut world = World::of(database, items()).await;
    let second = service("depot", &world.to, &world.broker)
        .handle(track())
        .receive(items());
    let mut second = Running::start(second.build().await.unwrap());
    let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for mut round in seeds(ROUNDS) {
        let seed = round.seed();
        world.broker.disturb(round.draw(), Faults::rough());
        for step in 0..STEPS {
            let item = format!("{seed}-{}", round.below(ITEMS));
            let seen = expected.entry(format!("default/{item}")).or_default();
            seen.push(seen.len() as u64 + 1);
            let change = moved(&TenantId::default(), &item, seen.len() as u64);
            world.publisher().publish(change).await.unwrap();
            // Each of the three is dropped where it stands, now and then.
            match (step % 30, round.below(3)) {
                (29, 0) => world.post = world.post.cut_off().await,
                (29, 1) => world.depot = world.depot.cut_off().await,
                (29, _) => second = second.cut_off().await,
                _ => {}
            }
        }
        world.settled().await;
        delivered(&world.broker, &second, &world.to.store).await;
        assert_eq!(versions(&world.to.store).await, expected, "seed {seed}");
        let receiving = world.depot.service().receiving();
        assert!(receiving.gaps(None, 10).await.unwrap().items.is_empty());
    }
    second.stop().await;
    world.stop().await;
}

/// Another receiver has the first of two events in hand, and commits it after this one has drawn its numbers: the
/// second must not keep the lower number.
#[tokio::test]
async fn numbers_that_were_drawn_too_early_are_drawn_again() {
    let (broker, home, depot) = depot(Backend::Postgres.fresh().await, items()).await;
    let store = &home.store;
    let id = Key::of("event-id", &[b"depot", b"post", b"a"]);
    let mut other = store.begin().await.unwrap();
    let insert = other.query("insert into platform_log_id (id_key, seq) values ($1, 0)");
    insert.bind(id).execute().await.unwrap();

    inject(&broker, foreign("a"));
    inject(&broker, following("b", "a"));
    let blocked = "select count(*) as n from pg_locks where not granted";
    eventually(PATIENCE, async || count(store, blocked).await > 0).await;
    for sql in [
        "update platform_log_id set seq = nextval('platform_log_seq') where id_key = $1",
        "insert into platform_log (seq, lane, key, id_key, type, tenant, correlation_id, occurred_at,
            recorded_at, attributes, data)
        select seq, 0, id_key, id_key, 'note.taken', 'acme', 'a', (select now from platform_time),
            (select now from platform_time),
            '{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"post\",\"type\":\"note.taken\"}', ''
        from platform_log_id where id_key = $1",
    ] {
        other.query(sql).bind(id).execute().await.unwrap();
    }
    other.commit().await.unwrap();
    eventually(PATIENCE, async || ids(store).await.len() == 2).await;
    assert_eq!(ids(store).await, ["a", "b"]);
    eventually(PATIENCE, async || broker.is_idle()).await;
    depot.stop().await;
}

each_backend!(two_receivers_keep_every_item_in_order);
