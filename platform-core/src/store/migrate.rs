//! Brings the tables of one crate or service up to date, in one transaction under a lock.
//!
//! Each set keeps its own numbering in `platform_migration`. A release only adds; every applied step says which
//! library version it still admits, so that old and new processes run side by side.

use super::{Dialect, Native, Store, Tx, postgres, sqlite};
use crate::{Error, ErrorKind, Key};

/// An ordered list of schema steps that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Migrations {
    /// The name of the set: a crate's or a service's.
    pub set: &'static str,
    /// The steps in order; a step that was released never changes.
    pub steps: &'static [Step],
}

/// One schema step, with its SQL for each database.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Its number, counting from 1 without gaps.
    pub version: u32,
    /// What it does, in a word or two.
    pub name: &'static str,
    /// The least version that a library must know to work on the schema after this step.
    pub admits: u32,
    /// The statements for SQLite.
    pub sqlite: &'static str,
    /// The statements for PostgreSQL.
    pub postgres: &'static str,
}

const TABLE_SQLITE: &str = "create table if not exists platform_migration (
    set_name text not null, version integer not null, name text not null, admits integer not null,
    checksum blob not null, recorded_at integer not null default (unixepoch() * 1000000),
    primary key (set_name, version)) without rowid";
const TABLE_POSTGRES: &str = "create table if not exists platform_migration (
    set_name text not null, version integer not null, name text not null, admits integer not null,
    checksum uuid not null, recorded_at timestamptz not null default clock_timestamp(),
    primary key (set_name, version))";
/// One lock for all sets of a database; the number is the text `platform` hashed once.
const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('platform_migration', 0))";
const APPLIED: &str =
    "select version, admits, checksum from platform_migration where set_name = $1 order by version";
const RECORD: &str = "insert into platform_migration (set_name, version, name, admits, checksum)
    values ($1, $2, $3, $4, $5)";

/// The clock that every statement reads, with an offset row that only tests write.
pub(super) const CLOCK: Migrations = Migrations {
    set: "platform-core",
    steps: &[Step {
        version: 1,
        name: "clock",
        admits: 1,
        sqlite: include_str!("../../migrations/sqlite/0001_clock.sql"),
        postgres: include_str!("../../migrations/postgres/0001_clock.sql"),
    }],
};

pub(super) async fn run(store: &Store, migrations: &Migrations) -> Result<(), Error> {
    let mut tx = store.begin().await?;
    lock(&mut tx).await?;
    for set in [&CLOCK, migrations] {
        apply(&mut tx, set).await?;
    }
    tx.commit().await
}

async fn lock(tx: &mut Tx) -> Result<(), Error> {
    match tx.conn().into_native() {
        Native::Sqlite(conn) => sqlite::script(conn, TABLE_SQLITE).await,
        Native::Postgres(conn) => {
            postgres::script(conn, LOCK).await?;
            postgres::script(conn, TABLE_POSTGRES).await
        }
    }
}

async fn apply(tx: &mut Tx, migrations: &Migrations) -> Result<(), Error> {
    check(migrations)?;
    let dialect = tx.dialect();
    let applied = tx.query(APPLIED).bind(migrations.set).fetch_all().await?;
    let newest = i64::from(migrations.steps.last().map_or(0, |step| step.version));
    for row in &applied {
        let (version, admits): (i64, i64) = (row.get("version")?, row.get("admits")?);
        if admits > newest {
            return Err(outdated(migrations.set, newest, admits));
        }
        let step = migrations
            .steps
            .iter()
            .find(|step| i64::from(step.version) == version);
        if let Some(step) = step
            && row.get::<Key>("checksum")? != checksum(step, dialect)
        {
            return Err(changed(migrations.set, step));
        }
    }
    for step in &migrations.steps[applied.len().min(migrations.steps.len())..] {
        match tx.conn().into_native() {
            Native::Sqlite(conn) => sqlite::script(conn, step.sqlite).await?,
            Native::Postgres(conn) => postgres::script(conn, step.postgres).await?,
        }
        tx.query(RECORD)
            .bind(migrations.set)
            .bind(step.version)
            .bind(step.name)
            .bind(step.admits)
            .bind(checksum(step, dialect))
            .execute()
            .await?;
    }
    Ok(())
}

/// Steps are applied by their number, so none may be left out.
fn check(migrations: &Migrations) -> Result<(), Error> {
    for (at, step) in (1..).zip(migrations.steps) {
        let Step { version, name, .. } = step;
        if *version != at {
            let set = migrations.set;
            return Err(Error::new(
                ErrorKind::Schema,
                format!(
                    "step {version} ({name}) of {set} stands where step {at} belongs; count from 1 without gaps, \
                     and keep the steps that were applied"
                ),
            ));
        }
    }
    Ok(())
}

fn checksum(step: &Step, dialect: Dialect) -> Key {
    let sql = match dialect {
        Dialect::Sqlite => step.sqlite,
        Dialect::Postgres => step.postgres,
    };
    Key::of("migration", &[sql.as_bytes()])
}

fn outdated(set: &str, newest: i64, admits: i64) -> Error {
    Error::new(
        ErrorKind::Schema,
        format!(
            "the database's {set} tables admit libraries from schema version {admits} on, this one knows \
             {newest}; deploy a newer release of {set}"
        ),
    )
}

fn changed(set: &str, step: &Step) -> Error {
    let Step { version, name, .. } = step;
    Error::new(
        ErrorKind::Schema,
        format!(
            "step {version} ({name}) of {set} was changed after it had been applied; restore its text and \
             put the change into a new step"
        ),
    )
}
