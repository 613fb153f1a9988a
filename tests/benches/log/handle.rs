//! Handling a full log: nothing, one row by one row, and in slices.

use std::time::Instant;

use platform_core::Store;
use platform_core::store::Dialect;
use platform_events::envelope::Envelope;
use platform_events::questions::Subject;
use platform_events::{
    BatchHandler, Context, Effects, Handler, HandlerError, Received, Service, Start,
};

use crate::twin::TABLES;
use crate::{Bed, median, peak_mib, postgres, rate, report, sqlite};

/// How many events the measures that write use.
const WRITTEN: i64 = 100_000;
/// Events of one transaction of the twin: what 50 ms hold on this machine.
const BATCH: i64 = 200;
const TWIN_BATCH: usize = 200;

struct Nothing;

impl Handler for Nothing {
    const NAME: &'static str = "nothing";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = Envelope;

    async fn handle(&self, _: Received<Envelope>, _: &mut Context<'_>) -> Result<(), HandlerError> {
        Ok(())
    }
}

struct OneRow;

impl Handler for OneRow {
    const NAME: &'static str = "one-row";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = Envelope;

    async fn handle(
        &self,
        event: Received<Envelope>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let tx = cx.tx().await?;
        tx.query("insert into effect (seq, n) values ($1, 1)")
            .bind(event.position())
            .execute()
            .await?;
        Ok(())
    }
}

struct Slices;

impl BatchHandler for Slices {
    const NAME: &'static str = "slices";
    type Event = Envelope;

    async fn handle(
        &self,
        events: &[Received<Envelope>],
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        let positions: Vec<i64> = events.iter().map(Received::position).collect();
        let tx = cx.tx().await?;
        let sql = match tx.dialect() {
            Dialect::Sqlite => {
                "insert into effect (seq, n) select 10000000000 + value, 1 from json_each($1)"
            }
            Dialect::Postgres => {
                "insert into effect (seq, n)
                 select 10000000000 + value::bigint, 1 from json_array_elements_text($1::json)"
            }
        };
        tx.query(sql)
            .bind(serde_json::to_string(&positions)?)
            .execute()
            .await?;
        Ok(())
    }
}

pub(crate) async fn run(bed: &Bed, rows: i64) {
    let service = Service::builder("bank", bed.store.clone())
        .with_migrations(TABLES)
        .build()
        .await
        .unwrap();
    drop(service);
    match bed.store.dialect() {
        Dialect::Sqlite => sqlite::fill_log(&bed.store, rows, sqlite::LOADED).await,
        Dialect::Postgres => postgres::fill_log(&bed.store, rows, postgres::LOADED).await,
    }
    let before = peak_mib();
    let figure = drain(&bed.store, Nothing.from(Start::Beginning), rows).await;
    report(
        "read with a null handler",
        bed.name,
        figure,
        "events/s",
        None,
    );
    report(
        "peak memory grown by that",
        bed.name,
        peak_mib() - before,
        "MiB",
        None,
    );
    let written = WRITTEN.min(rows);
    let from = Start::Position(rows - written);
    let figure = drain(&bed.store, OneRow.from(from.clone()), written).await;
    let since = Instant::now();
    match bed.store.dialect() {
        Dialect::Sqlite => sqlite::effects(&bed.store, written, BATCH).await,
        Dialect::Postgres => postgres::effects(&bed.store, rows - written, TWIN_BATCH).await,
    }
    let twin = rate(u64::try_from(written).unwrap(), since.elapsed());
    report(
        "handler that writes one row",
        bed.name,
        figure,
        "events/s",
        Some(figure / twin),
    );
    ask(bed, rows).await;
    let figure = drain(&bed.store, Slices.from(from), written).await;
    report(
        "batch handler that writes one row each",
        bed.name,
        figure,
        "events/s",
        None,
    );
}

/// Asks what an operator asks of a long log, each 20 times.
async fn ask(bed: &Bed, rows: i64) {
    let service = Service::builder("bank", bed.store.clone())
        .handle(Nothing.from(Start::Beginning))
        .handle(OneRow.from(Start::Beginning))
        .build()
        .await
        .unwrap();
    let (mut why, mut lag, mut why_not) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..20 {
        let position = rows / 20 * n + 1;
        let since = Instant::now();
        service.why(Subject::Position(position)).await.unwrap();
        why.push(since.elapsed().as_secs_f64() * 1e3);
        let since = Instant::now();
        service.lag().await.unwrap();
        lag.push(since.elapsed().as_secs_f64() * 1e3);
        let since = Instant::now();
        service.why_not("nothing", position).await.unwrap();
        why_not.push(since.elapsed().as_secs_f64() * 1e3);
    }
    report("why, of one event", bed.name, median(why), "ms", None);
    report(
        "why not, of one event",
        bed.name,
        median(why_not),
        "ms",
        None,
    );
    report("lag, of all handlers", bed.name, median(lag), "ms", None);
}

async fn drain(store: &Store, handler: platform_events::handler::Registration, rows: i64) -> f64 {
    let service = Service::builder("bank", store.clone())
        .handle(handler)
        .build()
        .await
        .unwrap();
    let before = service.overview().await.unwrap().handled;
    let since = Instant::now();
    service
        .run(async {
            // Only this handler's group has members; the others' lanes do not move.
            let bound = std::time::Duration::from_secs(600);
            let is_through = async || service.overview().await.unwrap().handled >= before + rows;
            platform_tests::eventually(bound, is_through).await;
        })
        .await
        .unwrap();
    rate(u64::try_from(rows).unwrap(), since.elapsed())
}
