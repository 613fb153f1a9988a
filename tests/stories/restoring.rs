//! Dump and restore: groups go on where they were, and a counter that was left behind is refused
//! with the repair.

use std::process::Command;

use platform_core::{Store, TenantId};
use platform_events::{ErrorKind, Service};
use platform_tests::{Backend, Database, each_backend, eventually, postgres};

use crate::running::{PATIENCE, Running, settle};
use crate::world::{moved, open, open_url, post, seen, send, watchers, watching};

/// Thirty events handled, thirty more that wait.
async fn half_done(store: &Store) {
    let service = watching(store).await;
    send(&service.publisher(), "a", 1, 30).await;
    settle(&service).await;
    send(&service.publisher(), "a", 31, 60).await;
}

async fn goes_on(store: &Store) {
    let service = watching(store).await;
    send(&service.publisher(), "a", 61, 70).await;
    settle(&service).await;
    let expected: Vec<String> = (1..=70)
        .map(|version| format!("default/a/{version}"))
        .collect();
    assert_eq!(seen(store, "ledger").await, expected);
    assert_eq!(seen(store, "track").await, expected);
    let again = moved(&TenantId::default(), "a", 30);
    let error = service.publisher().publish(again).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::VersionReused,
        "ids are restored too: {error}"
    );
}

#[tokio::test]
async fn groups_go_on_after_a_restore_into_a_new_cluster() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    half_done(&store).await;
    let server = postgres::Server::start();
    let copy = server.fresh();
    let dump = r#"pg_dump --dbname "$1" | psql -q -X -v ON_ERROR_STOP=1 --dbname "$2" >/dev/null"#;
    let shell = ["-c", dump, "dump", &database.url(), copy.url()];
    let status = Command::new("sh").args(shell).status().unwrap();
    assert!(status.success(), "{status}");
    let restored = open_url(copy.url()).await;
    goes_on(&restored).await;
    restored.close().await;
}

#[tokio::test]
async fn groups_go_on_in_a_copy_of_the_file() {
    let database = Backend::Sqlite.fresh().await;
    let store = open(&database).await;
    half_done(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db").display().to_string();
    store
        .query("vacuum into $1")
        .bind(&copy)
        .execute()
        .await
        .unwrap();
    store.close().await;
    goes_on(&open_url(&format!("sqlite://{copy}")).await).await;
}

/// What a service says of a damaged log, whether it finds out when built or when run.
async fn refusal(store: &Store) -> String {
    let built = Service::builder("post", store.clone()).build().await;
    let error = match built {
        Ok(service) => service.run_until_settled().await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let refused = post(store, watchers()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        error.to_string(),
        "with handlers as without"
    );
    error.to_string()
}

/// The statement that a message names after `run: `.
fn repair(message: &str) -> &'static str {
    message.split_once("run: ").unwrap().1.to_owned().leak()
}

async fn repaired(store: &Store) {
    let service = watching(store).await;
    send(&service.publisher(), "b", 1, 5).await;
    settle(&service).await;
    let seen = seen(store, "ledger").await;
    assert_eq!(
        seen.iter()
            .filter(|line| line.starts_with("default/b/"))
            .count(),
        5,
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_sequence_behind_its_table_is_refused_with_the_repair() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database).await;
    half_done(&store).await;
    store
        .query("select setval('platform_log_seq', 40)")
        .execute()
        .await
        .unwrap();
    let message = refusal(&store).await;
    assert!(
        message.contains("setval") && message.contains("60"),
        "{message}"
    );
    store.query(repair(&message)).execute().await.unwrap();
    repaired(&store).await;
}

async fn execute(store: &Store, sql: &'static str) {
    let mut tx = store.begin().await.unwrap();
    tx.query(sql).execute().await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_counter_behind_a_position_is_refused_with_the_repair(database: Database) {
    let store = open(&database).await;
    half_done(&store).await;
    execute(
        &store,
        "update platform_lane set position = 500 where lane = 3",
    )
    .await;
    let message = refusal(&store).await;
    assert!(message.contains("500"), "{message}");
    if database.backend() == Backend::Postgres {
        assert!(message.contains("setval"), "{message}");
        store.query(repair(&message)).execute().await.unwrap();
    } else {
        assert!(message.contains("sqlite_sequence"), "{message}");
        execute(
            &store,
            "update sqlite_sequence set seq = 500 where name = 'platform_log'",
        )
        .await;
    }
    repaired(&store).await;
}

/// A backup that is older than what the log's neighbours remember comes back while a worker runs.
async fn a_counter_that_falls_back_while_a_worker_runs_makes_it_unready(database: Database) {
    let store = open(&database).await;
    half_done(&store).await;
    let running = Running::start(watching(&store).await);
    running.settled().await;
    let service = running.service();
    eventually(PATIENCE, async || service.health().is_ready).await;
    let sql = match database.backend() {
        Backend::Postgres => "select setval('platform_log_seq', 10)",
        Backend::Sqlite => "update sqlite_sequence set seq = 10 where name = 'platform_log'",
    };
    execute(&store, sql).await;
    eventually(PATIENCE, async || {
        let health = service.health();
        !health.is_ready
            && health
                .reasons
                .iter()
                .any(|reason| reason.contains("stands at 10"))
    })
    .await;
    running.stop().await;
}

each_backend!(
    a_counter_behind_a_position_is_refused_with_the_repair,
    a_counter_that_falls_back_while_a_worker_runs_makes_it_unready,
);
