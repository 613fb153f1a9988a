//! Two processes of the receiving service share its deliveries: together they do what one would do.

use std::collections::BTreeMap;

use platform_core::TenantId;
use platform_events::transport::memory::Faults;
use platform_tests::{Database, each_backend, seeds};

use crate::world::{Running, World, delivered, items, moved, service, track, versions};

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

each_backend!(two_receivers_keep_every_item_in_order);
