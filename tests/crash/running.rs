//! A worker inside the test's own process, and bounded waiting for what it does.

use std::sync::Arc;
use std::time::Duration;

use platform_core::Store;
use platform_events::{Error, Service};
use platform_tests::eventually;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::{assert_exact, parked, post};

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

    /// Waits until nothing is left to do.
    pub(crate) async fn settled(&self) {
        self.settled_within(PATIENCE).await;
    }

    pub(crate) async fn settled_within(&self, bound: Duration) {
        eventually(bound, async || {
            self.service.is_settled().await.unwrap_or(false)
        })
        .await;
    }

    /// Stops the service and answers how it ended.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.unwrap().unwrap().unwrap();
    }
}

/// Runs a new worker until nothing is left to do, then asserts that all is exact.
pub(crate) async fn settle_and_check(store: &Store, expected: &[&str]) {
    let service = post(store).await;
    let ended = tokio::time::timeout(PATIENCE, service.run_until_settled()).await;
    if ended.is_err() {
        panic!("not settled: {:?}", service.overview().await);
    }
    ended.unwrap().unwrap();
    assert_eq!(parked(&service, store).await, expected);
    assert_exact(store, "track").await;
}
