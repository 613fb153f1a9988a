//! Mistakes between services are found when a service is built, with the way to mend them.

use std::sync::Arc;
use std::time::Duration;

use platform_core::Store;
use platform_events::receiving::Subscription;
use platform_events::transport::memory::Memory;
use platform_events::transport::{Capabilities, Deliveries, Outgoing, Transport, TransportError};
use platform_events::{Builder, ErrorKind, Service};
use platform_tests::Backend;

use crate::world::{Home, items};

/// Carries too little.
#[derive(Debug)]
struct Narrow;

#[async_trait::async_trait]
impl Transport for Narrow {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(1_000, Duration::from_secs(1))
    }

    async fn publish(&self, _topic: &str, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        batch.iter().map(|_| Ok(())).collect()
    }

    async fn subscribe(
        &self,
        _topic: &str,
        _consumer: &str,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        Err(TransportError::permanent("it only sends"))
    }
}

#[tokio::test]
async fn every_mistake_says_how_to_mend_it() {
    let home = Home::of(Backend::Sqlite).await;
    type Wire = fn(Builder) -> Builder;
    let cases: [(Wire, &str); 10] = [
        (|b| b.relay("items"), "with_transport"),
        (|b| b.receive(items()), "with_transport"),
        (
            |b| b.with_transport(Narrow).relay("items"),
            "raise its limit",
        ),
        (
            |b| memory(b).relay("items").relay("items"),
            "name each topic once",
        ),
        (
            |b| memory(b).relay("a.b").relay("a-b"),
            "letters and digits",
        ),
        (|b| memory(b).relay(""), "58 bytes"),
        (
            |b| memory(b).receive(items()).receive(items()),
            "received twice",
        ),
        (
            |b| memory(b).receive(Subscription::topic("items")),
            "from_source",
        ),
        (
            |b| memory(b).receive(items().from_source("depot")),
            "this service itself",
        ),
        (
            |b| memory(b).receive(items().with_gap_wait(Duration::from_millis(299))),
            "with_gap_wait",
        ),
    ];
    for (wire, advice) in cases {
        let error = wire(builder(&home.store)).build().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Wiring, "{error}");
        assert!(error.to_string().contains(advice), "{error}");
    }
    let scope = memory(builder(&home.store)).receive(items().with_scope(""));
    assert!(
        scope
            .build()
            .await
            .unwrap_err()
            .to_string()
            .contains("scope")
    );
    let shared: Arc<dyn Transport> = Arc::new(Memory::new());
    let right = builder(&home.store).with_transport(shared).receive(items());
    right.build().await.unwrap();
}

fn builder(store: &Store) -> Builder {
    Service::builder("depot", store.clone())
}

fn memory(builder: Builder) -> Builder {
    builder.with_transport(Memory::new())
}
