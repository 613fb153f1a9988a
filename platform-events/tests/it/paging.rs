//! Lists are read in pages: parked events, and runs by event, handler, entity and correlation.

use std::collections::BTreeSet;

use platform_core::{CorrelationId, Cursor, Page, Store, TenantId};
use platform_events::parking::Filter;
use platform_events::status::Run;
use platform_events::{
    Context, Effects, EntityChanged, Handler, HandlerError, Received, Reject, Service, Start,
};
use platform_tests::{Database, each_backend};

use crate::world::{Parcel, TABLES, parcel, send, settled, store};

/// Two handlers that refuse every second version.
struct Picky<const N: usize>;

impl<const N: usize> Handler for Picky<N> {
    const NAME: &'static str = ["left", "right"][N];
    const EFFECTS: Effects = Effects::Transactional;
    type Event = EntityChanged<Parcel>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Parcel>>,
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        if event.version == 2 {
            return Err("not this one".reject());
        }
        Ok(())
    }
}

async fn service(store: &Store) -> Service {
    Service::builder("post", store.clone())
        .with_migrations(TABLES)
        .handle(Picky::<0>.from(Start::Beginning))
        .handle(Picky::<1>.from(Start::Beginning))
        .build()
        .await
        .unwrap()
}

async fn handlers_that_parked_one_event_are_not_split_by_a_page(database: Database) {
    let store = store(&database).await;
    let service = service(&store).await;
    for id in ["a", "b", "c"] {
        send(&service.publisher(), &store, id, 1, 2).await;
    }
    settled(&service).await;
    let parking = service.parking();
    let mut listed = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let page = parking
            .list(&Filter::all(), after.as_ref(), 1)
            .await
            .unwrap();
        listed.extend(
            page.items
                .iter()
                .map(|event| (event.position, event.handler.clone())),
        );
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let whole = parking.list(&Filter::all(), None, 200).await.unwrap();
    assert_eq!(whole.next, None);
    let whole: Vec<_> = whole
        .items
        .iter()
        .map(|event| (event.position, event.handler.clone()))
        .collect();
    assert_eq!(listed, whole);
    assert_eq!(listed.len(), 6);
    assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), 6);
    let wrong = parking
        .list(&Filter::all(), Some(&Cursor::from("1")), 1)
        .await;
    assert!(wrong.unwrap_err().to_string().contains("no cursor"));
}

fn told(runs: &[Run]) -> BTreeSet<(&str, &str)> {
    runs.iter()
        .map(|run| (run.handler.as_str(), run.outcome.as_str()))
        .collect()
}

async fn runs_are_found_by_event_handler_entity_and_correlation(database: Database) {
    let store = store(&database).await;
    let service = service(&store).await;
    send(&service.publisher(), &store, "a", 1, 2).await;
    let belongs = CorrelationId::parse("the-order-of-ada").unwrap();
    let new = parcel("b", 1);
    let change = platform_core::Change::created(&new)
        .unwrap()
        .correlated(belongs);
    service.publisher().publish(change).await.unwrap();
    settled(&service).await;
    let (runs, tenant) = (service.runs(), TenantId::default());

    let both = BTreeSet::from([("left", "done"), ("right", "done")]);
    let refused = BTreeSet::from([("left", "rejected"), ("right", "rejected")]);
    assert_eq!(told(&runs.of_event(1).await.unwrap()), both);
    assert_eq!(told(&runs.of_event(2).await.unwrap()), refused);
    let all: BTreeSet<_> = both.union(&refused).copied().collect();
    let whole = runs
        .of_entity((&tenant, "parcel", "a"), None, 200)
        .await
        .unwrap();
    assert_eq!(told(&whole.items), all);
    assert!(whole.next.is_none());
    let newest = runs
        .of_entity((&tenant, "parcel", "a"), None, 1)
        .await
        .unwrap();
    assert_eq!(told(&newest.items), refused);
    let older = runs
        .of_entity((&tenant, "parcel", "a"), newest.next.as_ref(), 1)
        .await
        .unwrap();
    assert_eq!(told(&older.items), both);

    let of = |page: Page<Run>| page.items.iter().map(|run| run.positions.0).max();
    let found = runs
        .of_correlation((&tenant, "the-order-of-ada"), None, 200)
        .await;
    assert_eq!(of(found.unwrap()), Some(3));
    let other = TenantId::parse("other").unwrap();
    let found = runs
        .of_correlation((&other, "the-order-of-ada"), None, 200)
        .await;
    assert_eq!(of(found.unwrap()), None);
    let left = runs.of_handler("left", None, 1).await.unwrap();
    assert_eq!(left.items.len(), 1);
    let rest = runs
        .of_handler("left", left.next.as_ref(), 200)
        .await
        .unwrap();
    assert!(!rest.items.is_empty() && rest.items.iter().all(|run| run.id < left.items[0].id));
}

each_backend!(
    handlers_that_parked_one_event_are_not_split_by_a_page,
    runs_are_found_by_event_handler_entity_and_correlation,
);
