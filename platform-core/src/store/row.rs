//! Rows of a uniform statement and the types that can be read from them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::TypeInfo as _;
use sqlx::ValueRef as _;
use sqlx::postgres::PgRow;
use sqlx::postgres::types::PgInterval;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::{postgres, sqlite};
use crate::{Error, Key, TenantId};

/// One row of a result, columns read by name.
#[derive(Debug)]
pub struct Row(pub(super) Native);

pub(super) enum Native {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "sqlite row",
            Self::Postgres(_) => "postgres row",
        })
    }
}

impl Row {
    /// Reads the column `name`; `Option<T>` where it may be null.
    ///
    /// # Errors
    /// When the row has no such column, or it holds another type or null.
    pub fn get<T: Column>(&self, name: &str) -> Result<T, Error> {
        match &self.0 {
            Native::Sqlite(row) => T::sqlite(row, name).map_err(|e| sqlite::classify(e, name)),
            Native::Postgres(row) => {
                T::postgres(row, name).map_err(|e| postgres::classify(e, name))
            }
        }
    }
}

/// A type that a column can be read as. Sealed: the set is what both databases share.
pub trait Column: Sized + sealed::Sealed {
    #[doc(hidden)]
    fn sqlite(row: &SqliteRow, name: &str) -> Result<Self, sqlx::Error>;
    #[doc(hidden)]
    fn postgres(row: &PgRow, name: &str) -> Result<Self, sqlx::Error>;
}

mod sealed {
    pub trait Sealed {}
    impl<T: Sealed> Sealed for Option<T> {}
}

macro_rules! plain_column {
    ($($type:ty => $($class:literal)|+),+ $(,)?) => {$(
        impl sealed::Sealed for $type {}

        impl Column for $type {
            fn sqlite(row: &SqliteRow, name: &str) -> Result<Self, sqlx::Error> {
                stored_as(row, name, &[$($class),+])?;
                row.try_get_unchecked(name)
            }

            fn postgres(row: &PgRow, name: &str) -> Result<Self, sqlx::Error> {
                row.try_get(name)
            }
        }
    )+};
}

plain_column! {
    bool => "INTEGER" | "BOOLEAN",
    f64 => "REAL" | "INTEGER",
    String => "TEXT",
    Vec<u8> => "BLOB",
    Uuid => "BLOB",
}

/// Refuses a value of another class than is asked for: SQLite would make a zero or an empty text of it.
fn stored_as(row: &SqliteRow, name: &str, classes: &[&str]) -> Result<(), sqlx::Error> {
    let value = row.try_get_raw(name)?;
    let found = value.type_info();
    if !value.is_null() && classes.contains(&found.name()) {
        return Ok(());
    }
    let found = if value.is_null() {
        "null"
    } else {
        found.name()
    };
    let wanted = classes.first().copied().unwrap_or_default();
    Err(sqlx::Error::Decode(
        format!("the column holds {found}, not {wanted}").into(),
    ))
}

impl<T: Column> Column for Option<T> {
    fn sqlite(row: &SqliteRow, name: &str) -> Result<Self, sqlx::Error> {
        if row.try_get_raw(name)?.is_null() {
            Ok(None)
        } else {
            T::sqlite(row, name).map(Some)
        }
    }

    fn postgres(row: &PgRow, name: &str) -> Result<Self, sqlx::Error> {
        if row.try_get_raw(name)?.is_null() {
            Ok(None)
        } else {
            T::postgres(row, name).map(Some)
        }
    }
}

impl sealed::Sealed for i64 {}

impl Column for i64 {
    fn sqlite(row: &SqliteRow, name: &str) -> Result<Self, sqlx::Error> {
        stored_as(row, name, &["INTEGER"])?;
        row.try_get_unchecked(name)
    }

    fn postgres(row: &PgRow, name: &str) -> Result<Self, sqlx::Error> {
        let width = row.try_get_raw(name)?.type_info().name().to_owned();
        match width.as_str() {
            "INT2" => row.try_get::<i16, _>(name).map(i64::from),
            "INT4" => row.try_get::<i32, _>(name).map(i64::from),
            _ => row.try_get(name),
        }
    }
}

macro_rules! narrow_column {
    ($($type:ty),+) => {$(
        impl sealed::Sealed for $type {}

        impl Column for $type {
            fn sqlite(row: &SqliteRow, name: &str) -> Result<Self, sqlx::Error> {
                narrow(i64::sqlite(row, name)?)
            }

            fn postgres(row: &PgRow, name: &str) -> Result<Self, sqlx::Error> {
                narrow(i64::postgres(row, name)?)
            }
        }
    )+};
}

narrow_column!(i16, u32, u64, usize);

fn narrow<T>(number: i64) -> Result<T, sqlx::Error>
where
    T: TryFrom<i64, Error = std::num::TryFromIntError>,
{
    T::try_from(number).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

impl sealed::Sealed for Key {}

impl Column for Key {
    fn sqlite(row: &SqliteRow, name: &str) -> Result<Self, sqlx::Error> {
        Uuid::sqlite(row, name).map(Self::from)
    }

    fn postgres(row: &PgRow, name: &str) -> Result<Self, sqlx::Error> {
        Uuid::postgres(row, name).map(Self::from)
    }
}

impl sealed::Sealed for TenantId {}

impl Column for TenantId {
    fn sqlite(row: &SqliteRow, name: &str) -> Result<Self, sqlx::Error> {
        tenant(String::sqlite(row, name)?)
    }

    fn postgres(row: &PgRow, name: &str) -> Result<Self, sqlx::Error> {
        tenant(String::postgres(row, name)?)
    }
}

fn tenant(text: String) -> Result<TenantId, sqlx::Error> {
    TenantId::try_from(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

impl sealed::Sealed for DateTime<Utc> {}

impl Column for DateTime<Utc> {
    fn sqlite(row: &SqliteRow, name: &str) -> Result<Self, sqlx::Error> {
        let micros = i64::sqlite(row, name)?;
        Self::from_timestamp_micros(micros)
            .ok_or_else(|| sqlx::Error::Decode(format!("{micros} microseconds is no time").into()))
    }

    fn postgres(row: &PgRow, name: &str) -> Result<Self, sqlx::Error> {
        row.try_get(name)
    }
}

impl sealed::Sealed for Duration {}

impl Column for Duration {
    fn sqlite(row: &SqliteRow, name: &str) -> Result<Self, sqlx::Error> {
        let micros = i64::sqlite(row, name)?;
        Ok(Self::from_micros(u64::try_from(micros).unwrap_or(0)))
    }

    fn postgres(row: &PgRow, name: &str) -> Result<Self, sqlx::Error> {
        let span: PgInterval = row.try_get(name)?;
        let days = i64::from(span.days) + 30 * i64::from(span.months);
        let micros = span
            .microseconds
            .saturating_add(days.saturating_mul(86_400_000_000));
        Ok(Self::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}
