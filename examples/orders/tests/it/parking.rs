//! What cannot be handled is parked, told, and tried again when its cause is gone.

use platform_core::Store;
use platform_tests::{Database, each_backend};

use crate::program::{CUSTOMERS, ORDERS, Place, told};

async fn nothing_parked_cannot_be_decided_about(database: Database) {
    let place = Place::with(database);
    assert_eq!(place.succeed(&["parked"]), "nothing is parked\n");
    for decision in ["redrive", "discard"] {
        let output = place.run(&[decision, "--position", "7", "--because", "trying"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            told(&output).contains("no parked event is meant"),
            "{}",
            told(&output)
        );
    }
}

async fn what_is_parked_waits_for_a_decision(database: Database) {
    let place = Place::with(database);
    let (customers, orders) = (place.file("c.csv", CUSTOMERS), place.file("o.csv", ORDERS));
    place.succeed(&["import", customers.to_str().unwrap()]);
    spend(&place, "damaged").await;
    place.succeed(&["import", orders.to_str().unwrap()]);
    assert_eq!(
        (place.count("parked"), place.status()["settled"].as_bool()),
        (2, Some(true))
    );
    let listed = place.succeed(&["parked", "--handler", "revenue"]);
    assert_eq!(
        listed.matches("in revenue: rejected").count(),
        2,
        "{listed}"
    );
    assert!(listed.contains("spent is damaged"), "{listed}");

    spend(&place, "{}").await;
    let first = listed.split_whitespace().next().unwrap();
    place.succeed(&[
        "discard",
        "--position",
        first,
        "--because",
        "counted by hand",
    ]);
    place.succeed(&[
        "redrive",
        "--type",
        "order.created",
        "--because",
        "the row is mended",
    ]);
    place.succeed(&["work", "--until-settled"]);
    assert_eq!(place.count("parked"), 0);
    let revenue = place.succeed(&["revenue"]);
    assert!(
        revenue.starts_with("Peru") && revenue.lines().count() == 1,
        "{revenue}"
    );
}

/// Overwrites what the read model keeps of every customer.
async fn spend(place: &Place, spent: &str) {
    let store = Store::open(&place.url()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.query("update revenue_customer set spent = $1")
        .bind(spent)
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

each_backend!(
    nothing_parked_cannot_be_decided_about,
    what_is_parked_waits_for_a_decision
);
