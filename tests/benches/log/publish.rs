//! Publishing inside a business transaction, against one that inserts the same two rows with plain sqlx.

use std::time::{Duration, Instant};

use platform_core::Store;
use platform_core::store::Dialect;
use platform_events::{Publisher, Service};
use platform_tests::postgres::Server;
use tokio::task::JoinSet;

use crate::twin::{Account, TABLES};
use crate::{Bed, beds, median, postgres, rate, report, sqlite};

const SPAN: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
/// Each client has accounts of its own, so that no two wait for each other's row.
const PER_CLIENT: i64 = 20;

pub(crate) async fn run(server: &Server) {
    for bed in beds(server).await {
        let service = Service::builder("bank", bed.store.clone())
            .with_migrations(TABLES)
            .build()
            .await;
        let publisher = service.unwrap().publisher();
        let fill = if is_sqlite(&bed.store) {
            sqlite::FILL
        } else {
            postgres::FILL
        };
        let mut tx = bed.store.begin().await.unwrap();
        tx.query(fill).execute().await.unwrap();
        tx.commit().await.unwrap();
        let clients: &[i64] = if is_sqlite(&bed.store) {
            &[1]
        } else {
            &[1, 8, 32, 64]
        };
        compare(&bed, &publisher, clients, "publish").await;
        if !is_sqlite(&bed.store) {
            postgres::fill_ids(&bed.store, 10_000_000).await;
            compare(&bed, &publisher, clients, "publish, 10 million ids").await;
        }
    }
}

fn is_sqlite(store: &Store) -> bool {
    store.dialect() == Dialect::Sqlite
}

async fn compare(bed: &Bed, publisher: &Publisher, clients: &[i64], name: &str) {
    for &clients in clients {
        let (mut figures, mut ratios) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let twin = storm(bed, clients, None).await;
            let ours = storm(bed, clients, Some(publisher)).await;
            if round > 0 {
                figures.push(ours);
                ratios.push(ours / twin);
            }
        }
        let name = format!("{name}, {clients} clients");
        report(
            &name,
            bed.name,
            median(figures),
            "tx/s",
            Some(median(ratios)),
        );
    }
}

/// Lets `clients` work for the span, with the publisher or as the raw twin, and returns transactions a second.
async fn storm(bed: &Bed, clients: i64, publisher: Option<&Publisher>) -> f64 {
    let since = Instant::now();
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (store, publisher) = (bed.store.clone(), publisher.cloned());
        tasks.spawn(async move {
            let mut count = 0;
            while since.elapsed() < SPAN {
                let id = client * PER_CLIENT + i64::try_from(count).unwrap() % PER_CLIENT;
                match &publisher {
                    Some(publisher) => publish(&store, publisher, id).await,
                    None if is_sqlite(&store) => sqlite::twin(&store, id).await,
                    None => postgres::twin(&store, id).await,
                }
                count += 1;
            }
            count
        });
    }
    let mut total = 0;
    while let Some(count) = tasks.join_next().await {
        total += count.unwrap();
    }
    rate(total, since.elapsed())
}

async fn publish(store: &Store, publisher: &Publisher, id: i64) {
    let mut tx = store.begin().await.unwrap();
    let row = tx.query(MOVE).bind(id).fetch_one().await.unwrap();
    let version = u64::try_from(row.get::<i64>("version").unwrap()).unwrap();
    publisher
        .publish_in(&mut tx, Account::moved(id, version - 1))
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// The business write of both sides.
pub(crate) const MOVE: &str = "update account set version = version + 1, balance = balance + 1 where id = $1 returning version";
