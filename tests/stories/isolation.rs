//! Other isolation levels: as the database's default, and in the caller's transaction. PostgreSQL
//! only: SQLite has one.

use std::time::Duration;

use platform_core::{Store, TenantId};
use platform_events::ErrorKind;
use platform_tests::{Backend, Database};

use crate::load::{ITEMS, Load, assert_exact};
use crate::running::Running;
use crate::world::{moved, open, publish_in, raise, seen, stock, watching};

const REPEATABLE: &str = "set transaction isolation level repeatable read";
const SERIALIZABLE: &str = "set transaction isolation level serializable";
const COMMITTED: &str = "set transaction isolation level read committed";

/// Makes `level` what a session of this database has unless it says otherwise.
async fn with_default(database: &Database, level: &str) -> Store {
    let store = open(database).await;
    let row = store
        .query("select current_database() as name")
        .fetch_one()
        .await
        .unwrap();
    let name: String = row.get("name").unwrap();
    let sql = format!("alter database {name} set default_transaction_isolation = '{level}'");
    store.query(sql.leak()).execute().await.unwrap();
    store.close().await;
    let store = open(database).await;
    let row = store.query("select current_setting('transaction_isolation') as level");
    let row = row.fetch_one().await.unwrap();
    assert_eq!(row.get::<String>("level").unwrap(), level);
    store
}

async fn loses_nothing_under(level: &str) {
    let database = Backend::Postgres.fresh().await;
    let store = with_default(&database, level).await;
    let running = Running::start(watching(&store).await);
    stock(&store, ITEMS).await;
    let load = Load {
        writers: 12,
        lasting: Duration::from_secs(2),
        isolation: &[],
    };
    let tallies = load.run(&store, &running.service().publisher()).await;
    assert!(
        tallies.iter().map(|tally| tally.committed).sum::<u64>() > 50,
        "{tallies:?}"
    );
    running.settled().await;
    running.stop().await;
    for who in ["track", "ledger"] {
        assert_exact(&store, who).await;
    }
}

#[tokio::test]
async fn a_default_of_repeatable_read_loses_nothing() {
    loses_nothing_under("repeatable read").await;
}

#[tokio::test]
async fn a_default_of_serializable_loses_nothing() {
    loses_nothing_under("serializable").await;
}

#[tokio::test]
async fn callers_at_every_isolation_level_publish_or_are_told_of_a_conflict() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let running = Running::start(watching(&store).await);
    stock(&store, ITEMS).await;
    let isolation = &[COMMITTED, REPEATABLE, SERIALIZABLE];
    let load = Load {
        writers: 12,
        lasting: Duration::from_secs(3),
        isolation,
    };
    let tallies = load.run(&store, &running.service().publisher()).await;
    for (at, level) in isolation.iter().enumerate() {
        let committed: u64 = tallies
            .iter()
            .skip(at)
            .step_by(3)
            .map(|tally| tally.committed)
            .sum();
        assert!(
            committed > 0,
            "nobody got through with {level}: {tallies:?}"
        );
    }
    running.settled().await;
    running.stop().await;
    for who in ["track", "ledger"] {
        assert_exact(&store, who).await;
    }
}

/// Two writers of one row, both from an old snapshot: the second is told to try again.
#[tokio::test]
async fn a_caller_whose_snapshot_is_too_old_is_told_to_try_again() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let service = watching(&store).await;
    let publisher = service.publisher();
    stock(&store, 1).await;
    for level in [REPEATABLE, SERIALIZABLE] {
        let mut old = store.begin().await.unwrap();
        old.query(level).execute().await.unwrap();
        old.query("select version from item")
            .fetch_one()
            .await
            .unwrap();
        let mut quick = store.begin().await.unwrap();
        raise(&mut quick, &publisher, "item-00").await.unwrap();
        quick.commit().await.unwrap();
        let error = raise(&mut old, &publisher, "item-00").await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        assert!(
            error
                .to_string()
                .contains("another transaction was in the way"),
            "{error}"
        );
    }
}

/// The same id from an old snapshot: a conflict or a refusal, never a quiet loss.
#[tokio::test]
async fn an_id_that_an_old_snapshot_cannot_see_is_a_clear_conflict() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    let service = watching(&store).await;
    let publisher = service.publisher();
    for (at, level) in [REPEATABLE, SERIALIZABLE].into_iter().enumerate() {
        let id = format!("a{at}");
        let mut old = store.begin().await.unwrap();
        old.query(level).execute().await.unwrap();
        old.query("select count(*) as n from item")
            .fetch_one()
            .await
            .unwrap();
        let mut quick = store.begin().await.unwrap();
        publish_in(&publisher, &mut quick, &id, 1).await;
        quick.commit().await.unwrap();
        let change = moved(&TenantId::default(), &id, 1);
        let error = publisher.publish_in(&mut old, change).await.unwrap_err();
        let is_clear = error.is_transient() || error.kind() == ErrorKind::VersionReused;
        assert!(is_clear, "{error:?}");
        drop(old);
    }
    let running = Running::start(watching(&store).await);
    running.settled().await;
    running.stop().await;
    assert_eq!(
        seen(&store, "ledger").await,
        ["default/a0/1", "default/a1/1"]
    );
}
