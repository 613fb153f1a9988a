//! What is old, passed by all and needed by none leaves the log, archived first.

use std::time::Duration;

use platform_core::Store;
use platform_events::retention::Retention;
use platform_events::{Service, Start};
use platform_tests::{Database, each_backend, eventually};

use crate::following::Track;
use crate::world::{TABLES, seen, send, settled, store};

async fn service(store: &Store) -> Service {
    use platform_events::Handler;
    Service::builder("post", store.clone())
        .with_migrations(TABLES)
        .handle(Track.from(Start::Now))
        .build()
        .await
        .unwrap()
}

/// Lets a partition hold ten positions, so that a test fills a few.
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

async fn what_is_old_and_passed_is_archived_and_removed(database: Database) {
    let store = store(&database).await;
    service(&store).await;
    small_partitions(&store).await;
    let service = service(&store).await;
    send(&service.publisher(), &store, "a", 1, 45).await;
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention::keep(Duration::ZERO).archived_to(folder.path());

    let nothing = service.trim(&retention).await.unwrap();
    assert_eq!(
        (nothing.events, nothing.up_to),
        (0, 0),
        "a group has not passed it"
    );

    settled(&service).await;
    let trimmed = service.trim(&retention).await.unwrap();
    assert!(trimmed.up_to >= 39 && trimmed.events >= 39, "{trimmed:?}");
    let kept = service.overview().await.unwrap().events;
    assert_eq!(kept + i64::try_from(trimmed.events).unwrap(), 45);
    let mut lines = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        lines += std::fs::read_to_string(file.unwrap().path())
            .unwrap()
            .lines()
            .count();
    }
    assert_eq!(lines as u64, trimmed.events);

    let service = self::service(&store).await;
    send(&service.publisher(), &store, "a", 46, 60).await;
    settled(&service).await;
    assert_eq!(
        seen(&store, "track", "a").await,
        (1..=60).collect::<Vec<i64>>()
    );
}

/// What nobody can read leaves too, and is kept as it was stored.
async fn a_service_trims_by_itself_what_is_old(database: Database) {
    let store = store(&database).await;
    service(&store).await;
    small_partitions(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention::keep(Duration::ZERO).archived_to(folder.path());
    let service = {
        use platform_events::Handler;
        Service::builder("post", store.clone())
            .with_migrations(TABLES)
            .handle(Track.from(Start::Now))
            .with_retention(retention)
            .build()
            .await
            .unwrap()
    };
    send(&service.publisher(), &store, "a", 1, 45).await;
    let mut tx = store.begin().await.unwrap();
    let broken =
        "update platform_log set type = 'nobody.asks', attributes = 'rubbish' where seq = 3";
    tx.query(broken).execute().await.unwrap();
    tx.commit().await.unwrap();
    let trimmed = async {
        eventually(Duration::from_secs(30), async || {
            service.overview().await.unwrap().events <= 10
        })
        .await;
    };
    service.run(trimmed).await.unwrap();
    let archived: String = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|name| name == "jsonl"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert!(
        archived.contains("\"attributes\":\"rubbish\""),
        "{archived}"
    );
    assert!(archived.lines().count() >= 35, "{archived}");
}

each_backend!(
    what_is_old_and_passed_is_archived_and_removed,
    a_service_trims_by_itself_what_is_old,
);

#[tokio::test]
async fn another_language_appends_through_the_sql_function() {
    let database = platform_tests::Backend::Postgres.fresh().await;
    let store = store(&database).await;
    let service = service(&store).await;
    let append = "select platform_append('post', 'invoice.overdue', 'acme', 'invoice/17', '17/3', '{\"days\":3}')";
    let mut positions = Vec::new();
    for _ in 0..2 {
        let mut tx = store.begin().await.unwrap();
        let row = tx.query(append).fetch_one().await.unwrap();
        positions.push(row.get::<Option<i64>>("platform_append").unwrap());
        tx.commit().await.unwrap();
    }
    assert!(
        positions[0].is_some() && positions[1].is_none(),
        "{positions:?}"
    );
    let row = store
        .query("select key, id_key, lane from platform_log")
        .fetch_one()
        .await
        .unwrap();
    let key = platform_core::Key::of("lane", &[b"", b"acme", b"invoice/17"]);
    assert_eq!(row.get::<platform_core::Key>("key").unwrap(), key);
    assert_eq!(
        row.get::<i64>("lane").unwrap(),
        i64::from(key.partition(16))
    );
    settled(&service).await;
    assert_eq!(service.overview().await.unwrap().events, 1);
}
