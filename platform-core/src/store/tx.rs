//! The transaction guard and the borrowed connection.
//!
//! A connection whose transaction did not end for certain is closed, never returned to the pool: sqlx 0.9.0
//! hands out a stale transaction after a cancelled `begin`, and keeps a pool permit for ever when a dead
//! connection is dropped.

use std::fmt;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection};

use super::{Dialect, Pools, Query, postgres, sqlite};
use crate::{Error, ErrorKind};

/// An open transaction. Dropped without [`commit`](Self::commit) it is rolled back by closing its connection.
pub struct Tx {
    held: Held,
    is_open: bool,
    course: Course,
}

/// What has happened in a transaction so far.
#[derive(Default)]
struct Course {
    hooks: Vec<Hook>,
    /// A statement was refused: PostgreSQL would commit nothing after it, so SQLite shall not either.
    is_broken: bool,
}

enum Held {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

type Hook = Box<dyn FnOnce() + Send>;

/// A borrowed connection: a [`Tx`], or one of the service's own sqlx transactions.
pub struct Conn<'c> {
    native: Native<'c>,
    course: Option<&'c mut Course>,
}

/// The driver's own connection behind a [`Conn`].
#[derive(Debug)]
pub enum Native<'c> {
    /// A SQLite connection.
    Sqlite(&'c mut SqliteConnection),
    /// A PostgreSQL connection.
    Postgres(&'c mut PgConnection),
}

pub(super) async fn begin(pools: &Pools) -> Result<Tx, Error> {
    let mut tries = pools.connections_max();
    loop {
        let held = match pools {
            Pools::Sqlite(pools) => Held::Sqlite(pools.acquire().await?),
            Pools::Postgres(pools) => Held::Postgres(pools.acquire().await?),
        };
        let mut tx = Tx {
            held,
            is_open: true,
            course: Course::default(),
        };
        let begun = match &mut tx.held {
            Held::Sqlite(conn) => sqlite::control(conn, "BEGIN IMMEDIATE").await,
            Held::Postgres(conn) => {
                postgres::control(conn, "BEGIN ISOLATION LEVEL READ COMMITTED").await
            }
        };
        match begun {
            Ok(()) => return Ok(tx),
            // The server was restarted and the pool still holds its dead connections; this one is gone now.
            Err(error) if error.kind() == ErrorKind::Unavailable && tries > 0 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
}

impl Tx {
    /// Starts a statement in this transaction.
    pub fn query(&mut self, sql: &'static str) -> Query<'_> {
        Query::on_conn(self.conn(), sql)
    }

    /// Borrows the connection in the form that the platform's own calls take.
    pub fn conn(&mut self) -> Conn<'_> {
        let native = match &mut self.held {
            Held::Sqlite(conn) => Native::Sqlite(conn),
            Held::Postgres(conn) => Native::Postgres(conn),
        };
        Conn {
            native,
            course: Some(&mut self.course),
        }
    }

    /// Returns the native PostgreSQL connection, if this is one.
    pub fn postgres(&mut self) -> Option<&mut PgConnection> {
        match &mut self.held {
            Held::Postgres(conn) => Some(conn),
            Held::Sqlite(_) => None,
        }
    }

    /// Returns the native SQLite connection, if this is one.
    pub fn sqlite(&mut self) -> Option<&mut SqliteConnection> {
        match &mut self.held {
            Held::Sqlite(conn) => Some(conn),
            Held::Postgres(_) => None,
        }
    }

    /// Returns which database this is.
    pub fn dialect(&self) -> Dialect {
        match &self.held {
            Held::Sqlite(_) => Dialect::Sqlite,
            Held::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Calls `hook` right after the commit has succeeded; never after a rollback.
    pub fn on_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.course.hooks.push(Box::new(hook));
    }

    /// Commits.
    ///
    /// # Errors
    /// A transient error leaves open whether the commit took place; everything written must be safe to repeat.
    ///
    /// # Cancel safety
    /// The same: dropped while it runs, the outcome is unknown and the connection is closed.
    pub async fn commit(mut self) -> Result<(), Error> {
        match &mut self.held {
            Held::Sqlite(_) if self.course.is_broken => {
                self.rollback().await?;
                return Err(swallowed());
            }
            Held::Sqlite(conn) => sqlite::control(conn, "COMMIT").await?,
            // Alone, the commit of a transaction that a swallowed error has aborted would report success.
            Held::Postgres(conn) => postgres::script(conn, "select 1; COMMIT").await?,
        }
        self.is_open = false;
        for hook in std::mem::take(&mut self.course.hooks) {
            hook();
        }
        Ok(())
    }

    /// Rolls back and keeps the connection for others.
    ///
    /// # Errors
    /// Those of the connection; the transaction is undone all the same.
    pub async fn rollback(mut self) -> Result<(), Error> {
        match &mut self.held {
            Held::Sqlite(conn) => sqlite::control(conn, "ROLLBACK").await?,
            Held::Postgres(conn) => postgres::control(conn, "ROLLBACK").await?,
        }
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.is_open {
            match &mut self.held {
                Held::Sqlite(conn) => conn.close_on_drop(),
                Held::Postgres(conn) => conn.close_on_drop(),
            }
        }
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("dialect", &self.dialect())
            .finish_non_exhaustive()
    }
}

impl<'c> Conn<'c> {
    /// Starts a statement on this connection.
    pub fn query(&mut self, sql: &'static str) -> Query<'_> {
        Query::on_conn(self.reborrow(), sql)
    }

    /// Borrows the connection again for a shorter time.
    pub fn reborrow(&mut self) -> Conn<'_> {
        let native = match &mut self.native {
            Native::Sqlite(conn) => Native::Sqlite(conn),
            Native::Postgres(conn) => Native::Postgres(conn),
        };
        Conn {
            native,
            course: self.course.as_deref_mut(),
        }
    }

    /// Returns the driver's own connection.
    pub fn into_native(self) -> Native<'c> {
        self.native
    }

    /// Answers whether this is a [`Tx`], whose begin and commit are ours to see.
    pub fn is_tx(&self) -> bool {
        self.course.is_some()
    }

    /// Calls `hook` after the commit if this is a [`Tx`]; a foreign commit cannot be seen.
    pub fn on_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        if let Some(course) = &mut self.course {
            course.hooks.push(Box::new(hook));
        }
    }

    /// Splits the driver's connection from the note that a statement on it was refused.
    pub(super) fn parts(self) -> (Native<'c>, Breakage<'c>) {
        (self.native, Breakage(self.course))
    }
}

/// Takes note of refused statements of a transaction.
pub(super) struct Breakage<'c>(Option<&'c mut Course>);

impl Breakage<'_> {
    /// Notes how a statement went. Going back to a savepoint mends what was broken since.
    pub(super) fn note(self, sql: &str, is_done: bool) {
        let Some(course) = self.0 else { return };
        let is_rollback = sql
            .trim_start()
            .get(..8)
            .is_some_and(|word| word.eq_ignore_ascii_case("rollback"));
        if !is_done {
            course.is_broken = true;
        } else if is_rollback {
            course.is_broken = false;
        }
    }
}

fn swallowed() -> Error {
    Error::new(
        ErrorKind::Statement,
        "an earlier statement of this transaction failed and its error was swallowed; return it",
    )
}

impl fmt::Debug for Conn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.native {
            Native::Sqlite(_) => "sqlite connection",
            Native::Postgres(_) => "postgres connection",
        })
    }
}

impl<'c> From<&'c mut Tx> for Conn<'c> {
    fn from(tx: &'c mut Tx) -> Self {
        tx.conn()
    }
}

impl<'c> From<&'c mut SqliteConnection> for Conn<'c> {
    fn from(conn: &'c mut SqliteConnection) -> Self {
        Self {
            native: Native::Sqlite(conn),
            course: None,
        }
    }
}

impl<'c> From<&'c mut PgConnection> for Conn<'c> {
    fn from(conn: &'c mut PgConnection) -> Self {
        Self {
            native: Native::Postgres(conn),
            course: None,
        }
    }
}
