//! One statement for both databases: `$n` placeholders, values bound in order.

use super::row::Native;
use super::tx::{Conn, Native as Connection};
use super::value::Value;
use super::{Pools, Row, postgres, sqlite};
use crate::{Error, ErrorKind};

/// A statement with its parameters, run by one of the four last calls.
///
/// # Cancel safety
/// Dropping a running call inside a [`Tx`](super::Tx) leaves that transaction unusable; drop it too.
#[derive(Debug)]
#[must_use = "a query does nothing until it is executed or fetched"]
pub struct Query<'q> {
    sql: &'static str,
    values: Vec<Value>,
    target: Target<'q>,
}

enum Target<'q> {
    Conn(Conn<'q>),
    Pool(&'q Pools),
}

impl std::fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Conn(_) => "connection",
            Self::Pool(_) => "pool",
        })
    }
}

impl<'q> Query<'q> {
    pub(super) fn on_conn(conn: Conn<'q>, sql: &'static str) -> Self {
        Self {
            sql,
            values: Vec::new(),
            target: Target::Conn(conn),
        }
    }

    pub(super) fn on_pool(pools: &'q Pools, sql: &'static str) -> Self {
        Self {
            sql,
            values: Vec::new(),
            target: Target::Pool(pools),
        }
    }

    /// Binds the next placeholder.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs the statement and returns how many rows it touched.
    ///
    /// # Errors
    /// As the database says; [`Error::is_transient`] and [`Error::is_duplicate`] tell the common cases.
    pub async fn execute(self) -> Result<u64, Error> {
        let Self {
            sql,
            values,
            target,
        } = self;
        match target {
            Target::Conn(conn) => match conn.into_native() {
                Connection::Sqlite(conn) => sqlite::execute(conn, sql, values).await,
                Connection::Postgres(conn) => postgres::execute(conn, sql, values).await,
            },
            Target::Pool(Pools::Sqlite(pools)) => sqlite::execute(pools.pool(), sql, values).await,
            Target::Pool(Pools::Postgres(pools)) => {
                postgres::execute(pools.pool(), sql, values).await
            }
        }
    }

    /// Runs the statement and returns its rows.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn fetch_all(self) -> Result<Vec<Row>, Error> {
        let Self {
            sql,
            values,
            target,
        } = self;
        match target {
            Target::Conn(conn) => match conn.into_native() {
                Connection::Sqlite(conn) => sqlite::fetch(conn, sql, values).await.map(from_sqlite),
                Connection::Postgres(conn) => {
                    postgres::fetch(conn, sql, values).await.map(from_postgres)
                }
            },
            Target::Pool(Pools::Sqlite(pools)) => sqlite::fetch(pools.pool(), sql, values)
                .await
                .map(from_sqlite),
            Target::Pool(Pools::Postgres(pools)) => postgres::fetch(pools.pool(), sql, values)
                .await
                .map(from_postgres),
        }
    }

    /// Runs the statement and returns its first row, if any.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn fetch_optional(self) -> Result<Option<Row>, Error> {
        Ok(self.fetch_all().await?.into_iter().next())
    }

    /// Runs the statement and returns its first row.
    ///
    /// # Errors
    /// As [`execute`](Self::execute); [`ErrorKind::NotFound`] when there is no row.
    pub async fn fetch_one(self) -> Result<Row, Error> {
        let sql = self.sql;
        self.fetch_optional()
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no row answers `{sql}`")))
    }
}

fn from_sqlite(rows: Vec<sqlx::sqlite::SqliteRow>) -> Vec<Row> {
    rows.into_iter()
        .map(|row| Row(Native::Sqlite(row)))
        .collect()
}

fn from_postgres(rows: Vec<sqlx::postgres::PgRow>) -> Vec<Row> {
    rows.into_iter()
        .map(|row| Row(Native::Postgres(row)))
        .collect()
}
