//! Many keys that fail now and then, so that keys are blocked, retried, freed and blocked again
//! beside the reading, all the time.

use std::sync::Mutex;
use std::time::Duration;

use platform_core::RetryPolicy;
use platform_events::{Context, Effects, EntityChanged, Handler, HandlerError, Received, Start};
use platform_tests::{Database, Round, each_backend, seeds};

use crate::running::{PATIENCE, Running};
use crate::world::{Item, assert_exact, names, open, parked, publish, remember, wire};

const ROUNDS: u64 = 3;

/// Fails two times in five.
struct Moody {
    round: Mutex<Round>,
}

impl Handler for Moody {
    const NAME: &'static str = "moody";
    const EFFECTS: Effects = Effects::Transactional;
    const RETRY: RetryPolicy = RetryPolicy {
        attempts: 100,
        base: Duration::from_millis(1),
        factor: 1.0,
        ..RetryPolicy::DEFAULT
    };
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        remember(Self::NAME, &event, cx).await?;
        let fails = self.round.lock().unwrap().chance(40);
        if fails {
            Err(HandlerError::retry("in a bad mood"))
        } else {
            Ok(())
        }
    }
}

async fn keys_blocked_and_freed_all_the_time_stay_exact(database: Database) {
    let store = open(&database.url()).await;
    for round in seeds(ROUNDS) {
        let moody = Moody {
            round: Mutex::new(round),
        };
        let service = wire(&store)
            .handle(moody.from(Start::Beginning))
            .build()
            .await
            .unwrap();
        let running = Running::start(service);
        for _ in 0..6 {
            publish(
                &store,
                &running.service().publisher(),
                &names("plain", 40),
                2,
            )
            .await;
        }
        running.settled_within(2 * PATIENCE).await;
        assert_eq!(
            parked(running.service(), &store).await,
            Vec::<String>::new()
        );
        assert_exact(&store, Moody::NAME).await;
        running.stop().await;
    }
}

each_backend!(keys_blocked_and_freed_all_the_time_stay_exact);
