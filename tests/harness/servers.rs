//! A dedicated server can be killed, started again and stopped, and leaves nothing behind.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use platform_tests::postgres::Server;
use platform_tests::{Child, Role, at, eventually, stop_at};

fn ask(url: &str, statement: &str) -> Result<String, String> {
    let output = Command::new("psql")
        .args([
            "-X",
            "-qtA",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            url,
            "-c",
            statement,
        ])
        .output()
        .expect("psql is on the path");
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_was_committed_survives_a_killed_server() {
    let server = Server::start();
    let (first, second) = (server.fresh(), server.fresh());
    assert_ne!(first.url(), second.url());
    ask(
        first.url(),
        "create table note (n int); insert into note values (7)",
    )
    .unwrap();
    assert!(
        ask(second.url(), "select n from note")
            .unwrap_err()
            .contains("note")
    );
    assert!(second.log().contains("does not exist") && !first.log().contains("does not exist"));

    server.kill9();
    assert!(ask(first.url(), "select 1").is_err());
    server.restart();
    assert_eq!(ask(first.url(), "select n from note").as_deref(), Ok("7"));
    assert!(
        server.log().contains("not properly shut down"),
        "{}",
        server.log()
    );

    server.stop();
    assert!(ask(first.url(), "select 1").is_err());
    server.restart();
    assert_eq!(ask(first.url(), "select n from note").as_deref(), Ok("7"));
}

#[test]
fn a_restart_kills_a_server_that_runs() {
    let server = Server::start();
    server.restart();
    assert_eq!(ask(&server.url("postgres"), "select 1").as_deref(), Ok("1"));
}

#[test]
fn a_server_has_the_settings_that_tests_count_on() {
    let (fast, durable) = (Server::start(), Server::durable());
    for (setting, expected) in [
        ("max_connections", "200"),
        ("max_prepared_transactions", "20"),
        ("fsync", "off"),
    ] {
        let shown = ask(&fast.url("postgres"), &format!("show {setting}"));
        assert_eq!(shown.as_deref(), Ok(expected), "{setting}");
    }
    assert_eq!(
        ask(&durable.url("postgres"), "show fsync").as_deref(),
        Ok("on")
    );
}

#[tokio::test]
async fn a_server_goes_with_a_killed_process() {
    if Role::from_env().is_some() {
        let server = Server::start();
        at(&server.base_url());
        println!(
            "folder: {}",
            ask(&server.url("postgres"), "show data_directory").unwrap()
        );
        stop_at("started");
    }
    let mut owner = Child::spawn("servers::a_server_goes_with_a_killed_process", "owner", &[]);
    owner.reached("started").await;
    let output = owner.output();
    let url = output
        .lines()
        .find_map(|line| line.strip_prefix("at: postgres"))
        .unwrap();
    let folder = output
        .lines()
        .find_map(|line| line.strip_prefix("folder: "))
        .unwrap();
    let url = format!("postgres{url}/postgres");
    assert_eq!(ask(&url, "select 1").as_deref(), Ok("1"));

    owner.kill9();
    eventually(Duration::from_secs(20), async || {
        !Path::new(folder).exists()
    })
    .await;
    assert!(ask(&url, "select 1").is_err());
}
