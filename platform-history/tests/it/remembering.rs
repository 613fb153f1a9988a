//! One entry for each change, built from its stored event alone.

use platform_core::{Actor, Change, CorrelationId};
use platform_events::{Event, Service, parking::Filter};
use platform_history::{Entry, History};
use platform_tests::{Database, each_backend};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::world::{Order, changes, count, entries, order, remember, service, settle, store};

/// The changed fields of an entry as the texts that are stored.
fn fields<'e>(entry: &'e Entry) -> Vec<(&'e str, Option<&'e str>, Option<&'e str>)> {
    let text = |raw: &'e Option<Box<RawValue>>| raw.as_deref().map(RawValue::get);
    let changes = entry.changes.iter();
    changes
        .map(|field| (field.path.as_str(), text(&field.old), text(&field.new)))
        .collect()
}

async fn every_value_is_kept_as_it_was_published(database: Database) {
    let store = store(&database).await;
    let old = order("acme", "O-1", 1);
    let new = Order {
        version: 9_007_199_254_740_993,
        stock: u64::MAX - 1,
        price: RawValue::from_string("-12345678901234567890.1000".into()).unwrap(),
        weight: "1.5000".into(),
        note: Some("a\u{0}\"ü\u{1F600}".into()),
        payment_token: "tok_2".into(),
        ..old.clone()
    };
    let moved = Change::updated(&old, &new).unwrap();
    remember(&store, vec![Change::created(&old).unwrap(), moved]).await;

    let entries = entries(&store, "acme", "O-1").await;
    let [moved, created] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    let stock = (Some("18446744073709551615"), Some("18446744073709551614"));
    assert_eq!(
        fields(moved),
        [
            ("stock", stock.0, stock.1),
            ("price", Some("0.10"), Some("-12345678901234567890.1000")),
            ("weight", Some("\"1.50\""), Some("\"1.5000\"")),
            ("note", Some("null"), Some("\"a\\u0000\\\"ü\u{1F600}\"")),
            ("payment_token", None, None),
        ]
    );
    assert_eq!(
        (moved.version, moved.previous_version),
        (9_007_199_254_740_993, Some(1))
    );
    assert_eq!(fields(created)[4], ("price", None, Some("0.10")));
    assert_eq!((created.version, created.previous_version), (1, None));
}

async fn an_entry_says_who_why_and_when(database: Database) {
    let store = store(&database).await;
    let old = order("acme", "O-1", 1);
    let at = chrono::DateTime::from_timestamp(1_772_000_001, 123_456_789).unwrap();
    let moved = Change::updated(&old, &order("acme", "O-1", 2))
        .unwrap()
        .named("order.moved")
        .by(Actor::user("42").named("Ada"))
        .on_behalf_of(Actor::service("billing"))
        .because("a leap year")
        .correlated(CorrelationId::parse("chain-7").unwrap())
        .at(at);
    remember(&store, vec![Change::created(&old).unwrap(), moved]).await;

    let entries = entries(&store, "acme", "O-1").await;
    let [moved, created] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(
        (moved.event_type.as_str(), moved.entity_kind.as_str()),
        ("order.moved", "order")
    );
    assert_eq!(moved.actor.as_deref(), Some("user:42"));
    assert_eq!(moved.on_behalf_of.as_deref(), Some("service:billing"));
    assert_eq!(moved.reason.as_deref(), Some("a leap year"));
    assert_eq!(
        (moved.correlation_id.as_str(), moved.causation_id.as_deref()),
        ("chain-7", None)
    );
    assert_eq!(
        (moved.key.as_str(), moved.tenant.as_str()),
        ("order/O-1", "acme")
    );
    assert_eq!(moved.occurred_at.timestamp_micros(), 1_772_000_001_123_456);
    assert_eq!(moved.occurred_at.timestamp_subsec_nanos(), 123_456_000);
    assert_eq!(created.correlation_id, created.event_id);
    assert_eq!(
        (created.actor.as_deref(), created.reason.as_deref()),
        (None, None)
    );
}

async fn many_changes_make_one_entry_each(database: Database) {
    let store = store(&database).await;
    let all: Vec<_> = (0..260)
        .flat_map(|n| changes("acme", &format!("O-{n}"), 3))
        .collect();
    remember(&store, all).await;
    assert_eq!(count(&store).await, 260 * 3);
    let versions: Vec<_> = entries(&store, "acme", "O-17")
        .await
        .iter()
        .map(|entry| entry.version)
        .collect();
    assert_eq!(versions, [3, 2, 1]);
}

async fn a_redelivered_event_changes_nothing(database: Database) {
    let store = store(&database).await;
    remember(&store, changes("acme", "O-1", 5)).await;
    let first = format!("{:?}", entries(&store, "acme", "O-1").await);
    let mut tx = store.begin().await.unwrap();
    tx.query("update platform_lane set position = 0")
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let service = service(&store, "shop").await;
    settle(&service).await;
    assert_eq!(format!("{:?}", entries(&store, "acme", "O-1").await), first);
    let overview = service.overview().await.unwrap();
    assert_eq!(
        (count(&store).await, overview.handled, overview.parked),
        (5, 10, 0)
    );
}

async fn tenants_with_equal_ids_never_mix(database: Database) {
    let store = store(&database).await;
    remember(
        &store,
        [changes("acme", "O-1", 2), changes("globex", "O-1", 3)].concat(),
    )
    .await;
    assert_eq!(entries(&store, "acme", "O-1").await.len(), 2);
    let globex = entries(&store, "globex", "O-1").await;
    assert_eq!(globex.len(), 3);
    assert!(globex.iter().all(|entry| entry.tenant.as_str() == "globex"));
}

async fn a_muted_change_is_remembered_like_any_other(database: Database) {
    let store = store(&database).await;
    let muted: Vec<_> = changes("acme", "O-1", 3)
        .into_iter()
        .map(Change::muted)
        .collect();
    remember(&store, muted).await;
    assert_eq!(entries(&store, "acme", "O-1").await.len(), 3);
}

async fn another_event_for_a_remembered_version_is_parked(database: Database) {
    let store = store(&database).await;
    remember(&store, changes("acme", "O-1", 1)).await;
    let other = Service::builder("import", store.clone())
        .build()
        .await
        .unwrap();
    other
        .publisher()
        .publish(changes("acme", "O-1", 1))
        .await
        .unwrap();
    other
        .publisher()
        .publish(changes("acme", "O-2", 2))
        .await
        .unwrap();
    let service = service(&store, "shop").await;
    settle(&service).await;
    let parked = service.parking().list(&Filter::all(), None, 200).await;
    let parked = parked.unwrap().items;
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!(parked[0].cause.as_str(), "rejected");
    assert!(
        parked[0]
            .reason
            .contains("version 1 (incarnation 0) of order \"O-1\""),
        "{parked:?}"
    );
    assert_eq!(count(&store).await, 3);
}

#[derive(Serialize, Deserialize, Event)]
#[event(type = "order.reminded")]
struct OrderReminded {
    #[event(key)]
    order: String,
}

async fn an_event_that_tells_no_change_is_passed_over(database: Database) {
    let store = store(&database).await;
    remember(
        &store,
        OrderReminded {
            order: "O-1".into(),
        }
        .unkeyed(),
    )
    .await;
    assert_eq!(count(&store).await, 0);
}

#[derive(Clone, platform_core::Entity)]
#[entity(kind = "customer")]
struct Customer {
    #[entity(id)]
    id: String,
    #[entity(version)]
    version: u64,
}

async fn a_history_of_two_kinds_remembers_both(database: Database) {
    let store = store(&database).await;
    let history = History::of::<Order>().and::<Customer>().and::<Order>();
    let service = Service::builder("shop", store.clone())
        .with(history)
        .build()
        .await
        .unwrap();
    let customer = Change::created(&Customer {
        id: "C-1".into(),
        version: 1,
    })
    .unwrap();
    service.publisher().publish(customer).await.unwrap();
    service
        .publisher()
        .publish(changes("default", "O-1", 1))
        .await
        .unwrap();
    settle(&service).await;
    assert_eq!(count(&store).await, 2);
}

each_backend!(
    every_value_is_kept_as_it_was_published,
    an_entry_says_who_why_and_when,
    many_changes_make_one_entry_each,
    a_redelivered_event_changes_nothing,
    tenants_with_equal_ids_never_mix,
    a_muted_change_is_remembered_like_any_other,
    another_event_for_a_remembered_version_is_parked,
    an_event_that_tells_no_change_is_passed_over,
    a_history_of_two_kinds_remembers_both,
);
