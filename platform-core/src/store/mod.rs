//! The handle to a service's own database: SQLite in one process, PostgreSQL in production.
//!
//! The set of databases is closed, so the handle, its transactions and its rows are two-variant enums. Nothing
//! here knows a table of another crate. One SQL text with `$n` placeholders serves both databases through
//! [`Query`]; what only one of them can do goes through [`Tx::sqlite`] and [`Tx::postgres`].

mod migrate;
mod options;
mod postgres;
mod query;
mod row;
mod sqlite;
mod tx;
mod value;

use std::fmt;
use std::sync::Arc;

pub use migrate::{Migrations, Step};
pub use options::Options;
pub use query::Query;
pub use row::{Column, Row};
pub use tx::{Conn, Native, Tx};
pub use value::Value;

use crate::{Error, ErrorKind};

/// Says what an error of the driver means, for crates that make native calls; `place` names the statement.
pub fn failure(error: sqlx::Error, place: &str) -> Error {
    if is_sqlite(&error) {
        sqlite::classify(error, place)
    } else {
        postgres::classify(error, place)
    }
}

/// Returns the kind of an error that is the driver's; nothing for other errors.
pub(crate) fn kind_of(error: &(dyn std::error::Error + 'static)) -> Option<ErrorKind> {
    let error = error.downcast_ref::<sqlx::Error>()?;
    Some(if is_sqlite(error) {
        sqlite::kind(error).0
    } else {
        postgres::kind(error).0
    })
}

fn is_sqlite(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error)
        if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some())
}

/// Which of the two databases a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A SQLite file.
    Sqlite,
    /// A PostgreSQL database.
    Postgres,
}

/// A service's own database. Cloning is cheap; clones share their connections.
///
/// # Example
/// ```
/// # async fn f(url: &str) -> Result<(), platform_core::Error> {
/// use platform_core::Store;
/// let store = Store::open(url).await?;      // sqlite://orders.db or postgres://…
/// let mut tx = store.begin().await?;
/// tx.query("insert into note (id, text) values ($1, $2)").bind(1).bind("hello").execute().await?;
/// tx.commit().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Store {
    pools: Arc<Pools>,
}

enum Pools {
    Sqlite(sqlite::Pools),
    Postgres(postgres::Pools),
}

impl Pools {
    fn connections_max(&self) -> u32 {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(pools) => pools.pool().options().get_max_connections(),
        }
    }
}

impl Store {
    /// Opens the database that `url` names: `sqlite://FILE` (made if it does not exist) or
    /// `postgres://USER@HOST/DATABASE`.
    ///
    /// # Errors
    /// [`ErrorKind::Open`] when the URL is of another kind, the file or the server
    /// cannot be reached, or the engine is too old; the message says how to mend it.
    ///
    /// # Cancel safety
    /// Nothing is left behind but possibly an empty file.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Options::new(url).open().await
    }

    /// Returns which database this is.
    pub fn dialect(&self) -> Dialect {
        match &*self.pools {
            Pools::Sqlite(_) => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Begins a transaction: `BEGIN IMMEDIATE` on SQLite (one writer at a time), `BEGIN` at READ COMMITTED on
    /// PostgreSQL.
    ///
    /// # Errors
    /// A transient error when no connection came free in 5 s or the server is away.
    ///
    /// # Cancel safety
    /// Safe at every await: a connection that may hold an open transaction is closed, never handed out again.
    pub async fn begin(&self) -> Result<Tx, Error> {
        tx::begin(&self.pools).await
    }

    /// Starts a statement that reads outside a transaction, each on a connection of its own.
    ///
    /// On SQLite the connections are read-only: write through [`begin`](Self::begin).
    pub fn query(&self, sql: &'static str) -> Query<'_> {
        Query::on_pool(&self.pools, sql)
    }

    /// Brings the tables of one migration set up to date, in one transaction under a lock.
    ///
    /// # Errors
    /// [`ErrorKind::Schema`] when an applied step was changed, or a newer release has
    /// migrated the database and no longer admits this one.
    ///
    /// # Cancel safety
    /// Safe: the transaction is rolled back.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<(), Error> {
        migrate::run(self, migrations).await
    }

    /// Opens a connection outside the pool and asks it `select 1`: whether the database answers at all.
    ///
    /// # Errors
    /// The reason why it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        match &*self.pools {
            Pools::Sqlite(pools) => pools.ping().await,
            Pools::Postgres(pools) => pools.ping().await,
        }
    }

    /// Returns the native pool for reading and autocommitted statements on PostgreSQL.
    pub fn postgres(&self) -> Option<&sqlx::PgPool> {
        match &*self.pools {
            Pools::Postgres(pools) => Some(pools.pool()),
            Pools::Sqlite(_) => None,
        }
    }

    /// Returns the native read-only pool on SQLite.
    pub fn sqlite(&self) -> Option<&sqlx::SqlitePool> {
        match &*self.pools {
            Pools::Sqlite(pools) => Some(pools.pool()),
            Pools::Postgres(_) => None,
        }
    }

    /// Closes every connection; statements that run are finished first.
    pub async fn close(&self) {
        match &*self.pools {
            Pools::Sqlite(pools) => pools.close().await,
            Pools::Postgres(pools) => pools.close().await,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("dialect", &self.dialect())
            .finish_non_exhaustive()
    }
}
