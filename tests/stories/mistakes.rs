//! The two stores answer the same mistake in the same way: what is refused in production is refused on a laptop.

use platform_core::ErrorKind;
use platform_core::store::{Migrations, Step};
use platform_tests::{Database, each_backend};

use crate::world::{TABLES, open};

async fn a_value_of_another_type_is_refused(database: Database) {
    let store = open(&database).await;
    let sql = "select 'abc' as text, null as missing_value, 7 as whole";
    let row = store.query(sql).fetch_one().await.unwrap();
    assert!(row.get::<i64>("text").is_err());
    assert!(row.get::<String>("missing_value").is_err());
    assert!(row.get::<Vec<u8>>("whole").is_err());
    assert!(row.get::<String>("whole").is_err());
    assert!(row.get::<u32>("missing").is_err());
    assert_eq!(row.get::<Option<i64>>("missing_value").unwrap(), None);
    assert_eq!(row.get::<u32>("whole").unwrap(), 7);
    let below = store.query("select -1 as n").fetch_one().await.unwrap();
    assert!(below.get::<u64>("n").is_err());
}

async fn a_forgotten_value_is_told_before_the_database_is_asked(database: Database) {
    let store = open(&database).await;
    for (sql, bound) in [
        ("select $1, $2", 1),
        ("select 1", 1),
        ("select '$1', $1", 0),
    ] {
        let query = (0..bound).fold(store.query(sql), |query, n: i64| query.bind(n));
        let refused = query.fetch_all().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Statement, "{refused}");
        assert!(refused.to_string().contains("placeholders"), "{refused}");
    }
}

async fn a_swallowed_error_commits_nothing(database: Database) {
    let store = open(&database).await;
    store.migrate(&TABLES).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.query("insert into audit values ('first')")
        .execute()
        .await
        .unwrap();
    assert!(
        tx.query("insert into nowhere values (1)")
            .execute()
            .await
            .is_err()
    );
    let refused = tx.commit().await.unwrap_err();
    assert!(refused.to_string().contains("swallowed"), "{refused}");
    let left = "select count(*) as n from audit";
    assert_eq!(crate::world::count(&store, left).await, 0);
}

async fn a_savepoint_mends_what_was_refused_after_it(database: Database) {
    let store = open(&database).await;
    store.migrate(&TABLES).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.query("insert into audit values ('first')")
        .execute()
        .await
        .unwrap();
    tx.query("savepoint attempt").execute().await.unwrap();
    assert!(
        tx.query("insert into nowhere values (1)")
            .execute()
            .await
            .is_err()
    );
    tx.query("rollback to savepoint attempt")
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let left = "select count(*) as n from audit";
    assert_eq!(crate::world::count(&store, left).await, 1);
}

async fn a_migration_with_a_gap_is_refused(database: Database) {
    const fn step(version: u32) -> Step {
        Step {
            version,
            name: "any",
            admits: 1,
            sqlite: "select 1",
            postgres: "select 1",
        }
    }
    const STEPS: [&[Step]; 3] = [&[step(2)], &[step(1), step(3)], &[step(2), step(1)]];
    let store = open(&database).await;
    for steps in STEPS {
        let set = Migrations { set: "gap", steps };
        let refused = store.migrate(&set).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Schema, "{refused}");
        assert!(refused.to_string().contains("count from 1"), "{refused}");
    }
}

each_backend!(
    a_value_of_another_type_is_refused,
    a_forgotten_value_is_told_before_the_database_is_asked,
    a_swallowed_error_commits_nothing,
    a_savepoint_mends_what_was_refused_after_it,
    a_migration_with_a_gap_is_refused,
);
