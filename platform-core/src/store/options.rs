//! How a store is opened: the URL and the few settings that a service may want to change.

use std::sync::Arc;

use super::{Pools, Store, postgres, sqlite};
use crate::{Error, ErrorKind};

/// Settings of a [`Store`], with defaults that are right for most services.
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) url: String,
    pub(super) connections_max: u32,
    pub(super) schema: Option<String>,
    pub(super) is_durable: bool,
}

impl Options {
    /// Starts from the defaults: 20 connections on PostgreSQL, one writer and four readers on SQLite, every
    /// commit flushed to disk.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            connections_max: 20,
            schema: None,
            is_durable: true,
        }
    }

    /// Sets the greatest number of PostgreSQL connections; at least 4.
    #[must_use]
    pub fn with_connections_max(mut self, connections_max: u32) -> Self {
        self.connections_max = connections_max.max(4);
        self
    }

    /// Keeps the tables in a PostgreSQL schema of their own, made if it does not exist. Several logs in one
    /// database are told apart by their schema.
    #[must_use]
    pub fn with_schema(mut self, schema: &str) -> Self {
        self.schema = Some(schema.to_owned());
        self
    }

    /// Lets a SQLite commit return before it is on disk. A power loss can undo the last commits, so this is
    /// for tests and for data that can be made again.
    #[must_use]
    pub fn without_flush(mut self) -> Self {
        self.is_durable = false;
        self
    }

    /// Opens the store; see [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open(self) -> Result<Store, Error> {
        let pools = match self.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Pools::Sqlite(sqlite::Pools::open(&self).await?),
            Some("postgres" | "postgresql") => Pools::Postgres(postgres::Pools::open(&self).await?),
            _ => {
                return Err(Error::new(
                    ErrorKind::Open,
                    format!(
                        "the store URL `{}` is of no known kind; write sqlite://FILE or \
                         postgres://USER@HOST/DATABASE",
                        without_password(&self.url)
                    ),
                ));
            }
        };
        Ok(Store {
            pools: Arc::new(pools),
        })
    }
}

/// Blanks the password of a URL, for messages.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.rsplit_once('@') {
        Some((login, place)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{place}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_reaches_a_message() {
        let shown = without_password("postgres://bob:se@cret@db:5432/orders");
        assert_eq!(shown, "postgres://bob:***@db:5432/orders");
        assert_eq!(without_password("sqlite://x.db"), "sqlite://x.db");
    }
}
