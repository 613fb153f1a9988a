//! What a service's own tests need: a database of their own, a clock that is told to move on, no sleep anywhere, and
//! assertions that tell the whole story when they fail.
//!
//! ```
//! # use platform_core::Store;
//! # use platform_events::{Context, Effects, Error, Event, Handler, HandlerError, Received, Service, Start};
//! # use serde::{Deserialize, Serialize};
//! use platform_events::test_kit::World;
//!
//! # #[derive(Clone, Serialize, Deserialize, Event)]
//! # #[event(type = "order.shipped")]
//! # struct OrderShipped { #[event(key)] order: String }
//! # struct Tell;
//! # impl Handler for Tell {
//! #     const NAME: &'static str = "tell";
//! #     const EFFECTS: Effects = Effects::Transactional;
//! #     type Event = OrderShipped;
//! #     async fn handle(&self, _: Received<OrderShipped>, _: &mut Context<'_>) -> Result<(), HandlerError> { Ok(()) }
//! # }
//! # async fn service(store: Store) -> Result<Service, Error> {
//! #     Service::builder("orders", store).handle(Tell.from(Start::Now)).build().await
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let world = World::of(service).await;
//! let shipped = OrderShipped { order: "O-1".into() };
//! world.publish(shipped.keyed("O-1/shipped")).twice().await;
//! world.settle().await;
//! world.assert_handled("tell", 1).await;
//! # });
//! ```
//!
//! The same test runs on PostgreSQL when `PLATFORM_WORLD` is the URL of a database in which schemas may be made: each
//! world has a schema of its own there. It is dropped by [`World::end`]; after a test that failed it stays, to be
//! looked at.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use platform_core::store::Options;
use platform_core::{Key, Store};
use tempfile::TempDir;

use crate::event::{Draft, IntoDrafts};
use crate::parking::Filter;
use crate::questions::Subject;
use crate::{ErrorKind, Published, Service};

/// How long a world may take to settle.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// The most events that a failed assertion tells.
const TOLD_MAX: usize = 50;

/// A service with a database of its own. Every method panics when it fails, and says where.
pub struct World {
    service: Service,
    store: Store,
    place: Place,
}

/// Where the database is.
enum Place {
    /// A file in a folder that goes with the world.
    File(#[expect(dead_code, reason = "held, never read")] TempDir),
    /// A schema.
    Schema { url: String, name: String },
}

/// Events on their way; awaited, they are published.
#[must_use = "nothing is published until it is awaited"]
pub struct Publishing<'w> {
    world: &'w World,
    drafts: Vec<Draft>,
    times: usize,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Publishing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publishing")
            .field("drafts", &self.drafts.len())
            .finish_non_exhaustive()
    }
}

impl World {
    /// Builds a service on a fresh database.
    ///
    /// # Panics
    /// When the database cannot be made, or the service cannot be built.
    pub async fn of<E: std::fmt::Debug>(
        build: impl AsyncFnOnce(Store) -> Result<Service, E>,
    ) -> Self {
        Self::at(from_env().await, build).await
    }

    /// Builds a service in a schema of its own of a PostgreSQL database.
    ///
    /// # Panics
    /// As [`of`](Self::of).
    pub async fn on<E: std::fmt::Debug>(
        url: &str,
        build: impl AsyncFnOnce(Store) -> Result<Service, E>,
    ) -> Self {
        Self::at(schema(url).await, build).await
    }

    async fn at<E: std::fmt::Debug>(
        (store, place): (Store, Place),
        build: impl AsyncFnOnce(Store) -> Result<Service, E>,
    ) -> Self {
        let service = build(store.clone()).await;
        let service = service.unwrap_or_else(|error| panic!("the service is not built: {error:?}"));
        Self {
            service,
            store,
            place,
        }
    }

    /// Returns the service.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Returns the store, for the service's own tables.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Publishes changes, drafts, or several, in a transaction of their own.
    ///
    /// # Panics
    /// When they are refused.
    pub fn publish(&self, events: impl IntoDrafts) -> Publishing<'_> {
        let drafts = events.into_drafts();
        Publishing {
            world: self,
            drafts: drafts.unwrap_or_else(|error| panic!("nothing to publish: {error:?}")),
            times: 1,
        }
    }

    /// Works until nothing that was caused is left to do at the moment. What waits for a time to come is left; see
    /// [`advance`](Self::advance).
    ///
    /// # Panics
    /// After a minute, with what is left to do.
    pub async fn settle(&self) {
        let run = self.service.run_until_settled();
        match tokio::time::timeout(SETTLED_WITHIN, run).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("the service ended: {error:?}"),
            Err(_) => panic!(
                "not settled within {SETTLED_WITHIN:?}:\n{}",
                self.story().await
            ),
        }
    }

    /// Moves the clock of the database on, then settles.
    ///
    /// # Panics
    /// As [`settle`](Self::settle).
    pub async fn advance(&self, time: Duration) {
        let moved = async {
            let mut tx = self.store.begin().await?;
            let query = tx
                .query(ADVANCE)
                .bind(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
            query.execute().await?;
            tx.commit().await
        };
        let moved: Result<(), platform_core::Error> = moved.await;
        moved.unwrap_or_else(|error| panic!("the clock does not move: {error:?}"));
        self.settle().await;
    }

    /// Asserts how many events a handler has handled successfully.
    ///
    /// # Panics
    /// When it is another number, with everything that happened.
    pub async fn assert_handled(&self, handler: &str, times: i64) {
        let row = self.store.query(HANDLED).bind(handler).fetch_one().await;
        let handled = row.and_then(|row| row.get::<i64>("handled"));
        let handled = handled.unwrap_or_else(|error| panic!("{handler}: {error:?}"));
        if handled != times {
            let story = self.story().await;
            panic!("`{handler}` has handled {handled} events, not {times}:\n{story}");
        }
    }

    /// Asserts how many events of a type are in the log.
    ///
    /// # Panics
    /// When it is another number, with everything that happened.
    pub async fn assert_published(&self, event_type: &str, times: i64) {
        let row = self
            .store
            .query(PUBLISHED)
            .bind(event_type)
            .fetch_one()
            .await;
        let found = row.and_then(|row| row.get::<i64>("published"));
        let found = found.unwrap_or_else(|error| panic!("{event_type}: {error:?}"));
        if found != times {
            let story = self.story().await;
            panic!("{found} events `{event_type}` are in the log, not {times}:\n{story}");
        }
    }

    /// Asserts that nothing is parked.
    ///
    /// # Panics
    /// When something is, with everything that happened.
    pub async fn assert_nothing_parked(&self) {
        let parked = self.service.parking().list(&Filter::all(), None, 1).await;
        let parked = parked.unwrap_or_else(|error| panic!("parked events: {error:?}"));
        if let Some(event) = parked.items.first() {
            let (handler, reason) = (&event.handler, &event.reason);
            let story = self.story().await;
            panic!("`{handler}` has parked an event: {reason}\n{story}");
        }
    }

    /// Tells everything that happened: each event with what was tried with it and made of it.
    pub async fn story(&self) -> String {
        let mut story = String::new();
        let rows = self.store.query(EVENTS).bind(TOLD_MAX).fetch_all().await;
        for row in rows.unwrap_or_default() {
            let told = match row.get::<i64>("seq") {
                Ok(seq) => self.service.why(Subject::Position(seq)).await,
                Err(error) => Err(error.into()),
            };
            let written = match told {
                Ok(why) => write!(story, "{why}"),
                Err(error) => writeln!(story, "{error}"),
            };
            // Writing into a string cannot fail.
            debug_assert!(written.is_ok());
        }
        story
    }

    /// Ends the world; a schema of its own is dropped.
    ///
    /// # Panics
    /// When the schema cannot be dropped.
    pub async fn end(self) {
        self.store.close().await;
        if let Place::Schema { url, name } = self.place {
            let store = Store::open(&url).await;
            let store = store.unwrap_or_else(|error| panic!("{url}: {error:?}"));
            // The name is ours; one short text for each world of a test is no loss.
            let drop_it: &'static str = format!("drop schema {name} cascade").leak();
            let dropped = store.query(drop_it).execute().await;
            dropped.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            store.close().await;
        }
    }
}

async fn from_env() -> (Store, Place) {
    match std::env::var("PLATFORM_WORLD") {
        Ok(url) => schema(&url).await,
        Err(_) => file().await,
    }
}

async fn file() -> (Store, Place) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder: {error}"));
    let url = format!("sqlite://{}/world.db", folder.path().display());
    let store = Options::new(&url).without_flush().open().await;
    let store = store.unwrap_or_else(|error| panic!("{url}: {error:?}"));
    (store, Place::File(folder))
}

async fn schema(url: &str) -> (Store, Place) {
    let name = format!("world_{}", Key::unique().to_string().replace('-', ""));
    let options = Options::new(url).without_flush().with_schema(&name);
    let store = options.open().await;
    let store = store.unwrap_or_else(|error| panic!("{url}: {error:?}"));
    let url = url.to_owned();
    (store, Place::Schema { url, name })
}

impl Publishing<'_> {
    /// Publishes once more, as a sender does that is not sure of the first time.
    pub fn twice(mut self) -> Self {
        self.times = 2;
        self
    }
}

impl<'w> IntoFuture for Publishing<'w> {
    type Output = Vec<Published>;
    type IntoFuture = Pin<Box<dyn Future<Output = Vec<Published>> + Send + 'w>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let publisher = self.world.service.publisher();
            let first = publisher.publish(self.drafts.clone()).await;
            let first = first.unwrap_or_else(|error| panic!("not published: {error:?}"));
            for _ in 1..self.times {
                match publisher.publish(self.drafts.clone()).await {
                    Ok(_) => {}
                    // The version of a change is its identity.
                    Err(error) if error.kind() == ErrorKind::VersionReused => {}
                    Err(error) => panic!("not published again: {error:?}"),
                }
            }
            first
        })
    }
}

const ADVANCE: &str = "update platform_clock set offset_us = offset_us + $1";
const HANDLED: &str =
    "select cast(coalesce(sum(r.events), 0) as bigint) as handled from platform_run r
    join platform_group g on g.id = r.group_id where g.name = $1 and r.outcome = 'done'";
const PUBLISHED: &str =
    "select count(*) as published from platform_log -- all tenants: a test's own look
    where type = $1";
const EVENTS: &str = "select min(seq) as seq from platform_log -- all tenants: a test's own look
    group by correlation_id, tenant order by 1 limit $1";
