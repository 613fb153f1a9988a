//! Two tenants with equal ids share nothing: not rows, keys, order or parking.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use platform_core::{Actor, Store, TenantId};
use platform_events::parking::Filter;
use platform_events::{
    Context, Effects, EntityChanged, Event, Handler, HandlerError, Published, Received, Reject,
    Service, Start,
};
use platform_tests::{Database, each_backend};

use crate::running::settle;
use crate::world::{Item, count, moved, note, open, post, remember, seen, watching};

fn tenants() -> [TenantId; 2] {
    ["acme", "beta"].map(|name| TenantId::parse(name).unwrap())
}

async fn equal_ids_of_two_tenants_are_two_entities(database: Database) {
    let store = open(&database).await;
    let service = watching(&store).await;
    let publisher = service.publisher();
    for version in 1..=10 {
        for tenant in tenants() {
            let published = publisher
                .publish(moved(&tenant, "7", version))
                .await
                .unwrap();
            assert!(
                matches!(published[..], [Published::New(_)]),
                "{published:?}"
            );
        }
    }
    settle(&service).await;
    for tenant in ["acme", "beta"] {
        let mine: Vec<String> = (1..=10)
            .map(|version| format!("{tenant}/7/{version}"))
            .collect();
        let mut lines = seen(&store, "track").await;
        lines.retain(|line| line.starts_with(tenant));
        assert_eq!(lines, mine);
    }
    let keys = "select count(*) as n from (select key from platform_log group by key) k";
    assert_eq!(
        count(&store, keys).await,
        2,
        "each tenant has a key of its own"
    );
    let mixed = "select count(*) as n from (
        select key from platform_log group by key having count(distinct tenant) > 1) k";
    assert_eq!(count(&store, mixed).await, 0);
}

async fn one_idempotency_key_serves_each_tenant_once(database: Database) {
    let store = open(&database).await;
    let service = watching(&store).await;
    let publisher = service.publisher();
    for tenant in tenants() {
        let draft = || {
            note("7", tenant.as_str())
                .keyed("7/once")
                .of_tenant(tenant.clone())
        };
        let first = publisher.publish(draft()).await.unwrap();
        let again = publisher.publish(draft()).await.unwrap();
        assert!(matches!(first[..], [Published::New(_)]), "{first:?}");
        assert!(matches!(again[..], [Published::Duplicate(_)]), "{again:?}");
    }
}

/// Refuses what belongs to one tenant until it is mended.
struct Picky(Arc<AtomicBool>);

impl Handler for Picky {
    const NAME: &'static str = "picky";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        if event.envelope().tenantid() == Some("acme") && !self.0.load(Ordering::Acquire) {
            return Err("not for acme".reject());
        }
        remember(Self::NAME, &event, cx).await
    }
}

async fn a_parked_event_of_one_tenant_holds_up_no_other(database: Database) {
    let store = open(&database).await;
    let is_mended = Arc::new(AtomicBool::new(false));
    let service = picky(&store, &is_mended).await;
    for version in 1..=5 {
        for tenant in tenants() {
            service
                .publisher()
                .publish(moved(&tenant, "7", version))
                .await
                .unwrap();
        }
    }
    settle(&service).await;
    let beta: Vec<String> = (1..=5).map(|version| format!("beta/7/{version}")).collect();
    assert_eq!(seen(&store, "picky").await, beta);
    let parking = service.parking();
    let listed = async |tenant: &str| {
        parking
            .list(&Filter::all().tenant(tenant), None, 200)
            .await
            .unwrap()
            .items
            .len()
    };
    assert_eq!((listed("acme").await, listed("beta").await), (1, 0));
    let by = Actor::user("ada");
    let wrong = parking
        .discard(&Filter::all().tenant("beta"), &by, "wrong tenant")
        .await;
    assert!(wrong.is_err());

    is_mended.store(true, Ordering::Release);
    parking
        .redrive(&Filter::all().tenant("acme"), &by, "mended")
        .await
        .unwrap();
    settle(&picky(&store, &is_mended).await).await;
    let mut lines = seen(&store, "picky").await;
    lines.retain(|line| line.starts_with("acme"));
    let acme: Vec<String> = (1..=5).map(|version| format!("acme/7/{version}")).collect();
    assert_eq!(lines, acme);
}

async fn picky(store: &Store, is_mended: &Arc<AtomicBool>) -> Service {
    post(store, [Picky(Arc::clone(is_mended)).from(Start::Now)])
        .await
        .unwrap()
}

each_backend!(
    equal_ids_of_two_tenants_are_two_entities,
    one_idempotency_key_serves_each_tenant_once,
    a_parked_event_of_one_tenant_holds_up_no_other,
);
