//! Draining a full log to a transport that takes everything, without stamps and with them.

use std::time::Instant;

use async_trait::async_trait;
use platform_core::store::Dialect;
use platform_events::Service;
use platform_events::transport::{Capabilities, Deliveries, Outgoing, Transport, TransportError};
use platform_tests::postgres::Server;

use crate::{beds, postgres, rate, report, sqlite};

/// Events without a key leave no record of what was sent before them.
const PLAIN: &str = r#"{"specversion":"1.0","id":"x-{n}","source":"bank","type":"account.updated","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","tenantid":"default"}"#;
const KEYED: &str = r#"{"specversion":"1.0","id":"x-{n}","source":"bank","type":"account.updated","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","partitionkey":"account/{n}","tenantid":"default"}"#;

#[derive(Debug)]
struct Null;

#[async_trait]
impl Transport for Null {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(256 * 1024, std::time::Duration::from_secs(60))
    }

    async fn publish(&self, _topic: &str, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        batch.iter().map(|_| Ok(())).collect()
    }

    async fn subscribe(
        &self,
        _topic: &str,
        _consumer: &str,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        Err(TransportError::permanent("nothing comes from here"))
    }
}

pub(crate) async fn run(server: &Server, rows: i64) {
    for (name, attributes) in [
        ("relay to a null transport", PLAIN),
        ("relay with stamps, 10,000 keys", KEYED),
    ] {
        for bed in beds(server).await {
            let service = Service::builder("bank", bed.store.clone())
                .with_transport(Null)
                .relay("out")
                .build()
                .await
                .unwrap();
            match bed.store.dialect() {
                Dialect::Sqlite => sqlite::fill_log(&bed.store, rows, attributes).await,
                Dialect::Postgres => postgres::fill_log(&bed.store, rows, attributes).await,
            }
            let since = Instant::now();
            let bound = std::time::Duration::from_secs(600);
            let is_through = async || service.overview().await.unwrap().handled >= rows;
            let through = async { platform_tests::eventually(bound, is_through).await };
            service.run(through).await.unwrap();
            let figure = rate(u64::try_from(rows).unwrap(), since.elapsed());
            report(name, bed.name, figure, "events/s", None);
        }
    }
}
