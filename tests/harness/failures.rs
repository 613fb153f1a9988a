//! A test that fails says what is needed to understand it. Each of them fails in a child.

use std::process::Command;

use platform_tests::{Backend, Child, Role, postgres, seeds};

async fn failed(test: &str, values: &[(&str, &str)]) -> String {
    let mut child = Child::spawn(&format!("failures::{test}"), "failing", values);
    assert!(!child.ended().await.success());
    child.output()
}

#[tokio::test]
async fn a_failed_round_names_its_seed() {
    if Role::from_env().is_some() {
        for round in seeds(3) {
            assert_ne!(round.seed(), 2, "this seed fails");
        }
        return;
    }
    let output = failed("a_failed_round_names_its_seed", &[]).await;
    assert!(
        output.contains("repeat it with PLATFORM_SEED=2"),
        "{output}"
    );
}

#[tokio::test]
async fn a_failed_story_shows_its_backend_and_log() {
    if Role::from_env().is_some() {
        let database = Backend::Postgres.fresh().await;
        let asked = Command::new("psql")
            .args(["-X", "-d", &database.url(), "-c", "select 1 from nowhere"])
            .status();
        assert!(
            asked.is_ok_and(|status| status.success()),
            "there is no such table"
        );
        return;
    }
    let output = failed("a_failed_story_shows_its_backend_and_log", &[]).await;
    assert!(
        output.contains("the story failed on PostgreSQL"),
        "{output}"
    );
    assert!(
        output.contains("STATEMENT:  select 1 from nowhere"),
        "{output}"
    );
}

#[tokio::test]
async fn a_server_that_cannot_be_used_fails_the_test() {
    if Role::from_env().is_some() {
        drop(postgres::fresh().await);
        return;
    }
    let test = "a_server_that_cannot_be_used_fails_the_test";
    let wrong = failed(test, &[(postgres::SHARED_SERVER, "mysql://db")]).await;
    assert!(
        wrong.contains("must look like postgres://user@host:port"),
        "{wrong}"
    );
    let silent = failed(
        test,
        &[(postgres::SHARED_SERVER, "postgres://a@127.0.0.1:1")],
    )
    .await;
    assert!(silent.contains("create database"), "{silent}");
}
