//! Numbers that were drawn and rolled back leave gaps, and a gap holds nothing up.

use platform_events::Event;
use platform_tests::{Database, each_backend};

use crate::running::Running;
use crate::world::{count, note, open, publish_in, seen, send, watching};

async fn gaps_at_the_start_in_the_middle_and_at_the_end_hold_nothing_up(database: Database) {
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);
    let publisher = running.service().publisher();
    let given_up = async |id: &str| {
        let mut tx = store.begin().await.unwrap();
        for version in 1..=5 {
            publish_in(&publisher, &mut tx, id, version).await;
        }
        tx.rollback().await.unwrap();
    };
    given_up("start").await;
    send(&publisher, "a", 1, 3).await;
    running.settled().await;
    assert_eq!(
        seen(&store, "ledger").await.len(),
        3,
        "after a gap at the start"
    );

    given_up("middle").await;
    send(&publisher, "a", 4, 6).await;
    running.settled().await;
    assert_eq!(
        seen(&store, "ledger").await.len(),
        6,
        "after a gap in the middle"
    );

    given_up("end").await;
    running.settled().await;
    running.stop().await;

    let running = Running::start(watching(&store).await);
    send(&running.service().publisher(), "a", 7, 9).await;
    running.settled().await;
    running.stop().await;
    let expected: Vec<String> = (1..=9)
        .map(|version| format!("default/a/{version}"))
        .collect();
    assert_eq!(seen(&store, "ledger").await, expected);
    assert_eq!(seen(&store, "track").await, expected);
}

async fn the_hole_that_a_duplicate_leaves_holds_nothing_up(database: Database) {
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);
    let publisher = running.service().publisher();
    for version in 1..=20 {
        let mut tx = store.begin().await.unwrap();
        let same = note("a", "same").keyed("same");
        publisher.publish_in(&mut tx, same).await.unwrap();
        publish_in(&publisher, &mut tx, "a", version).await;
        tx.commit().await.unwrap();
    }
    running.settled().await;
    running.stop().await;
    let expected: Vec<String> = (1..=20)
        .map(|version| format!("default/a/{version}"))
        .collect();
    assert_eq!(seen(&store, "ledger").await, expected);
    let notes = "select count(*) as n from platform_log where type = 'note.taken'";
    assert_eq!(count(&store, notes).await, 1);
}

each_backend!(
    gaps_at_the_start_in_the_middle_and_at_the_end_hold_nothing_up,
    the_hole_that_a_duplicate_leaves_holds_nothing_up,
);
