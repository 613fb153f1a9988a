//! A database for one test, in the server that the tests of a run share or in one of their own.
//! It must not know its tables.

use std::env;
use std::sync::OnceLock;
use std::thread;

use super::programs::psql;
use super::server::LOG;
use super::{SHARED_SERVER, Server};
use crate::seeds::random;

const LOG_LINES_MAX: usize = 60;

static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();

/// Kept for the whole process; its end stops a server of our own.
#[derive(Debug)]
enum Shared {
    Given(String),
    Own(Server),
}

impl Shared {
    fn find() -> Result<Self, String> {
        match env::var(SHARED_SERVER) {
            Ok(url) => base(&url).map(Self::Given),
            Err(_) => Server::try_fast().map(Self::Own),
        }
    }

    fn base_url(&self) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Own(server) => server.base_url(),
        }
    }
}

/// A database that belongs to one test and goes with this value.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What its server logged about it.
    #[must_use]
    pub fn log(&self) -> String {
        let whole = psql(&self.server, &format!("select pg_read_file('{LOG}')"));
        lines_about(&self.name, &whole.unwrap_or_default())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "the server's log about {}:\n{}",
                self.name,
                end_of(&self.log())
            );
        }
        // A server that a test has killed drops its databases with its folder.
        drop(psql(
            &self.server,
            &format!("drop database if exists {} with (force)", self.name),
        ));
    }
}

/// Makes an empty database in the server that the tests of a run share.
///
/// That is the one which `PLATFORM_TEST_POSTGRES` names; without it, one that starts with the
/// first call and ends with the process.
///
/// # Panics
///
/// When the database cannot be made; a missing PostgreSQL says what to install.
///
/// # Cancel safety
///
/// A database whose creation was dropped half way stays until its server stops.
pub async fn fresh() -> Database {
    let made = tokio::task::spawn_blocking(|| {
        let shared = SHARED
            .get_or_init(Shared::find)
            .as_ref()
            .map_err(Clone::clone)?;
        create(&shared.base_url())
    });
    match made.await {
        Ok(Ok(database)) => database,
        Ok(Err(reason)) => panic!("{reason}"),
        Err(error) => panic!("the database was not made: {error}"),
    }
}

/// Makes an empty database in the server at `base`.
pub(super) fn create(base: &str) -> Result<Database, String> {
    let server = format!("{base}/postgres");
    let name = format!("test_{:016x}", random());
    psql(
        &server,
        &format!("create database {name} template template0"),
    )?;
    let url = format!("{base}/{name}");
    Ok(Database { server, name, url })
}

/// Cuts the database off an address.
fn base(url: &str) -> Result<String, String> {
    let host = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
        .and_then(|rest| rest.split(['/', '?']).next())
        .filter(|host| !host.is_empty());
    host.map(|host| format!("postgres://{host}"))
        .ok_or_else(|| {
            format!("{SHARED_SERVER} must look like postgres://user@host:port, not like {url:?}")
        })
}

/// The lines with `name` in them; a line that starts with a tab continues the one before.
fn lines_about(name: &str, log: &str) -> String {
    let mut is_ours = false;
    log.lines()
        .filter(|line| {
            is_ours = if line.starts_with('\t') {
                is_ours
            } else {
                line.contains(name)
            };
            is_ours
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The last lines of a log.
pub(super) fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_MAX)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_database_and_options() {
        for (given, kept) in [
            ("postgres://ada@db:5432", "postgres://ada@db:5432"),
            (
                "postgresql://ada:pw@db/app?sslmode=off",
                "postgres://ada:pw@db",
            ),
        ] {
            assert_eq!(base(given).as_deref(), Ok(kept));
        }
        for wrong in ["", "5432", "postgres://", "mysql://db"] {
            assert!(base(wrong).unwrap_err().contains(SHARED_SERVER), "{wrong}");
        }
    }

    #[test]
    fn a_log_is_cut_to_the_lines_of_one_test() {
        let log = "12:00 [7] a ERROR: no\n\tmore\n12:00 [8] b ERROR: other\n\tmore of b\n12:01 [7] a LOG: ok";
        assert_eq!(
            lines_about("] a ", log),
            "12:00 [7] a ERROR: no\n\tmore\n12:01 [7] a LOG: ok"
        );
        assert_eq!(end_of(&"x\n".repeat(100)).lines().count(), LOG_LINES_MAX);
    }
}
