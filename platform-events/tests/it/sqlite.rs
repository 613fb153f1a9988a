//! What only SQLite's own connection can show.

use platform_events::event::Draft;
use platform_events::{Error, Publisher};
use platform_tests::Database;

/// Publishes outside a transaction, then inside one that was begun by hand, and returns the first refusal.
pub(crate) async fn publish_outside(
    database: &Database,
    publisher: &Publisher,
    event: impl Fn() -> Draft,
) -> Error {
    let pool = sqlx::SqlitePool::connect(&database.url()).await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    let refused = publisher.publish_in(&mut *conn, event()).await.unwrap_err();
    sqlx::query("begin immediate")
        .execute(&mut *conn)
        .await
        .unwrap();
    publisher.publish_in(&mut *conn, event()).await.unwrap();
    sqlx::query("commit").execute(&mut *conn).await.unwrap();
    refused
}
