//! Order survives failure: retries, parking, redriving, discarding.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform_core::{Actor, RetryPolicy, Store};
use platform_events::parking::{Filter, ParkedEvent};
use platform_events::{
    Context, Effects, EntityChanged, ErrorKind, Handler, HandlerError, Received, Reject, Service,
    Start,
};
use platform_tests::{Database, each_backend};

use crate::world::{Parcel, TABLES, seen, send, settled, store};

/// How a parcel's version fails, and how often.
#[derive(Clone, Copy)]
enum Fault {
    Retry(u32),
    Reject,
    Panic(u32),
}

#[derive(Clone, Default)]
struct Faults(Arc<Mutex<HashMap<(String, u64), Fault>>>);

impl Faults {
    fn plan(self, id: &str, version: u64, fault: Fault) -> Self {
        self.0.lock().unwrap().insert((id.into(), version), fault);
        self
    }

    fn mend(&self) {
        self.0.lock().unwrap().clear();
    }

    fn next(&self, id: &str, version: u64) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap();
        let fault = faults.get_mut(&(id.to_owned(), version))?;
        match fault {
            Fault::Retry(0) | Fault::Panic(0) => None,
            Fault::Retry(left) | Fault::Panic(left) => {
                *left -= 1;
                Some(*fault)
            }
            Fault::Reject => Some(*fault),
        }
    }
}

struct Deliver(Faults);

impl Handler for Deliver {
    const NAME: &'static str = "deliver";
    const EFFECTS: Effects = Effects::Transactional;
    const RETRY: RetryPolicy = RetryPolicy {
        attempts: 4,
        base: Duration::from_millis(5),
        cap: Duration::from_millis(20),
        ..RetryPolicy::DEFAULT
    };
    type Event = EntityChanged<Parcel>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Parcel>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let id = event
            .entity()
            .map(|parcel| parcel.id.clone())
            .unwrap_or_default();
        cx.tx()
            .await?
            .query("insert into seen (who, parcel, version) values ('deliver', $1, $2)")
            .bind(&id)
            .bind(i64::try_from(event.version)?)
            .execute()
            .await?;
        match self.0.next(&id, event.version) {
            None => Ok(()),
            Some(Fault::Retry(_)) => Err(HandlerError::retry("the road is closed")),
            Some(Fault::Reject) => Err("no such address".reject()),
            Some(Fault::Panic(_)) => panic!("the van broke down"),
        }
    }
}

async fn service(store: &Store, faults: &Faults) -> Service {
    Service::builder("post", store.clone())
        .with_migrations(TABLES)
        .handle(Deliver(faults.clone()).from(Start::Now))
        .build()
        .await
        .unwrap()
}

async fn a_failed_event_is_tried_again_and_its_followers_wait(database: Database) {
    let store = store(&database).await;
    let faults = Faults::default()
        .plan("a", 2, Fault::Retry(2))
        .plan("b", 1, Fault::Panic(1));
    let service = service(&store, &faults).await;
    for id in ["a", "b", "c"] {
        send(&service.publisher(), &store, id, 1, 5).await;
    }
    settled(&service).await;
    for id in ["a", "b", "c"] {
        assert_eq!(seen(&store, "deliver", id).await, [1, 2, 3, 4, 5], "{id}");
    }
}

async fn parked(service: &Service) -> Vec<ParkedEvent> {
    let page = service.parking().list(&Filter::all(), None, 200).await;
    page.unwrap().items
}

async fn a_rejected_event_is_parked_until_it_is_redriven(database: Database) {
    let store = store(&database).await;
    let faults = Faults::default().plan("a", 2, Fault::Reject);
    let service = service(&store, &faults).await;
    send(&service.publisher(), &store, "a", 1, 4).await;
    send(&service.publisher(), &store, "b", 1, 4).await;
    settled(&service).await;
    assert_eq!(seen(&store, "deliver", "a").await, [1]);
    assert_eq!(seen(&store, "deliver", "b").await, [1, 2, 3, 4]);
    let parked = parked(&service).await;
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (parked[0].cause.as_str(), parked[0].reason.as_str()),
        ("rejected", "no such address")
    );

    faults.mend();
    let redriven = service
        .parking()
        .redrive(&Filter::all(), &Actor::user("ada"), "mended")
        .await;
    assert_eq!(redriven.unwrap(), 1);
    let service = self::service(&store, &faults).await;
    settled(&service).await;
    assert_eq!(seen(&store, "deliver", "a").await, [1, 2, 3, 4]);
}

async fn a_discarded_event_frees_its_followers(database: Database) {
    let store = store(&database).await;
    let faults = Faults::default().plan("a", 2, Fault::Retry(100));
    let service = service(&store, &faults).await;
    send(&service.publisher(), &store, "a", 1, 4).await;
    settled(&service).await;
    let parked = parked(&service).await;
    assert_eq!(
        (parked[0].cause.as_str(), parked[0].attempts),
        ("exhausted", 4)
    );
    assert_eq!(parked[0].reasons.len(), 4);
    let nobody = service
        .parking()
        .discard(&Filter::all().handler("x"), &Actor::system(), "no")
        .await;
    assert!(nobody.is_err());
    service
        .parking()
        .discard(&Filter::all(), &Actor::user("ada"), "lost")
        .await
        .unwrap();
    let service = self::service(&store, &faults).await;
    settled(&service).await;
    assert_eq!(seen(&store, "deliver", "a").await, [1, 3, 4]);
}

async fn an_edited_event_is_handled_as_edited_and_the_log_keeps_the_original(database: Database) {
    let store = store(&database).await;
    let faults = Faults::default().plan("a", 2, Fault::Reject);
    let service = service(&store, &faults).await;
    send(&service.publisher(), &store, "a", 1, 3).await;
    settled(&service).await;
    let (parking, ada) = (service.parking(), Actor::user("ada"));
    let event = parked(&service).await.remove(0);
    assert_eq!(
        (event.subject.as_deref(), event.event_type.as_str()),
        (Some("a"), "parcel.updated")
    );
    let payload = String::from_utf8(parking.payload(&event).await.unwrap()).unwrap();
    assert!(payload.contains("stop 2"), "{payload}");
    let wrong = parking
        .edit(&event, b"{", &ada, "a slip")
        .await
        .unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidEvent);
    // The handler refuses version 2; version 7 was never seen.
    let mended = payload.replace("\"version\":2", "\"version\":7");
    parking
        .edit(&event, mended.as_bytes(), &ada, "the number was wrong")
        .await
        .unwrap();
    assert_eq!(parking.payload(&event).await.unwrap(), mended.as_bytes());
    parking
        .redrive(&Filter::all(), &ada, "mended")
        .await
        .unwrap();
    settled(&service).await;
    assert_eq!(seen(&store, "deliver", "a").await, [1, 7, 3]);
    let original = "select data from platform_log where seq = $1";
    let row = store
        .query(original)
        .bind(event.position)
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(row.get::<Vec<u8>>("data").unwrap(), payload.as_bytes());
    let gone = parking
        .edit(&event, b"{}", &ada, "too late")
        .await
        .unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

each_backend!(an_edited_event_is_handled_as_edited_and_the_log_keeps_the_original);
each_backend!(a_failed_event_is_tried_again_and_its_followers_wait);
each_backend!(a_rejected_event_is_parked_until_it_is_redriven);
each_backend!(a_discarded_event_frees_its_followers);
