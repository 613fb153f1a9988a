//! What a publisher is told.

use platform_core::Change;
use platform_core::store::Dialect;
use platform_events::{ErrorKind, Event, Published, Service};
use platform_tests::{Database, each_backend};
use serde::{Deserialize, Serialize};

use crate::world::{parcel, store};
use crate::{postgres, sqlite};

#[derive(Serialize, Deserialize, Event)]
#[event(type = "invoice.overdue")]
struct InvoiceOverdue {
    #[event(key)]
    invoice: String,
    note: String,
}

fn overdue(note: &str) -> InvoiceOverdue {
    InvoiceOverdue {
        invoice: "17".into(),
        note: note.into(),
    }
}

async fn service(database: &Database) -> (platform_core::Store, Service) {
    let store = store(database).await;
    let service = Service::builder("post", store.clone())
        .build()
        .await
        .unwrap();
    (store, service)
}

async fn a_keyed_event_published_twice_is_a_duplicate(database: Database) {
    let (_, service) = service(&database).await;
    let publisher = service.publisher();
    let first = publisher.publish(overdue("x").keyed("17/3")).await.unwrap();
    let again = publisher.publish(overdue("x").keyed("17/3")).await.unwrap();
    let [Published::New(position)] = first[..] else {
        panic!("{first:?}")
    };
    assert_eq!(again, [Published::Duplicate(position)]);
    let batch = [
        overdue("x").keyed("17/4"),
        overdue("x").keyed("17/3"),
        overdue("x").keyed("17/4"),
    ];
    let batch = publisher.publish(batch).await.unwrap();
    assert!(matches!(
        batch[..],
        [
            Published::New(_),
            Published::Duplicate(_),
            Published::Duplicate(_)
        ]
    ));
    assert_eq!(service.overview().await.unwrap().events, 2);
}

async fn an_idempotency_key_with_other_content_is_an_error(database: Database) {
    let (_, service) = service(&database).await;
    let publisher = service.publisher();
    publisher.publish(overdue("x").keyed("17/3")).await.unwrap();
    let error = publisher
        .publish(overdue("y").keyed("17/3"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentDiffers, "{error}");
}

async fn an_entity_version_used_twice_is_an_error(database: Database) {
    let (_, service) = service(&database).await;
    let publisher = service.publisher();
    publisher
        .publish(Change::created(&parcel("a", 1)).unwrap())
        .await
        .unwrap();
    let error = publisher
        .publish(Change::created(&parcel("a", 1)).unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::VersionReused, "{error}");
    assert!(error.to_string().contains("raise"), "{error}");
}

async fn a_payload_over_the_limit_is_refused_before_anything_is_written(database: Database) {
    let (_, service) = service(&database).await;
    let large = overdue(&"x".repeat(300 * 1024)).unkeyed();
    let error = service
        .publisher()
        .publish([overdue("a").unkeyed(), large])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(service.overview().await.unwrap().events, 0);
}

async fn a_connection_outside_a_transaction_is_refused(database: Database) {
    let (store, service) = service(&database).await;
    let event = || overdue("x").unkeyed();
    let publisher = service.publisher();
    let error = match store.dialect() {
        Dialect::Postgres => postgres::publish_outside(&store, &publisher, event).await,
        Dialect::Sqlite => sqlite::publish_outside(&database, &publisher, event).await,
    };
    assert_eq!(error.kind(), ErrorKind::NotInTransaction, "{error}");
    assert_eq!(service.overview().await.unwrap().events, 1);
}

async fn what_is_rolled_back_was_never_published(database: Database) {
    let (store, service) = service(&database).await;
    let mut tx = store.begin().await.unwrap();
    service
        .publisher()
        .publish_in(&mut tx, overdue("x").unkeyed())
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(service.overview().await.unwrap().events, 0);
}

each_backend!(a_keyed_event_published_twice_is_a_duplicate);
each_backend!(an_idempotency_key_with_other_content_is_an_error);
each_backend!(an_entity_version_used_twice_is_an_error);
each_backend!(a_payload_over_the_limit_is_refused_before_anything_is_written);
each_backend!(a_connection_outside_a_transaction_is_refused);
each_backend!(what_is_rolled_back_was_never_published);
