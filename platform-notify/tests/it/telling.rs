//! Every matching rule is followed once, and every refusal is visible.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use platform_core::Change;
use platform_events::{ErrorKind, Service, parking::Filter};
use platform_notify::{Notifications, Notify, Rules};
use platform_tests::{Database, each_backend, eventually};

use crate::world::{Order, World, order, rules, settle, shipped};

async fn each_event_tells_once_for_each_matching_rule(database: Database) {
    let world = World::of(&database).await;
    let orders: Vec<_> = (0..20).map(|n| order("acme", &format!("O-{n}"))).collect();
    let created: Vec<_> = orders
        .iter()
        .map(|order| Change::created(order).unwrap())
        .collect();
    let shipped: Vec<_> = orders.iter().map(shipped).collect();
    world.tell(rules(), [created, shipped].concat()).await;
    let rows = world.rows().await;
    assert_eq!(rows.len(), 20 * 2);
    assert_eq!(rows[0], "acme order-shipped ada@example.com mail sent -");
    assert_eq!(
        rows[39],
        "acme shelf-free warehouse@example.com mail sent -"
    );
    assert_eq!(world.mails().len(), 40);
}

async fn a_redelivered_event_changes_nothing(database: Database) {
    let world = World::of(&database).await;
    world.tell(rules(), shipped(&order("acme", "O-1"))).await;
    let (rows, mails) = (world.rows().await, world.mails());
    let service = world.redeliver(rules()).await;
    assert_eq!((world.rows().await, world.mails()), (rows, mails));
    assert_eq!(service.overview().await.unwrap().handled, 2);
}

async fn a_mail_that_was_taken_is_not_written_again(database: Database) {
    let world = World::of(&database).await;
    world.tell(rules(), shipped(&order("acme", "O-1"))).await;
    fs::remove_dir_all(world.mails_path()).unwrap();
    world.redeliver(rules()).await;
    assert_eq!(world.mails(), []);
}

async fn a_commit_that_failed_leaves_the_same_bytes(database: Database) {
    let world = World::of(&database).await;
    world.tell(rules(), shipped(&order("acme", "O-1"))).await;
    let mails = world.mails();
    // As after a crash between the file and the commit: the files are there, the rows are not.
    let mut tx = world.store.begin().await.unwrap();
    tx.query("delete from platform_notification where tenant = 'acme'")
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.redeliver(rules()).await;
    assert_eq!((world.mails(), world.rows().await.len()), (mails, 2));
}

async fn tenants_with_equal_ids_never_mix(database: Database) {
    let world = World::of(&database).await;
    world
        .tell(
            rules(),
            [
                shipped(&order("acme", "O-1")),
                shipped(&order("globex", "O-1")),
            ],
        )
        .await;
    let rows = world.rows().await;
    for tenant in ["acme ", "globex "] {
        assert_eq!(
            rows.iter().filter(|row| row.starts_with(tenant)).count(),
            2,
            "{rows:?}"
        );
    }
    assert_eq!(world.mails().len(), 4);
}

async fn a_muted_event_is_skipped_visibly(database: Database) {
    let world = World::of(&database).await;
    world
        .tell(rules(), shipped(&order("acme", "O-1")).muted())
        .await;
    assert_eq!(
        world.rows().await,
        [
            "acme order-shipped ada@example.com mail skipped muted",
            "acme shelf-free warehouse@example.com mail skipped muted",
        ]
    );
    assert_eq!(world.mails(), []);
}

async fn an_event_that_cannot_be_told_parks_and_tells_nobody(database: Database) {
    let world = World::of(&database).await;
    let wrong = Order {
        email: "ada@example.com\r\nBcc: eve@example.com".into(),
        ..order("acme", "O-1")
    };
    let panics =
        |order: &Order| -> Option<Notify> { (order.id == "O-2").then(|| panic!("no stamps left")) };
    let rules = rules().on("order.shipped", panics);
    let events = [
        shipped(&wrong),
        shipped(&order("acme", "O-2")),
        shipped(&order("acme", "O-3")),
    ];
    let service = world.tell(rules, events).await;
    let parked = service
        .parking()
        .list(&Filter::all(), None, 200)
        .await
        .unwrap();
    let mut reasons: Vec<_> = parked
        .items
        .iter()
        .map(|event| (event.cause.as_str(), event.reason.as_str()))
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            (
                "rejected",
                "the rule of order.shipped: it panicked: no stamps left"
            ),
            (
                "rejected",
                "the rule of order.shipped: the mail order-shipped: the part of an address before its `@` is malformed"
            ),
        ]
    );
    assert_eq!((world.rows().await.len(), world.mails().len()), (2, 2));
}

async fn a_folder_that_cannot_be_written_is_tried_again(database: Database) {
    let world = World::of(&database).await;
    let service = world.service(rules()).await;
    fs::remove_dir(world.mails_path()).unwrap();
    fs::write(world.mails_path(), "in the way").unwrap();
    service
        .publisher()
        .publish(shipped(&order("acme", "O-1")))
        .await
        .unwrap();
    let mending = async {
        eventually(Duration::from_secs(20), async || {
            let failed = "select count(*) as failed from platform_blocked";
            let row = world.store.query(failed).fetch_one().await.unwrap();
            row.get::<i64>("failed").unwrap() > 0
        })
        .await;
        fs::remove_file(world.mails_path()).unwrap();
    };
    tokio::join!(settle(&service), mending);
    assert_eq!((world.rows().await.len(), world.mails().len()), (2, 2));
}

async fn a_wrong_sender_is_found_before_the_first_event(database: Database) {
    let world = World::of(&database).await;
    let notifications = Notifications::to_folder(world.mails_path())
        .with_sender("shop")
        .with_rules(rules());
    let built = Service::builder("shop", world.store.clone())
        .with(notifications)
        .build()
        .await;
    let error = built.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Wiring);
    assert!(
        error
            .to_string()
            .contains("the sender cannot send: an address has no `@`"),
        "{error}"
    );
}

async fn what_can_never_tell_is_found_before_the_first_event(database: Database) {
    let world = World::of(&database).await;
    let blind = Rules::new().on("ordre.shipped", |_: &Order| None::<Notify>);
    let notifications = |path: PathBuf, rules| Notifications::to_folder(path).with_rules(rules);
    fs::write(world.mails_path(), "in the way").unwrap();
    for (notifications, words) in [
        (
            notifications(world.mails_path().with_file_name("other"), blind),
            "ordre.shipped looks at a order",
        ),
        (
            notifications(world.mails_path(), rules()),
            "name another folder",
        ),
    ] {
        let builder = Service::builder("shop", world.store.clone()).with(notifications);
        let error = builder.build().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Wiring);
        assert!(error.to_string().contains(words), "{error}");
    }
}

async fn a_mail_may_tell_several_people(database: Database) {
    let world = World::of(&database).await;
    let rules = Rules::new().on("order.shipped", |_: &Order| {
        ["a@example.com", "b@example.com", "c@example.com"]
            .map(|to| Notify::template("round").to(to).subject("All").text("x"))
    });
    world.tell(rules, shipped(&order("acme", "O-1"))).await;
    assert_eq!((world.rows().await.len(), world.mails().len()), (3, 3));
}

each_backend!(
    each_event_tells_once_for_each_matching_rule,
    a_redelivered_event_changes_nothing,
    a_mail_that_was_taken_is_not_written_again,
    a_commit_that_failed_leaves_the_same_bytes,
    tenants_with_equal_ids_never_mix,
    a_muted_event_is_skipped_visibly,
    an_event_that_cannot_be_told_parks_and_tells_nobody,
    a_folder_that_cannot_be_written_is_tried_again,
    a_wrong_sender_is_found_before_the_first_event,
    what_can_never_tell_is_found_before_the_first_event,
    a_mail_may_tell_several_people,
);
