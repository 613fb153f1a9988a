//! What a row of a file becomes: a business object with a table of its own.
//!
//! The import is written once over this trait; each kind of object says here what only it can know.

use chrono::{DateTime, Utc};
use platform_core::store::{Dialect, Query, Row};
use platform_core::{Entity, Error, TenantId, Tx};
use serde::Serialize;

use crate::import::{Cells, Refusal};

/// A kind of object that can be imported.
pub(crate) trait Record: Entity {
    /// The columns that a file of this kind has, in any order.
    const COLUMNS: &'static [&'static str];

    /// Takes a row of a file, as version 1.
    fn of(cells: &Cells<'_>) -> Result<Self, Refusal>;

    /// Names the object.
    fn key(&self) -> Key<'_>;

    /// The statement that reads the objects of a JSON list of keys, and locks them until the commit.
    fn locking(dialect: Dialect) -> &'static str;

    /// Reads a row of the table.
    fn read(row: &Row) -> Result<Self, Error>;

    /// Adds what the file does not say and other tables know.
    async fn complete(_rows: &mut [Self], _tx: &mut Tx) -> Result<(), Error> {
        Ok(())
    }

    /// The next version of `old` as this row says it; nothing when the row says nothing new.
    fn over(&self, old: &Self) -> Option<Self>;

    /// The type of the event that tells the change from `old`.
    fn event_type(&self, old: &Self) -> &'static str;

    /// When the change happened, if the row says so.
    fn happened_at(&self, event_type: &str) -> Option<DateTime<Utc>>;

    /// Writes the object if the table holds the version before this one, or none.
    fn save<'t>(&self, tx: &'t mut Tx) -> Query<'t>;
}

/// Names an object among its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Key<'k> {
    pub(crate) tenant: &'k TenantId,
    pub(crate) id: &'k str,
}

impl Key<'_> {
    /// Writes keys as the parameter of a [`for_keys`] statement.
    pub(crate) fn list(keys: &[Key<'_>]) -> Result<String, Error> {
        serde_json::to_string(keys)
            .map_err(|error| Error::invalid("a key is no JSON").with_source(error))
    }
}

/// Writes one statement for both databases that meets the keys of a JSON list, `$1`, as `given.value`.
macro_rules! for_keys {
    (sqlite: $select:literal, $from:literal, $on:literal) => {
        concat!(
            $select,
            " from json_each($1) as given join ",
            $from,
            " on ",
            $on
        )
    };
    (postgres: $select:literal, $from:literal, $on:literal) => {
        concat!(
            $select,
            " from json_array_elements(cast($1 as json)) as given(value) join ",
            $from,
            " on ",
            $on
        )
    };
}
pub(crate) use for_keys;

/// A version as a column holds it.
pub(crate) fn version_of(row: &Row) -> Result<u64, Error> {
    let version: i64 = row.get("version")?;
    u64::try_from(version)
        .map_err(|error| Error::invalid("a version is negative").with_source(error))
}

/// A version as a column takes it.
pub(crate) fn column(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
