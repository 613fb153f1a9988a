//! Handlers follow what is published, each in order per key.

use platform_events::{
    BatchHandler, Context, Effects, EntityChanged, Handler, HandlerError, Lanes, Received, Service,
    Start,
};
use platform_tests::{Database, each_backend};

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

each_backend!(every_handler_sees_every_change_once_and_in_order);
