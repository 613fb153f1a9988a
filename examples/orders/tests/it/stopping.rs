//! Workers end when they are told to, after what they have in hand.

use std::process::{Child, Command};
use std::time::Duration;

use platform_core::Store;
use platform_tests::{Backend, Database, each_backend, eventually, until};

use crate::program::{CUSTOMERS, Place};

const BOUND: Duration = Duration::from_secs(30);

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

fn ended(child: &mut Child) -> Option<i32> {
    let mut status = None;
    let _ended = until(BOUND, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.and_then(|status| status.code())
}

/// Waits until workers hold lanes: before that a signal ends the program as any other.
async fn is_at_work(place: &Place) {
    let lanes = "select count(*) as n from platform_lane l
        join platform_process p on p.id = l.process and p.expires_at > (select now from platform_time)";
    eventually(BOUND, async || {
        let Ok(store) = Store::open(&place.url()).await else {
            return false;
        };
        let row = store.query(lanes).fetch_one().await;
        row.and_then(|row| row.get::<i64>("n"))
            .is_ok_and(|held| held > 0)
    })
    .await;
}

async fn workers_stop_at_a_signal_with_status_0(database: Database) {
    let place = Place::with(database);
    let file = place.file("c.csv", CUSTOMERS);
    for name in ["TERM", "INT"] {
        let mut workers = place.start(&["work"]);
        is_at_work(&place).await;
        place.succeed(&["import", file.to_str().unwrap()]);
        signal(&workers, name);
        assert_eq!(ended(&mut workers), Some(0), "{name}");
    }
    assert_eq!((place.count("handled"), place.mails().len()), (6, 1));
}

async fn work_until_settled_ends_by_itself(database: Database) {
    let place = Place::with(database);
    assert!(place.succeed(&["work", "--until-settled"]).is_empty());
}

each_backend!(
    workers_stop_at_a_signal_with_status_0,
    work_until_settled_ends_by_itself
);

#[tokio::test]
async fn standard_input_is_a_file_too() {
    let place = Place::on(Backend::Sqlite).await;
    let file = std::fs::File::open(place.file("c.csv", CUSTOMERS)).unwrap();
    let output = place
        .command(&["import", "-"])
        .stdin(file)
        .output()
        .unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("standard input: 2 rows, 2 new"), "{told}");
}
