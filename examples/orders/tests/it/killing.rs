//! Killed at any moment and typed again, the totals are exact.

use std::time::Duration;

use platform_tests::{Database, Round, each_backend, seeds, until};
use serde_json::Value;

use crate::program::{Place, sample};

const ROUNDS: u64 = 6;
/// Rows of the files that are imported under fire, in each.
const ROWS: i64 = 1_500;

/// Lets the program run for a drawn while of at most 600 ms and kills it.
fn run_and_kill(place: &Place, arguments: &[&str], round: &mut Round) {
    let mut child = place.start(arguments);
    let moment = Duration::from_millis(round.below(600));
    let _ended = until(moment, || child.try_wait().unwrap().is_some());
    // One that has ended by itself cannot be killed any more.
    drop(child.kill());
    child.wait().unwrap();
}

async fn a_killed_sample_typed_again_has_exact_totals(database: Database) {
    let place = Place::with(database);
    for mut round in seeds(ROUNDS) {
        run_and_kill(&place, &[], &mut round);
    }
    place.succeed(&[]);
    assert_eq!(place.status(), sample());
    assert_eq!(place.mails().len(), 352);
}

async fn a_killed_import_typed_again_has_exact_totals(database: Database) {
    let place = Place::with(database);
    let (customers, orders) = files(&place);
    for mut round in seeds(ROUNDS) {
        run_and_kill(&place, &["import", &customers, &orders], &mut round);
    }
    place.succeed(&["import", &customers, &orders]);
    assert_eq!(place.status(), expected());
    let revenue = place.succeed(&["revenue"]);
    let orders: i64 = revenue
        .lines()
        .map(|line| {
            line.split_whitespace()
                .nth(1)
                .unwrap()
                .parse::<i64>()
                .unwrap()
        })
        .sum();
    assert_eq!(orders, ROWS, "{revenue}");
}

/// Customers without addresses: this is about rows and events.
fn files(place: &Place) -> (String, String) {
    let mut customers = "id,name,email,city,country\n".to_owned();
    let mut orders =
        "id,customer,status,ordered_at,required_at,shipped_at,currency,total\n".to_owned();
    for n in 0..ROWS {
        customers += &format!("C-{n},\"Name, {n}\",,,Land-{}\n", n % 7);
        orders += &format!("O-{n},C-{},placed,2026-03-01,,,EUR,{n}.25\n", n % 300);
    }
    let [customers, orders] = [("c.csv", customers), ("o.csv", orders)]
        .map(|(name, text)| place.file(name, text).to_str().unwrap().to_owned());
    (customers, orders)
}

fn expected() -> Value {
    serde_json::json!({
        "customers": ROWS, "orders": ROWS, "events": 2 * ROWS, "handled": 6 * ROWS, "waiting": 0, "parked": 0,
        "history": 2 * ROWS, "mails": 0, "skipped": 0, "tasks": 0, "settled": true,
    })
}

each_backend!(
    a_killed_sample_typed_again_has_exact_totals,
    a_killed_import_typed_again_has_exact_totals,
);
