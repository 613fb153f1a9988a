//! A task that fails is tried again, and its end is visible.

use std::time::Duration;

use platform_core::Store;
use platform_tests::{Database, each_backend};

use crate::world::{Plan, created, effects, follow, later, order, reason, rows, store};

/// Longer than any wait between two attempts: 5 min, and a fifth of that for jitter.
const WAIT: Duration = Duration::from_secs(361);

async fn fresh(database: &Database, plan: Plan) -> Store {
    let store = store(database).await;
    follow(&store, created(&order("acme", "O-1", plan))).await;
    store
}

async fn a_failing_task_is_retried_and_ends_failed_with_its_reason(database: Database) {
    let store = fresh(&database, Plan::FailUntil(99)).await;
    for failed in 1..10 {
        assert_eq!(
            rows(&store).await,
            [format!("acme follow-up waiting - {failed}")]
        );
        assert_eq!(reason(&store).await, format!("not in attempt {failed}"));
        later(&store, WAIT).await;
    }
    for _ in 0..2 {
        assert_eq!(rows(&store).await, ["acme follow-up failed exhausted 10"]);
        assert_eq!(reason(&store).await, "not in attempt 10");
        later(&store, WAIT).await;
    }
    assert_eq!(effects(&store).await, [""; 0]);
}

async fn a_failed_attempt_leaves_nothing_and_the_next_succeeds(database: Database) {
    let store = fresh(&database, Plan::FailUntil(2)).await;
    assert_eq!(effects(&store).await, [""; 0]);
    later(&store, Duration::ZERO).await;
    assert_eq!(rows(&store).await, ["acme follow-up waiting - 1"]);
    later(&store, WAIT).await;
    assert_eq!(rows(&store).await, ["acme follow-up done - 2"]);
    assert_eq!(effects(&store).await, ["acme O-1 2"]);
}

async fn a_rejected_task_fails_at_once(database: Database) {
    let store = fresh(&database, Plan::Reject).await;
    assert_eq!(rows(&store).await, ["acme follow-up failed rejected 1"]);
    assert_eq!(reason(&store).await, "no such customer");
    assert_eq!(effects(&store).await, [""; 0]);
}

async fn a_snoozed_task_spends_no_attempt(database: Database) {
    let store = fresh(&database, Plan::Snooze).await;
    for _ in 0..2 {
        assert_eq!(rows(&store).await, ["acme follow-up waiting - 0"]);
        let sql = "select count(*) as asleep from platform_task
            where tenant = 'acme' and due > (select now from platform_time) + $1";
        let nearly = Duration::from_secs(3_500);
        let row = store.query(sql).bind(nearly).fetch_one().await.unwrap();
        assert_eq!(row.get::<i64>("asleep").unwrap(), 1);
        later(&store, Duration::from_secs(3_601)).await;
    }
}

async fn a_panic_and_a_missing_answer_are_failed_attempts(database: Database) {
    for (plan, id, said) in [
        (Plan::Panic, "O-1", "the task panicked: the pen broke"),
        (Plan::Hang, "O-2", "no answer within 1s"),
    ] {
        let store = store(&database).await;
        follow(&store, created(&order(&id.to_lowercase(), id, plan))).await;
        let sql = "select state, attempts, reason from platform_task where tenant = $1";
        let row = store
            .query(sql)
            .bind(id.to_lowercase())
            .fetch_one()
            .await
            .unwrap();
        assert_eq!(row.get::<String>("reason").unwrap(), said);
        assert_eq!(
            (
                row.get::<String>("state").unwrap(),
                row.get("attempts").unwrap()
            ),
            ("waiting".into(), 1_i64)
        );
        assert_eq!(effects(&store).await, [""; 0]);
    }
}

each_backend!(
    a_failing_task_is_retried_and_ends_failed_with_its_reason,
    a_failed_attempt_leaves_nothing_and_the_next_succeeds,
    a_rejected_task_fails_at_once,
    a_snoozed_task_spends_no_attempt,
    a_panic_and_a_missing_answer_are_failed_attempts,
);
