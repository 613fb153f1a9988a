//! Whatever the broker does short of losing: every item's versions are handled once, in order, and nothing is
//! reported missing.

use std::collections::BTreeMap;

use platform_core::TenantId;
use platform_events::transport::memory::Faults;
use platform_tests::{Database, each_backend, seeds};

use crate::world::{LONG_WAIT, World, items, moved, versions};

const ROUNDS: u64 = 2;
const ITEMS: u64 = 6;
const STEPS: u64 = 150;

async fn every_version_is_handled_once_and_in_order(database: Database) {
    let world = World::of(database, items().with_gap_wait(LONG_WAIT)).await;
    let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for mut round in seeds(ROUNDS) {
        world.broker.disturb(round.draw(), Faults::rough());
        let seed = round.seed();
        for _ in 0..STEPS {
            let item = format!("{seed}-{}", round.below(ITEMS));
            let seen = expected.entry(format!("default/{item}")).or_default();
            let version = seen.len() as u64 + 1;
            seen.push(version);
            let change = moved(&TenantId::default(), &item, version);
            world.publisher().publish(change).await.unwrap();
        }
        world.settled().await;
        assert_eq!(versions(&world.to.store).await, expected, "seed {seed}");
        let receiving = world.depot.service().receiving();
        assert!(receiving.gaps(None, 10).await.unwrap().items.is_empty());
        assert!(
            receiving
                .quarantine(None, 10)
                .await
                .unwrap()
                .items
                .is_empty()
        );
    }
    world.stop().await;
}

each_backend!(every_version_is_handled_once_and_in_order);
