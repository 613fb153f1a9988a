//! Each test gets an empty database of its own, on either backend.

use std::path::Path;
use std::process::Command;

use platform_tests::{Backend, Database, each_backend, postgres};

async fn a_story_owns_its_database(database: Database) {
    let url = database.url();
    match database.backend() {
        Backend::Sqlite => {
            let file = url
                .strip_prefix("sqlite://")
                .expect("an absolute path")
                .to_owned();
            std::fs::write(&file, "").expect("the folder exists");
            drop(database);
            assert!(!Path::new(&file).exists());
        }
        Backend::Postgres => {
            assert!(url.starts_with("postgres://"), "{url}");
            let other = Backend::Postgres.fresh().await;
            assert_ne!(other.url(), url);
            assert!(answers(&url));
            drop(database);
            assert!(!answers(&url));
            assert!(answers(&other.url()));
        }
    }
}
each_backend!(a_story_owns_its_database);

fn answers(url: &str) -> bool {
    Command::new("psql")
        .args(["-X", "-q", "-d", url, "-c", "select 1"])
        .output()
        .unwrap()
        .status
        .success()
}

#[tokio::test]
async fn many_databases_are_made_at_once() {
    let (a, b, c) = tokio::join!(postgres::fresh(), postgres::fresh(), postgres::fresh());
    assert!(a.url() != b.url() && b.url() != c.url());
}

#[test]
fn backends_are_named_as_people_name_them() {
    assert_eq!(
        Backend::ALL.map(|backend| backend.to_string()),
        ["SQLite", "PostgreSQL"]
    );
}
