//! A service that works beside its story, and bounded waiting for what it does.

use std::sync::Arc;
use std::time::Duration;

use platform_core::Store;
use platform_events::{Error, Service};
use platform_tests::eventually;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::count;

/// How long a story waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A service at work. Stopped in order by [`stop`](Self::stop).
#[derive(Debug)]
pub(crate) struct Running {
    service: Arc<Service>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) fn start(service: Service) -> Self {
        let service = Arc::new(service);
        let (stop, stopped) = oneshot::channel::<()>();
        let working = Arc::clone(&service);
        let task = tokio::spawn(async move {
            working
                .run(async {
                    // A dropped story stops its service too.
                    drop(stopped.await);
                })
                .await
        });
        Self {
            service,
            stop,
            task,
        }
    }

    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    /// Waits until the service holds every lane, so that what it does not do is no accident.
    pub(crate) async fn ready(&self, store: &Store) {
        let free = "select count(*) as n from platform_lane where process is null";
        eventually(PATIENCE, async || {
            self.service.health().is_ready && count(store, free).await == 0
        })
        .await;
    }

    /// Waits until nothing is left to do.
    pub(crate) async fn settled(&self) {
        eventually(PATIENCE, async || self.service.is_settled().await.unwrap()).await;
    }

    /// Stops the service and answers how it ended.
    pub(crate) async fn stop(self) {
        // It may have ended by itself.
        let _ = self.stop.send(());
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.unwrap().unwrap().unwrap();
    }
}

/// Runs a service until nothing is left to do.
pub(crate) async fn settle(service: &Service) {
    let ended = tokio::time::timeout(PATIENCE, service.run_until_settled()).await;
    ended.unwrap().unwrap();
}

/// Watches for a while that something does not happen.
pub(crate) async fn not_within(bound: Duration, condition: impl AsyncFnMut() -> bool) {
    let happened = tokio::time::timeout(bound, eventually(2 * bound, condition)).await;
    assert!(happened.is_err(), "it happened within {bound:?}");
}
