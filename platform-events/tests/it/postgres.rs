//! What only PostgreSQL's own connection can show.

use platform_core::Store;
use platform_events::event::Draft;
use platform_events::{Error, Publisher};

/// Publishes outside a transaction, then inside one that was begun by hand, and returns the first refusal.
pub(crate) async fn publish_outside(
    store: &Store,
    publisher: &Publisher,
    event: impl Fn() -> Draft,
) -> Error {
    let mut conn = store.postgres().unwrap().acquire().await.unwrap();
    let refused = publisher.publish_in(&mut *conn, event()).await.unwrap_err();
    sqlx::query("begin").execute(&mut *conn).await.unwrap();
    publisher.publish_in(&mut *conn, event()).await.unwrap();
    sqlx::query("commit").execute(&mut *conn).await.unwrap();
    refused
}
