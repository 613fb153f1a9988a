//! The envelope against the official SDK's event: encode and decode of one 1 KB event.

use std::hint::black_box;
use std::time::Instant;

use platform_events::envelope::Envelope;

use crate::{median, report};

const ROUNDS: u32 = 20_000;

pub(crate) fn run() {
    let payload = format!(
        "{{\"text\":\"{}\",\"n\":9007199254740993}}",
        "x".repeat(500)
    );
    let ours = Envelope::builder(
        "6f1c1d1e-0000-8000-8000-000000000001",
        "orders",
        "order.shipped",
    )
    .subject("O-1")
    .json(payload)
    .tenantid("acme")
    .correlationid("6f1c1d1e-0000-8000-8000-000000000002")
    .partitionkey("order/O-1")
    .entitytype("order")
    .entityversion(7)
    .schemaversion(1)
    .build()
    .unwrap();
    let bytes = ours.to_json();
    let own = time(|| {
        let event = Envelope::from_json(black_box(&bytes)).unwrap();
        black_box(event.to_json());
    });
    let sdk = time(|| {
        let event: cloudevents::Event = serde_json::from_slice(black_box(&bytes)).unwrap();
        black_box(serde_json::to_vec(&event).unwrap());
    });
    report("envelope decode + encode", "-", own, "ns", Some(sdk / own));
}

/// Nanoseconds of one call: the median of nine rounds.
fn time(mut call: impl FnMut()) -> f64 {
    let rounds = (0..9).map(|_| {
        let since = Instant::now();
        for _ in 0..ROUNDS {
            call();
        }
        since.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
    });
    median(rounds.collect())
}
