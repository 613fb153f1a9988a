//! A database of its own for a test, on either backend.
//! It must not know any table: what a test needs it creates through the platform.

use std::fmt;
use std::path::Path;
use std::thread;

use tempfile::TempDir;

use crate::folder::folder;
use crate::postgres;

/// The kinds of database a story is told on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file in a temporary folder.
    Sqlite,
    /// A database in the PostgreSQL that all tests of a run share.
    Postgres,
}

impl Backend {
    /// Both, in the order in which failures are easiest to read.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Makes an empty database, which goes when the answer is dropped.
    ///
    /// # Panics
    ///
    /// When the database cannot be made; a missing PostgreSQL says what to install.
    ///
    /// # Cancel safety
    ///
    /// A PostgreSQL database whose creation was dropped half way stays until its server stops.
    pub async fn fresh(self) -> Database {
        let place = match self {
            Self::Sqlite => Place::File(folder("platform-sqlite-")),
            Self::Postgres => Place::Postgres(postgres::fresh().await),
        };
        Database { place }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// A database that belongs to one test.
#[derive(Debug)]
pub struct Database {
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(TempDir),
    Postgres(postgres::Database),
}

impl Database {
    /// Where it is: `sqlite:///…/test.db` or `postgres://…`.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.place {
            Place::File(folder) => format!("sqlite://{}", file(folder.path())),
            Place::Postgres(database) => database.url().to_owned(),
        }
    }

    /// What kind it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.place {
            Place::File(_) => Backend::Sqlite,
            Place::Postgres(_) => Backend::Postgres,
        }
    }
}

fn file(folder: &Path) -> String {
    folder.join("test.db").display().to_string()
}

impl Drop for Database {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the story failed on {}", self.backend());
        }
    }
}

/// Makes of each named story, an `async fn(Database)`, one test on SQLite and one on PostgreSQL.
///
/// The tests are called `story::holds_on_sqlite` and `story::holds_on_postgres`. The crate that
/// uses it needs tokio with its macros.
#[macro_export]
macro_rules! each_backend {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            #[tokio::test]
            async fn holds_on_sqlite() {
                super::$story($crate::Backend::Sqlite.fresh().await).await;
            }

            #[tokio::test]
            async fn holds_on_postgres() {
                super::$story($crate::Backend::Postgres.fresh().await).await;
            }
        }
    )+};
}
