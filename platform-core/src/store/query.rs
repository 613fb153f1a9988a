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
        check(sql, values.len())?;
        match target {
            Target::Conn(conn) => {
                let (native, breakage) = conn.parts();
                let done = match native {
                    Connection::Sqlite(conn) => sqlite::execute(conn, sql, values).await,
                    Connection::Postgres(conn) => postgres::execute(conn, sql, values).await,
                };
                breakage.note(sql, done.is_ok());
                done
            }
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
        check(sql, values.len())?;
        match target {
            Target::Conn(conn) => {
                let (native, breakage) = conn.parts();
                let done = match native {
                    Connection::Sqlite(conn) => {
                        sqlite::fetch(conn, sql, values).await.map(from_sqlite)
                    }
                    Connection::Postgres(conn) => {
                        postgres::fetch(conn, sql, values).await.map(from_postgres)
                    }
                };
                breakage.note(sql, done.is_ok());
                done
            }
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

/// Both databases take a wrong number of values in their own way: one writes nulls, the other drops the
/// connection.
fn check(sql: &str, bound: usize) -> Result<(), Error> {
    let wanted = placeholders(sql);
    if wanted == bound {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Statement,
        format!("the statement has {wanted} placeholders, and {bound} values were bound: {sql}"),
    ))
}

/// The greatest `$n` outside of quotation marks and comments.
fn placeholders(sql: &str) -> usize {
    let (mut most, mut rest) = (0, sql);
    while let Some(at) = rest.find(['$', '\'', '"', '-', '/']) {
        rest = &rest[at..];
        let end = match rest.as_bytes() {
            // A doubled quotation mark ends one text and begins the next.
            [b'\'', ..] => rest[1..].find('\'').map(|end| end + 2),
            [b'"', ..] => rest[1..].find('"').map(|end| end + 2),
            [b'-', b'-', ..] => rest.find('\n'),
            [b'/', b'*', ..] => rest.find("*/").map(|end| end + 2),
            [b'$', digits @ ..] => {
                let count = digits
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit())
                    .count();
                let number: usize = rest[1..=count].parse().unwrap_or(0);
                most = most.max(number);
                Some(count + 1)
            }
            _ => Some(1),
        };
        rest = end.map_or("", |end| &rest[end..]);
    }
    most
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

#[cfg(test)]
mod tests {
    use super::placeholders;

    #[test]
    fn placeholders_are_counted_by_their_greatest_number() {
        for (sql, expected) in [
            ("select 1", 0),
            ("select $1, $2", 2),
            ("select $2, $1, $2", 2),
            ("select '$9', $1, 'it''s $7'", 1),
            ("select $12::text", 12),
            ("select '{$.a}', x", 0),
            ("select 1 -- it's $3\n where x = $1", 1),
            ("select 1 /* it's $3 */ + $2 - $1 / 2", 2),
            ("select \"it's $4\", 'a -- $5', $1", 1),
            ("select 1 -- the end's $9", 0),
        ] {
            assert_eq!(placeholders(sql), expected, "{sql}");
        }
    }
}
