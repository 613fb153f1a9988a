//! The log: one append-only table that everything else reads.
//!
//! Appending happens in the caller's transaction and nowhere else; reading goes up to a bound below which every
//! position is decided. The two files beside this one hold the same functions in the same order. Nothing here
//! knows groups or handlers.

mod postgres;
mod sqlite;

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use platform_core::store::{Conn, Dialect, Native};
use platform_core::{Key, Store};
use sha2::Sha256;

use crate::envelope::Envelope;
use crate::{Error, ErrorKind};

/// How many hash partitions a log of this generation has.
pub(crate) const LANES: u8 = 16;
/// The lane of a group that reads the whole log in one line.
pub(crate) const WHOLE: i16 = -1;
/// The most rows of one lane that a read covers, before the type filter.
pub(crate) const READ_MAX: i64 = 1_000;

/// The most bytes of payloads that a read of one lane brings, beyond its first event: 16 lanes of every group
/// are in memory at the same time.
pub(crate) const READ_BYTES: i64 = 1024 * 1024;

/// A position in the log: a row's number. Numbers grow, with holes.
pub(crate) type Position = i64;

/// An event on its way into the log, every column decided.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) id_key: Key,
    pub(crate) content_hash: Vec<u8>,
    pub(crate) key: Key,
    pub(crate) lane: i16,
    pub(crate) kind: String,
    pub(crate) tenant: String,
    pub(crate) correlation_id: String,
    pub(crate) causation_id: Option<String>,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) depth: i16,
    pub(crate) is_muted: bool,
    /// The trust scope that it was received under; empty for an event of this service.
    pub(crate) origin: String,
    /// Received after its gap had been passed.
    pub(crate) is_late: bool,
    pub(crate) attributes: String,
    pub(crate) data: Bytes,
    /// Published by a handler under an id of its cause: known means handled before.
    pub(crate) is_caused: bool,
    /// The change of an entity, whose id is its version: known means that the version was used twice.
    pub(crate) is_change: bool,
}

/// What became of one appended record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It stands in the log at this position once the transaction commits.
    New(Position),
    /// Its id was there before, with this content hash (none once erased).
    Known(Position, Option<Vec<u8>>),
}

/// One event read from the log.
#[derive(Debug, Clone)]
pub(crate) struct LogRow {
    pub(crate) seq: Position,
    pub(crate) key: Key,
    pub(crate) kind: String,
    pub(crate) tenant: String,
    /// The trust scope that it was received under; empty for an event of this service.
    pub(crate) origin: String,
    pub(crate) is_muted: bool,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) attributes: String,
    pub(crate) data: Bytes,
}

impl Record {
    pub(crate) fn envelope(&self) -> Result<Envelope, Error> {
        Envelope::from_parts(&self.attributes, self.data.clone())
            .map_err(|error| Error::invalid("a published event cannot be read").with_source(error))
    }
}

impl LogRow {
    pub(crate) fn envelope(&self) -> Result<Envelope, Error> {
        Envelope::from_parts(&self.attributes, self.data.clone()).map_err(|error| {
            Error::new(
                ErrorKind::InvalidEvent,
                format!("the event at position {} cannot be read", self.seq),
            )
            .with_source(error)
        })
    }
}

/// What one read of a lane covered: the matching rows and how far it looked.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) rows: Vec<LogRow>,
    /// The position of the last row looked at; nothing when the lane had none.
    pub(crate) covered: Option<Position>,
}

/// How far the log can be read, and who holds it back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bound {
    /// Every number up to here is decided: its row is visible or never will be.
    pub(crate) position: Position,
    /// The last number drawn.
    pub(crate) last: Position,
    /// Whoever keeps `position` below `last`.
    pub(crate) holder: Option<Holder>,
}

/// A transaction that has published and stays open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The server process; nothing for a prepared transaction.
    pub(crate) pid: Option<i32>,
    /// Its `application_name`, or the name of the prepared transaction.
    pub(crate) application: String,
    /// Since when the transaction is open.
    pub(crate) since: Option<DateTime<Utc>>,
}

/// The log of one store.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    store: Store,
    secret: Secret,
    backend: Backend,
}

/// What the content hashes are keyed with. It never leaves the process in words.
#[derive(Clone)]
struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[derive(Clone, Debug)]
enum Backend {
    Sqlite,
    Postgres(postgres::Statements),
}

const SECRET: &str = "select value from platform_meta where name = 'secret'";

impl Log {
    /// Opens the log of a migrated store.
    pub(crate) async fn open(store: &Store) -> Result<Self, Error> {
        let secret: String = store.query(SECRET).fetch_one().await?.get("value")?;
        let backend = match store.dialect() {
            Dialect::Sqlite => sqlite::open(store).await?,
            Dialect::Postgres => postgres::open(store).await?,
        };
        Ok(Self {
            store: store.clone(),
            secret: Secret(secret.into_bytes()),
            backend,
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Hashes an event's content with the log's secret, so that the hash gives no personal value away.
    pub(crate) fn content_hash(&self, fields: &[&[u8]]) -> Vec<u8> {
        // A key of any length is admitted (RFC 2104, section 2), so there is no error to carry.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret.0) else {
            return Vec::new();
        };
        for field in fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        mac.finalize().into_bytes().to_vec()
    }

    /// Appends `records` in their order, in the caller's transaction.
    ///
    /// The first append of a transaction registers its floor before it draws a number. A transaction that
    /// stays open for a minute after it is ended by the server.
    pub(crate) async fn append(
        &self,
        conn: Conn<'_>,
        records: &[Record],
    ) -> Result<Vec<Appended>, Error> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        match (conn.into_native(), &self.backend) {
            (Native::Sqlite(conn), Backend::Sqlite) => sqlite::append(conn, records).await,
            (Native::Postgres(conn), Backend::Postgres(statements)) => {
                let pool = self.store.postgres();
                postgres::append(statements, pool, conn, records).await
            }
            _ => Err(Error::new(
                ErrorKind::NotInTransaction,
                "the connection belongs to another kind of database than the log; pass one of the same store",
            )),
        }
    }

    /// Answers whether a connection that came from outside is in a transaction.
    pub(crate) async fn is_in_transaction(&self, conn: Conn<'_>) -> Result<bool, Error> {
        match conn.into_native() {
            Native::Sqlite(conn) => sqlite::is_in_transaction(conn).await,
            Native::Postgres(conn) => postgres::is_in_transaction(conn).await,
        }
    }

    /// Looks how far the log can be read.
    pub(crate) async fn bound(&self) -> Result<Bound, Error> {
        match &self.backend {
            Backend::Sqlite => sqlite::bound(&self.store).await,
            Backend::Postgres(statements) => postgres::bound(statements, &self.store).await,
        }
    }

    /// Reads on in several lanes, each from its position (exclusive) up to `bound` (inclusive): at most
    /// [`READ_MAX`] rows and [`READ_BYTES`] of each lane, and of those rows only the ones whose type is `like` one
    /// of the texts.
    pub(crate) async fn read(
        &self,
        lanes: &[(i16, Position)],
        bound: Position,
        like: &[String],
    ) -> Result<Vec<(i16, Chunk)>, Error> {
        match &self.backend {
            Backend::Sqlite => sqlite::read(&self.store, lanes, bound, like).await,
            Backend::Postgres(_) => postgres::read(&self.store, lanes, bound, like).await,
        }
    }

    /// Reads position and type of the events of one key after `from` up to `to` (inclusive), in order.
    pub(crate) async fn followers(
        &self,
        conn: Conn<'_>,
        key: Key,
        (from, to): (Position, Position),
    ) -> Result<Vec<(Position, String)>, Error> {
        match conn.into_native() {
            Native::Sqlite(conn) => sqlite::followers(conn, key, from, to).await,
            Native::Postgres(conn) => postgres::followers(conn, key, from, to).await,
        }
    }

    /// Reads one row.
    pub(crate) async fn at(&self, seq: Position) -> Result<Option<LogRow>, Error> {
        match &self.backend {
            Backend::Sqlite => sqlite::at(&self.store, seq).await,
            Backend::Postgres(_) => postgres::at(&self.store, seq).await,
        }
    }
}
