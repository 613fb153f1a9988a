//! SQLite: one writer connection, a few readers, and what its errors mean.

use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Connection, Executor, Sqlite};

use super::options::Options;
use super::value::{Value, micros};
use crate::{Error, ErrorKind};

/// Older releases can lose committed transactions when commits race checkpoints.
const OLDEST: (u32, u32, u32) = (3, 51, 3);
const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);

pub(super) struct Pools {
    writer: SqlitePool,
    reader: SqlitePool,
    connect: SqliteConnectOptions,
}

impl Pools {
    pub(super) async fn open(options: &Options) -> Result<Self, Error> {
        let url = &options.url;
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(Error::new(
                ErrorKind::Open,
                format!("`{url}` keeps nothing; name a file, such as sqlite://service.db"),
            ));
        }
        let connect = SqliteConnectOptions::from_str(url)
            .map_err(|error| unopened(url, error))?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(if options.is_durable {
                SqliteSynchronous::Full
            } else {
                SqliteSynchronous::Off
            })
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .statement_cache_capacity(256)
            .create_if_missing(true);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(connect.clone())
            .await
            .map_err(|error| unopened(url, error))?;
        check_version(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            .test_before_acquire(false)
            .connect_with(connect.clone().read_only(true).create_if_missing(false))
            .await
            .map_err(|error| unopened(url, error))?;
        Ok(Self {
            writer,
            reader,
            connect,
        })
    }

    pub(super) fn pool(&self) -> &SqlitePool {
        &self.reader
    }

    pub(super) async fn acquire(&self) -> Result<PoolConnection<Sqlite>, Error> {
        self.writer
            .acquire()
            .await
            .map_err(|error| classify(error, "waiting for the writer"))
    }

    pub(super) async fn ping(&self) -> Result<(), Error> {
        let mut conn = SqliteConnection::connect_with(&self.connect)
            .await
            .map_err(|error| classify(error, "connecting"))?;
        control(&mut conn, "select 1").await?;
        conn.close()
            .await
            .map_err(|error| classify(error, "closing"))
    }

    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

async fn check_version(pool: &SqlitePool) -> Result<(), Error> {
    let version: String = sqlx::query_scalar("select sqlite_version()")
        .fetch_one(pool)
        .await
        .map_err(|error| classify(error, "asking the version"))?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST {
        let (major, minor, patch) = OLDEST;
        return Err(Error::new(
            ErrorKind::Open,
            format!(
                "SQLite {version} can lose commits; build with libsqlite3-sys 0.37 or later, which bundles \
                 {major}.{minor}.{patch}"
            ),
        ));
    }
    Ok(())
}

fn unopened(url: &str, error: sqlx::Error) -> Error {
    Error::new(
        ErrorKind::Open,
        format!(
            "cannot open the SQLite file of `{url}`; check that its folder exists and is writable"
        ),
    )
    .with_source(error)
}

/// Runs a statement that begins or ends a transaction.
pub(super) async fn control(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), Error> {
    conn.execute(sql)
        .await
        .map(drop)
        .map_err(|error| classify(error, sql))
}

pub(super) async fn script(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), Error> {
    sqlx::raw_sql(sql)
        .execute(conn)
        .await
        .map(drop)
        .map_err(|error| classify(error, sql))
}

pub(super) async fn execute<'e, E>(
    to: E,
    sql: &'static str,
    values: Vec<Value>,
) -> Result<u64, Error>
where
    E: Executor<'e, Database = Sqlite>,
{
    let done = bound(sql, values)
        .execute(to)
        .await
        .map_err(|error| classify(error, sql))?;
    Ok(done.rows_affected())
}

pub(super) async fn fetch<'e, E>(
    to: E,
    sql: &'static str,
    values: Vec<Value>,
) -> Result<Vec<SqliteRow>, Error>
where
    E: Executor<'e, Database = Sqlite>,
{
    bound(sql, values)
        .fetch_all(to)
        .await
        .map_err(|error| classify(error, sql))
}

fn bound(sql: &'static str, values: Vec<Value>) -> Query<'static, Sqlite, SqliteArguments> {
    values
        .into_iter()
        .fold(sqlx::query(sql), |query, value| match value {
            Value::Bool(value) => query.bind(value),
            Value::Int(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
            Value::Uuid(value) => query.bind(value),
            Value::Time(value) => query.bind(value.map(|time| time.timestamp_micros())),
            Value::Span(value) => query.bind(value.map(micros)),
        })
}

/// Says what an error of SQLite means for the caller; `place` is the statement or step.
pub(crate) fn classify(error: sqlx::Error, place: &str) -> Error {
    let (kind, what) = kind(&error);
    Error::new(kind, format!("{what} ({})", first_line(place))).with_source(error)
}

/// Returns the kind of an error and what it means in words.
pub(crate) fn kind(error: &sqlx::Error) -> (ErrorKind, &'static str) {
    let code = match error {
        sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<u32>().ok()),
        _ => None,
    };
    match (code, code.map(|code| code & 0xff), error) {
        (Some(1555 | 2067), ..) => (ErrorKind::Duplicate, "the row exists already"),
        (Some(517), ..) => (
            ErrorKind::Conflict,
            "another write came first; begin with BEGIN IMMEDIATE when a transaction will write",
        ),
        (_, Some(5 | 6), _) => (
            ErrorKind::Conflict,
            "the database is busy with another writer",
        ),
        (_, Some(14), _) => (ErrorKind::Open, "the database file cannot be opened"),
        (_, Some(10 | 13), _) => (ErrorKind::Unavailable, "the disk failed or is full"),
        (_, Some(8), _) => (
            ErrorKind::Statement,
            "this connection only reads; write through begin()",
        ),
        (Some(_), ..) if error.to_string().contains("no such table") => (
            ErrorKind::Schema,
            "a table is missing; run the migrations first",
        ),
        (Some(_), ..) => (ErrorKind::Statement, "the database refused a statement"),
        (.., sqlx::Error::RowNotFound) => (ErrorKind::NotFound, "no row was found"),
        (.., sqlx::Error::PoolTimedOut) => (
            ErrorKind::Unavailable,
            "no connection came free in 5 s; a transaction may be held open elsewhere",
        ),
        (.., sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed) => {
            (ErrorKind::Unavailable, "the connection failed")
        }
        _ => (ErrorKind::Statement, "a value could not be read or bound"),
    }
}

fn first_line(sql: &str) -> &str {
    sql.trim().lines().next().unwrap_or_default()
}
