//! Whom a service trusts: named sources and tenants, and never a stranger who speaks with its own voice.

use platform_core::TenantId;
use platform_events::envelope::Envelope;
use platform_tests::{Database, each_backend, eventually};

use crate::world::{PATIENCE, TOPIC, depot, foreign, ids, inject, items};

async fn strangers_and_other_tenants_are_put_aside(database: Database) {
    let only_acme = items().of_tenant(TenantId::parse("acme").unwrap());
    let (broker, home, depot) = depot(database, only_acme).await;
    inject(
        &broker,
        Envelope::builder("a", "stranger", "note.taken").tenantid("acme"),
    );
    inject(&broker, foreign("b").tenantid("umbrella"));
    inject(&broker, foreign("c"));
    eventually(PATIENCE, async || broker.is_idle()).await;
    assert_eq!(ids(&home.store).await, ["c"]);
    let receiving = depot.service().receiving();
    let aside = receiving.quarantine(None, 10).await.unwrap().items;
    let reasons: Vec<&str> = aside.iter().map(|kept| kept.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "the subscription does not accept the source `stranger`",
            "the subscription does not accept the tenant `umbrella`"
        ]
    );
    depot.stop().await;
}

async fn a_delivery_with_our_own_source_is_counted_and_passed_over(database: Database) {
    let (broker, home, depot) = depot(database, items()).await;
    for id in ["a", "b"] {
        let own = Envelope::builder(id, "depot", "note.taken")
            .build()
            .unwrap();
        broker.inject(TOPIC, own.to_json());
    }
    eventually(PATIENCE, async || broker.is_idle()).await;
    let receiving = depot.service().receiving();
    let state = &receiving.subscriptions().await.unwrap()[0];
    assert_eq!((state.topic.as_str(), state.own), ("items", 2));
    assert_eq!(state.quarantined, 0);
    assert!(ids(&home.store).await.is_empty());
    depot.stop().await;
}

each_backend!(
    strangers_and_other_tenants_are_put_aside,
    a_delivery_with_our_own_source_is_counted_and_passed_over,
);
