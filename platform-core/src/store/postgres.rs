//! PostgreSQL: one pool with time-outs that fit leases, and what its errors mean.

use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, Executor, Postgres};

use super::options::{Options, without_password};
use super::value::{Value, micros};
use crate::{Error, ErrorKind};

/// `server_version_num` of the oldest server that the statements were tried on.
const OLDEST: i32 = 140_000;
const ACQUIRE: Duration = Duration::from_secs(5);

pub(super) struct Pools {
    pool: PgPool,
    connect: PgConnectOptions,
}

impl Pools {
    pub(super) async fn open(options: &Options) -> Result<Self, Error> {
        let url = without_password(&options.url);
        let mut connect = PgConnectOptions::from_str(&options.url)
            .map_err(|error| unopened(&url, error))?
            .statement_cache_capacity(256)
            // A dead peer must not hold locks for longer than a lease lasts.
            .options([("tcp_user_timeout", "8000")]);
        if let Some(schema) = &options.schema {
            check_schema_name(schema)?;
            connect = connect.options([("search_path", schema.as_str())]);
        }
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(ACQUIRE)
            .max_lifetime(Duration::from_secs(1_800))
            .idle_timeout(Duration::from_secs(600))
            .test_before_acquire(false)
            .connect_with(connect.clone())
            .await
            .map_err(|error| unopened(&url, error))?;
        let pools = Self { pool, connect };
        pools.check_server(options.schema.as_deref()).await?;
        Ok(pools)
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        self.pool
            .acquire()
            .await
            .map_err(|error| classify(error, "waiting for a connection"))
    }

    pub(super) async fn ping(&self) -> Result<(), Error> {
        let mut conn = PgConnection::connect_with(&self.connect)
            .await
            .map_err(|error| classify(error, "connecting"))?;
        control(&mut conn, "select 1").await?;
        conn.close()
            .await
            .map_err(|error| classify(error, "closing"))
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    async fn check_server(&self, schema: Option<&str>) -> Result<(), Error> {
        let asking = |error| classify(error, "asking the server's version");
        let (version, is_standby): (i32, bool) = sqlx::query_as(
            "select current_setting('server_version_num')::int, pg_is_in_recovery()",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(asking)?;
        if version < OLDEST {
            let message = format!(
                "PostgreSQL {} is too old; use 14 or later",
                version / 10_000
            );
            return Err(Error::new(ErrorKind::Open, message));
        }
        if is_standby {
            let message = "this server is a standby, which shows no locks; connect to the primary";
            return Err(Error::new(ErrorKind::Open, message));
        }
        if let Some(schema) = schema {
            let sql = format!("create schema if not exists \"{schema}\"");
            let made = self.pool.execute(sqlx::AssertSqlSafe(sql)).await;
            // Two that come at once: the second finds the name taken.
            if let Err(error) = made.map_err(|error| classify(error, "making the schema"))
                && !error.is_duplicate()
            {
                return Err(error);
            }
        }
        Ok(())
    }
}

/// The name goes into SQL text, so only plain identifiers are let through.
fn check_schema_name(name: &str) -> Result<(), Error> {
    let is_plain = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Open,
        format!(
            "`{name}` cannot be a schema's name; use a to z, 0 to 9 and _, at most 63, a letter first"
        ),
    ))
}

fn unopened(url: &str, error: sqlx::Error) -> Error {
    Error::new(
        ErrorKind::Open,
        format!("cannot open the PostgreSQL database of `{url}`; check that it runs and lets this user in"),
    )
    .with_source(error)
}

/// Runs a statement that begins or ends a transaction.
pub(super) async fn control(conn: &mut PgConnection, sql: &'static str) -> Result<(), Error> {
    conn.execute(sql)
        .await
        .map(drop)
        .map_err(|error| classify(error, sql))
}

pub(super) async fn script(conn: &mut PgConnection, sql: &'static str) -> Result<(), Error> {
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
    E: Executor<'e, Database = Postgres>,
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
) -> Result<Vec<PgRow>, Error>
where
    E: Executor<'e, Database = Postgres>,
{
    bound(sql, values)
        .fetch_all(to)
        .await
        .map_err(|error| classify(error, sql))
}

fn bound(sql: &'static str, values: Vec<Value>) -> Query<'static, Postgres, PgArguments> {
    values
        .into_iter()
        .fold(sqlx::query(sql), |query, value| match value {
            Value::Bool(value) => query.bind(value),
            Value::Int(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
            Value::Uuid(value) => query.bind(value),
            Value::Time(value) => query.bind(value),
            Value::Span(value) => query.bind(value.map(|span| PgInterval {
                months: 0,
                days: 0,
                microseconds: micros(span),
            })),
        })
}

/// Says what an error of PostgreSQL means for the caller; `place` is the statement or step.
pub(crate) fn classify(error: sqlx::Error, place: &str) -> Error {
    let (kind, what) = kind(&error);
    Error::new(kind, format!("{what} ({})", first_line(place))).with_source(error)
}

/// Returns the kind of an error and what it means in words.
pub(crate) fn kind(error: &sqlx::Error) -> (ErrorKind, &'static str) {
    let code = match error {
        sqlx::Error::Database(error) => error.code().map(|code| code.into_owned()),
        _ => None,
    };
    match (code.as_deref(), error) {
        (Some("23505" | "42P06"), _) => (ErrorKind::Duplicate, "the row exists already"),
        (Some("25P02"), _) => (
            ErrorKind::Statement,
            "an earlier statement of this transaction failed and its error was swallowed; return it",
        ),
        (Some("40001" | "40P01" | "55P03"), _) => {
            (ErrorKind::Conflict, "another transaction was in the way")
        }
        (Some("42P01"), _) => (
            ErrorKind::Schema,
            "a table is missing; run the migrations first",
        ),
        (Some("25P03" | "57P01" | "57P02" | "57P03" | "57P05" | "53300"), _) => (
            ErrorKind::Unavailable,
            "the server closed or refused the connection",
        ),
        (Some(code), _) if code.starts_with("08") => {
            (ErrorKind::Unavailable, "the connection failed")
        }
        (Some(code), _) if code.starts_with("53") => {
            (ErrorKind::Unavailable, "the server is out of a resource")
        }
        (Some(_), _) => (ErrorKind::Statement, "the database refused a statement"),
        (_, sqlx::Error::RowNotFound) => (ErrorKind::NotFound, "no row was found"),
        (_, sqlx::Error::PoolTimedOut) => {
            (ErrorKind::Unavailable, "no connection came free in 5 s")
        }
        (
            _,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed,
        ) => (ErrorKind::Unavailable, "the connection failed"),
        _ => (ErrorKind::Statement, "a value could not be read or bound"),
    }
}

fn first_line(sql: &str) -> &str {
    sql.trim().lines().next().unwrap_or_default()
}
