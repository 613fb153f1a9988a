//! What is imported again changes nothing; what has changed becomes one event each.

use platform_tests::{Database, each_backend};

use crate::program::{CUSTOMERS, ORDERS, Place, sample};

const NOW_SHIPPED: &str = "id,customer,status,ordered_at,required_at,shipped_at,currency,total\n\
    O-1,C-1,shipped,2026-03-01,,2026-03-04,EUR,10.00\nO-2,C-2,cancelled,2026-03-02T10:00:00Z,,,EUR,5.5\n";

async fn the_sample_typed_twice_is_new_only_once(database: Database) {
    let place = Place::with(database);
    let first = place.succeed(&[]);
    assert!(
        first.contains("orders           306       306 new"),
        "{first}"
    );
    assert_eq!(place.status(), sample());
    let second = place.succeed(&[]);
    let counts: Vec<&str> = second
        .lines()
        .filter(|line| line.ends_with(" new"))
        .collect();
    assert_eq!(counts.len(), 10, "{second}");
    assert!(
        counts.iter().all(|line| line.ends_with(" 0 new")),
        "{second}"
    );
    assert_eq!(place.status(), sample());
    assert_eq!(place.mails().len(), 352);
}

async fn one_change_is_one_event_of_its_own_type(database: Database) {
    let place = Place::with(database);
    let (customers, orders) = (place.file("c.csv", CUSTOMERS), place.file("o.csv", ORDERS));
    let news = place.file("news.csv", NOW_SHIPPED);
    let [customers, orders, news] = [&customers, &orders, &news].map(|path| path.to_str().unwrap());
    place.succeed(&["import", customers, orders]);
    // Ben has no address.
    assert_eq!((place.count("events"), place.mails().len()), (4, 2));
    for _ in 0..2 {
        place.succeed(&["import", news]);
        assert_eq!(
            (
                place.count("events"),
                place.count("tasks"),
                place.mails().len()
            ),
            (6, 1, 3)
        );
    }
    let told = place.succeed(&["history", "order", "O-1"]);
    assert!(
        told.starts_with("version 2: order.shipped by service:import at 2026-03-04"),
        "{told}"
    );
    assert!(told.contains("status: \"placed\" → \"shipped\""), "{told}");
    assert!(
        place
            .succeed(&["history", "order", "O-2"])
            .starts_with("version 2: order.cancelled")
    );
    let revenue = place.succeed(&["revenue"]);
    let words: Vec<&str> = revenue.split_whitespace().collect();
    assert_eq!(words, ["Norway", "1", "orders", "10.00", "EUR"]);
}

async fn a_backfill_is_remembered_and_told_to_nobody(database: Database) {
    let place = Place::with(database);
    for text in [CUSTOMERS, ORDERS, NOW_SHIPPED] {
        let file = place.file("past.csv", text);
        place.succeed(&["import", "--backfill", file.to_str().unwrap()]);
    }
    let status = place.status();
    let counts =
        ["history", "mails", "skipped", "tasks"].map(|name| status[name].as_i64().unwrap());
    assert_eq!(counts, [6, 0, 4, 0], "{status}");
    assert!(place.mails().is_empty());
}

async fn an_order_that_comes_before_its_customer_counts_in_the_right_country(database: Database) {
    let place = Place::with(database);
    let (orders, customers) = (place.file("o.csv", ORDERS), place.file("c.csv", CUSTOMERS));
    place.succeed(&["import", orders.to_str().unwrap()]);
    assert!(place.succeed(&["revenue"]).starts_with("unknown"));
    place.succeed(&["import", customers.to_str().unwrap()]);
    let revenue = place.succeed(&["revenue"]);
    let lines: Vec<Vec<&str>> = revenue
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines,
        [
            ["Norway", "1", "orders", "10.00", "EUR"],
            ["Peru", "1", "orders", "5.5", "EUR"]
        ]
    );
}

async fn tenants_with_equal_ids_are_told_apart(database: Database) {
    let place = Place::with(database);
    let file = place.file(
        "c.csv",
        "tenant,id,name,email,city,country\nnorth,C-1,Ada,,,Norway\nsouth,C-1,Zoë,,,Peru\n,C-1,Ben,,,\n",
    );
    for _ in 0..2 {
        place.succeed(&["import", file.to_str().unwrap()]);
        assert_eq!((place.count("customers"), place.count("events")), (3, 3));
    }
    let told = place.succeed(&["history", "customer", "C-1", "--tenant", "south"]);
    assert!(
        told.contains("name: \"Zoë\"") && !told.contains("Ada"),
        "{told}"
    );
}

each_backend!(
    the_sample_typed_twice_is_new_only_once,
    one_change_is_one_event_of_its_own_type,
    a_backfill_is_remembered_and_told_to_nobody,
    an_order_that_comes_before_its_customer_counts_in_the_right_country,
    tenants_with_equal_ids_are_told_apart,
);
