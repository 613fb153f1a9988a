//! Measures the log against raw twins: hand-written sqlx that makes the same statements, in the same run.
//!
//! One line per measure: name, store, value, unit, ratio to the twin. `PLATFORM_BENCH_ROWS` sets how many rows
//! the reading measures use; 1,000,000 unless set.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its figures and ends where something fails"
)]

mod envelope;
mod handle;
mod latency;
mod postgres;
mod publish;
mod relay;
mod sqlite;
mod twin;

use std::time::{Duration, Instant};

use platform_core::Store;
use platform_core::store::Options;
use platform_tests::{Backend, Database, postgres::Server};

/// A store to measure on, with the server or file behind it.
pub(crate) struct Bed {
    pub(crate) name: &'static str,
    pub(crate) store: Store,
    _database: Box<dyn std::any::Any>,
}

async fn beds(server: &Server) -> Vec<Bed> {
    let file: Database = Backend::Sqlite.fresh().await;
    let url = file.url();
    let store = Store::open(&url).await.unwrap();
    let sqlite = Bed {
        name: "sqlite",
        store,
        _database: Box::new(file),
    };
    vec![sqlite, on_postgres(server).await]
}

async fn on_postgres(server: &Server) -> Bed {
    let database = server.fresh();
    let url = database.url().to_owned();
    let store = Options::new(&url)
        .with_connections_max(80)
        .open()
        .await
        .unwrap();
    Bed {
        name: "postgres",
        store,
        _database: Box::new(database),
    }
}

/// Prints one measure.
pub(crate) fn report(name: &str, store: &str, value: f64, unit: &str, ratio: Option<f64>) {
    let ratio = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
    println!("{name:<46} {store:<9} {value:>12.1} {unit:<9} {ratio}");
}

/// How many rows the reading measures use.
fn rows_from_env() -> i64 {
    std::env::var("PLATFORM_BENCH_ROWS")
        .ok()
        .and_then(|rows| rows.parse().ok())
        .unwrap_or(1_000_000)
}

/// The middle of several figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Figures per second.
pub(crate) fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// The greatest memory this process has had, in MiB.
pub(crate) fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1024.0
}

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|want| want == name);
    let server = Server::durable();
    let since = Instant::now();
    println!(
        "{:<46} {:<9} {:>12} {:<9} ratio to the twin",
        "measure", "store", "value", "unit"
    );
    if is_wanted("envelope") {
        envelope::run();
    }
    if is_wanted("publish") {
        publish::run(&server).await;
    }
    if is_wanted("latency") {
        for bed in beds(&server).await {
            latency::run(&bed).await;
        }
    }
    if is_wanted("handle") {
        for bed in beds(&server).await {
            handle::run(&bed, rows_from_env()).await;
        }
    }
    if is_wanted("relay") {
        relay::run(&server, rows_from_env() / 2).await;
    }
    println!("took {:?}", since.elapsed());
}
