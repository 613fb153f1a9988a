//! Handlers follow what is published, each in order per key.

use std::sync::{Arc, Mutex};

use platform_events::envelope::Envelope;
use platform_events::{
    BatchHandler, Context, Effects, EntityChanged, Event, Handler, HandlerError, Lanes, Received,
    Service, Start,
};
use platform_tests::{Database, each_backend};
use serde::{Deserialize, Serialize};

use crate::world::{Parcel, TABLES, seen, send, settled, store};

pub(crate) struct Track;

impl Handler for Track {
    const NAME: &'static str = "track";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = EntityChanged<Parcel>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Parcel>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        note("track", &event, cx).await
    }
}

struct Call;

impl Handler for Call {
    const NAME: &'static str = "call";
    const EFFECTS: Effects = Effects::External;
    type Event = EntityChanged<Parcel>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Parcel>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        note("call", &event, cx).await
    }
}

struct Bulk;

impl BatchHandler for Bulk {
    const NAME: &'static str = "bulk";
    const LANES: Lanes = Lanes::Serial;
    type Event = EntityChanged<Parcel>;

    async fn handle(
        &self,
        events: &[Received<EntityChanged<Parcel>>],
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        for event in events {
            note("bulk", event, cx).await?;
        }
        Ok(())
    }
}

async fn note(
    who: &str,
    event: &Received<EntityChanged<Parcel>>,
    cx: &mut Context<'_>,
) -> Result<(), HandlerError> {
    let id = event.entity().map(|parcel| parcel.id.clone());
    cx.tx()
        .await?
        .query("insert into seen (who, tenant, parcel, version) values ($1, $2, $3, $4)")
        .bind(who)
        .bind(event.envelope().tenantid())
        .bind(id)
        .bind(i64::try_from(event.version)?)
        .execute()
        .await?;
    Ok(())
}

async fn every_handler_sees_every_change_once_and_in_order(database: Database) {
    let store = store(&database).await;
    let service = Service::builder("post", store.clone())
        .with_migrations(TABLES)
        .handle(Track.from(Start::Now))
        .handle(Call.from(Start::Now))
        .handle(Bulk.from(Start::Beginning))
        .build()
        .await
        .unwrap();
    for id in ["a", "b", "c"] {
        send(&service.publisher(), &store, id, 1, 20).await;
    }
    settled(&service).await;
    for who in ["track", "call", "bulk"] {
        for id in ["a", "b", "c"] {
            assert_eq!(
                seen(&store, who, id).await,
                (1..=20).collect::<Vec<i64>>(),
                "{who} {id}"
            );
        }
    }
    let overview = service.overview().await.unwrap();
    assert_eq!(
        (overview.events, overview.handled, overview.parked),
        (60, 180, 0)
    );
}

#[derive(Serialize, Deserialize, Event)]
#[event(type = "parcel.weighed", keyless)]
struct Weighed {
    picture: String,
}

/// Notes how many bytes each slice held.
#[derive(Clone, Default)]
struct Weigh(Arc<Mutex<Vec<usize>>>);

impl BatchHandler for Weigh {
    const NAME: &'static str = "weigh";
    const LANES: Lanes = Lanes::Serial;
    type Event = Envelope;

    async fn handle(
        &self,
        events: &[Received<Envelope>],
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let bytes = events.iter().map(|event| event.data().len()).sum();
        self.0.lock().unwrap().push(bytes);
        Ok(())
    }
}

async fn large_events_are_read_a_few_at_a_time(database: Database) {
    const LARGE: usize = 200_000;
    let store = store(&database).await;
    let weigh = Weigh::default();
    let service = Service::builder("post", store)
        .handle(weigh.clone().from(Start::Beginning))
        .build()
        .await
        .unwrap();
    let picture = "x".repeat(LARGE);
    let large: Vec<_> = (0..30)
        .map(|_| {
            Weighed {
                picture: picture.clone(),
            }
            .unkeyed()
        })
        .collect();
    service.publisher().publish(large).await.unwrap();
    settled(&service).await;
    let slices = weigh.0.lock().unwrap().clone();
    assert!(slices.iter().sum::<usize>() >= 30 * LARGE, "{slices:?}");
    let most = 1024 * 1024 + LARGE + 20;
    assert!(slices.iter().all(|bytes| *bytes <= most), "{slices:?}");
}

each_backend!(
    every_handler_sees_every_change_once_and_in_order,
    large_events_are_read_a_few_at_a_time,
);
