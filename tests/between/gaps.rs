//! What never comes: it is waited for, passed, and reported by its id; what comes late is marked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use platform_core::{Store, TenantId};
use platform_events::Service;
use platform_events::envelope::Envelope;
use platform_events::receiving::Gap;
use platform_events::retention::Retention;
use platform_events::transport::memory::{Faults, Memory};
use platform_tests::{Database, each_backend, eventually, seeds};

use crate::world::{
    Home, PATIENCE, Running, World, count, depot, following, foreign, ids, inject, items, moved,
    service, shift_clock, subscribed, track, versions,
};

const SHORT_WAIT: Duration = Duration::from_millis(1_500);

/// The ids of the gaps that were passed: those that are missing still, and those that came late.
async fn gaps(service: &Service) -> (BTreeSet<String>, BTreeSet<String>) {
    let gaps = service.receiving().gaps(None, 200).await.unwrap();
    let (late, missing): (Vec<_>, Vec<_>) = gaps
        .items
        .into_iter()
        .partition(|gap| gap.arrived_at.is_some());
    let ids = |gaps: Vec<Gap>| gaps.into_iter().map(|gap| gap.missing_id).collect();
    (ids(missing), ids(late))
}

async fn missing(service: &Service) -> BTreeSet<String> {
    gaps(service).await.0
}

const ALL: &str = "select attributes, data from platform_log order by seq";
const PUNCTUAL: &str = "select attributes, data from platform_log where not late order by seq";

/// The events of each key in the order of a log.
async fn events(store: &Store, sql: &'static str) -> BTreeMap<String, Vec<Envelope>> {
    let mut events: BTreeMap<String, Vec<Envelope>> = BTreeMap::new();
    for row in store.query(sql).fetch_all().await.unwrap() {
        let attributes: String = row.get("attributes").unwrap();
        let data: Vec<u8> = row.get("data").unwrap();
        let event = Envelope::from_parts(&attributes, data.into()).unwrap();
        let key = event.partitionkey().unwrap().to_owned();
        events.entry(key).or_default().push(event);
    }
    events
}

async fn what_is_lost_for_good_is_reported_and_the_rest_in_order(database: Database) {
    let takes = items().with_gap_wait(SHORT_WAIT);
    let world = World::of(database, takes.clone()).await;
    let second = service("depot", &world.to, &world.broker);
    let second = second.handle(track()).receive(takes).build().await;
    let second = Running::start(second.unwrap());
    let mut round = seeds(1).next().unwrap();
    let faults = Faults::rough().with_losses(8);
    world.broker.disturb(round.draw(), faults);
    let mut last = [0; 6];
    for _ in 0..200 {
        let at = usize::try_from(round.below(6)).unwrap();
        last[at] += 1;
        let change = moved(&TenantId::default(), &format!("i{at}"), last[at]);
        world.publisher().publish(change).await.unwrap();
    }
    world.settled().await;
    // Sent again by the relay, a lost one may have come after all.
    let here: BTreeSet<String> = events(&world.to.store, ALL)
        .await
        .values()
        .flatten()
        .map(|event| event.id().to_owned())
        .collect();
    let mut expected = BTreeSet::new();
    for chain in events(&world.from.store, ALL).await.values() {
        for pair in chain.windows(2) {
            if !here.contains(pair[0].id()) && here.contains(pair[1].id()) {
                expected.insert(pair[0].id().to_owned());
            }
        }
    }
    assert!(!expected.is_empty());
    let (missing, late) = gaps(world.depot.service()).await;
    assert_eq!(missing, expected);
    assert!(late.is_subset(&here));
    for (key, chain) in events(&world.to.store, PUNCTUAL).await {
        let versions: Vec<_> = chain.iter().map(Envelope::entityversion).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{key}: {versions:?}");
    }
    let handled: usize = versions(&world.to.store).await.values().map(Vec::len).sum();
    assert_eq!(handled, here.len());
    second.stop().await;
    world.stop().await;
}

async fn one_that_comes_late_is_appended_and_marked(database: Database) {
    let (broker, home, depot) = depot(database, items().with_gap_wait(SHORT_WAIT)).await;
    let b = following("b", "a");
    inject(&broker, following("c", "b"));
    inject(&broker, b);
    let waiting = "select count(*) as n from platform_received";
    eventually(PATIENCE, async || count(&home.store, waiting).await == 2).await;
    assert!(ids(&home.store).await.is_empty());
    eventually(PATIENCE, async || ids(&home.store).await == ["b", "c"]).await;
    assert_eq!(
        missing(depot.service()).await,
        BTreeSet::from(["a".to_owned()])
    );
    inject(&broker, foreign("a"));
    eventually(PATIENCE, async || {
        ids(&home.store).await == ["b", "c", "a!"]
    })
    .await;
    let gaps = depot.service().receiving().gaps(None, 10).await.unwrap();
    let gap = &gaps.items[0];
    assert_eq!((gap.topic.as_str(), gap.source.as_str()), ("items", "post"));
    assert_eq!(gap.followed_by, "b");
    assert!(gap.arrived_at.is_some());
    depot.stop().await;
}

async fn events_that_name_each_other_are_let_through_in_the_end(database: Database) {
    let wait = Duration::from_millis(400);
    let (broker, home, depot) = depot(database, items().with_gap_wait(wait)).await;
    inject(&broker, following("a", "b"));
    inject(&broker, following("b", "a"));
    eventually(PATIENCE, async || ids(&home.store).await.len() == 2).await;
    depot.stop().await;
}

async fn beyond_the_bound_the_oldest_gaps_are_passed_early(database: Database) {
    let (broker, home, depot) = depot(database, items().with_waiting_max(3)).await;
    for at in 0..5 {
        let event = following(&format!("late-{at}"), &format!("never-{at}"));
        inject(&broker, event.partitionkey(format!("key-{at}")));
    }
    eventually(PATIENCE, async || ids(&home.store).await.len() == 2).await;
    let waiting = "select count(*) as n from platform_received";
    assert_eq!(count(&home.store, waiting).await, 3);
    assert_eq!(missing(depot.service()).await.len(), 2);
    depot.stop().await;
}

async fn a_clock_that_jumps_passes_no_gap(database: Database) {
    let wait = Duration::from_secs(20);
    let (broker, home, depot) = depot(database, items().with_gap_wait(wait)).await;
    inject(&broker, following("b", "a"));
    let waiting = "select count(*) as n from platform_received";
    eventually(PATIENCE, async || count(&home.store, waiting).await == 1).await;
    shift_clock(&home.store, 3_600).await;
    let open = "select max(open_us) as n from platform_subscription";
    eventually(PATIENCE, async || {
        count(&home.store, open).await > 2_000_000
    })
    .await;
    assert!(ids(&home.store).await.is_empty());
    assert!(missing(depot.service()).await.is_empty());
    depot.stop().await;
}

async fn what_follows_a_quarantined_event_goes_on(database: Database) {
    let (broker, home, depot) = depot(database, items()).await;
    let broken = foreign("a").extension("sentat", "yesterday");
    inject(&broker, broken);
    let aside = "select count(*) as n from platform_quarantine";
    eventually(PATIENCE, async || count(&home.store, aside).await == 1).await;
    inject(&broker, following("b", "a"));
    eventually(PATIENCE, async || ids(&home.store).await == ["b"]).await;
    assert!(missing(depot.service()).await.is_empty());
    depot.stop().await;
}

/// Lets a partition hold ten positions, so that a story fills a few; SQLite needs none.
async fn small_partitions(store: &Store) {
    if store.postgres().is_some() {
        let mut tx = store.begin().await.unwrap();
        for sql in [
            "update platform_meta set value = '10' where name = 'partition_rows'",
            "drop table platform_log_0_1000000, platform_log_1000000_2000000",
            "select platform_log_partition(0)",
        ] {
            tx.query(sql).execute().await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

async fn what_retention_has_removed_is_not_waited_for(database: Database) {
    let (broker, home) = (Memory::new(), Home::at(database).await);
    let wired = || {
        service("depot", &home, &broker)
            .handle(track())
            .receive(items())
    };
    wired().build().await.unwrap();
    small_partitions(&home.store).await;
    let depot = Running::start(wired().build().await.unwrap());
    subscribed(&broker, "depot").await;
    let sent_at = platform_core::clock::now().to_rfc3339();
    inject(&broker, foreign("a").extension("sentat", sent_at));
    eventually(PATIENCE, async || ids(&home.store).await.len() == 1).await;
    let successor = following("successor", "a");
    shift_clock(&home.store, 1).await;
    // They are a second younger, and fill the first partitions.
    for at in 0..30 {
        inject(&broker, foreign(&format!("filler-{at}")));
    }
    eventually(PATIENCE, async || ids(&home.store).await.len() == 31).await;
    // The sender's next event of the key was sent long after.
    shift_clock(&home.store, 60).await;
    inject(&broker, foreign("newer"));
    let trim = Retention::keep(Duration::from_secs(30));
    let is_gone = async || {
        depot.service().trim(&trim).await.unwrap();
        !ids(&home.store).await.contains(&"filler-15".to_owned())
    };
    eventually(PATIENCE, is_gone).await;
    inject(&broker, successor);
    let is_here = async || ids(&home.store).await.contains(&"successor".to_owned());
    eventually(PATIENCE, is_here).await;
    assert!(missing(depot.service()).await.is_empty());
    depot.stop().await;
}

each_backend!(
    what_retention_has_removed_is_not_waited_for,
    what_is_lost_for_good_is_reported_and_the_rest_in_order,
    one_that_comes_late_is_appended_and_marked,
    events_that_name_each_other_are_let_through_in_the_end,
    beyond_the_bound_the_oldest_gaps_are_passed_early,
    a_clock_that_jumps_passes_no_gap,
    what_follows_a_quarantined_event_goes_on,
);
