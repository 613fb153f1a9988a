//! Deliveries that must not be appended: each lies in quarantine as it came, with its reason, and holds nobody up.

use platform_events::receiving::Quarantined;
use platform_events::transport::memory::Memory;
use platform_tests::{Backend, Database, each_backend, eventually};

use crate::world::{
    Home, PATIENCE, Running, TOPIC, count, depot, following, foreign, ids, inject, items,
};

async fn aside(depot: &Running) -> Vec<Quarantined> {
    let receiving = depot.service().receiving();
    receiving.quarantine(None, 200).await.unwrap().items
}

fn plain(id: &str, member: &str) -> Vec<u8> {
    let text = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"post","type":"note.taken",{member}"data":{{}}}}"#
    );
    text.into_bytes()
}

async fn every_bad_delivery_is_kept_with_its_reason(database: Database) {
    let (broker, home, depot) = depot(database, items()).await;
    let id_of_2_kib = "x".repeat(2_048);
    let large = format!("\"note\":\"{}\",", "y".repeat(4 * 1024 * 1024));
    let long = format!("\"correlationid\":\"{}\",", "z".repeat(1_025));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"\0".to_vec(), "not a JSON object"),
        (Vec::new(), "not a JSON object"),
        (b"[]".to_vec(), "not a JSON object"),
        (plain("nul", "\"subject\":\"a\\u0000b\","), "subject"),
        (plain(&id_of_2_kib, ""), "id has 2048 bytes"),
        (
            br#"{"specversion":"1.0","source":"post","type":"a.b"}"#.to_vec(),
            "id is missing",
        ),
        (plain("large", &large), "event has"),
        (plain("long", &long), "correlationid"),
        (plain("tenant", "\"tenantid\":\"no tenant\","), "tenant"),
        (
            plain("time", "\"sentat\":\"yesterday\","),
            "sentat is no time",
        ),
        (
            plain("ahead", "\"sentat\":\"2999-01-01T00:00:00Z\","),
            "a day ahead",
        ),
        (plain("half", "\"predecessor\":\"other\","), "come together"),
        (
            following("itself", "itself").build().unwrap().to_json(),
            "names the event itself",
        ),
    ];
    for (raw, _) in &cases {
        broker.inject(TOPIC, raw.clone());
        // The neighbours of a bad one are none the worse.
        inject(&broker, foreign(&format!("good-{}", raw.len())));
    }
    let count_aside = "select count(*) as n from platform_quarantine";
    let all =
        async || broker.is_idle() && count(&home.store, count_aside).await == cases.len() as i64;
    eventually(PATIENCE, all).await;
    let kept = aside(&depot).await;
    for (raw, reason) in &cases {
        let kept = kept.iter().find(|kept| kept.raw == *raw).unwrap();
        assert!(kept.reason.contains(reason), "{}: {reason}", kept.reason);
    }
    assert!(
        ids(&home.store)
            .await
            .iter()
            .all(|id| id.starts_with("good-"))
    );
    // Delivered again, the same bytes lie there once.
    broker.inject(TOPIC, cases[0].0.clone());
    eventually(PATIENCE, async || broker.is_idle()).await;
    assert_eq!(aside(&depot).await.len(), cases.len());
    depot.stop().await;
}

async fn other_content_under_a_known_id_is_kept_beside_the_first(database: Database) {
    let (broker, home, depot) = depot(database, items()).await;
    inject(&broker, foreign("a"));
    inject(&broker, foreign("a"));
    inject(&broker, foreign("a").json("\"other\""));
    // As it waits, too.
    inject(&broker, following("w", "never"));
    inject(&broker, following("w", "never").json("\"other\""));
    eventually(PATIENCE, async || aside(&depot).await.len() == 2).await;
    eventually(PATIENCE, async || broker.is_idle()).await;
    let kept = aside(&depot).await;
    assert!(
        kept.iter()
            .all(|kept| kept.reason.contains("other content"))
    );
    assert_eq!(ids(&home.store).await, ["a"]);
    let waiting = "select count(*) as n from platform_received";
    assert_eq!(count(&home.store, waiting).await, 1);
    depot.stop().await;
}

/// Makes a store that refuses the events of one type.
async fn refuse_poison(home: &Home, backend: Backend) {
    let statements: &[&'static str] = match backend {
        Backend::Sqlite => &["create trigger poison before insert on platform_log
            when new.type = 'note.poison' begin select raise(abort, 'poison'); end"],
        Backend::Postgres => &[
            "create function poison() returns trigger language plpgsql as
                $$ begin raise exception 'poison'; end $$",
            "create trigger poison before insert on platform_log for each row
                when (new.type = 'note.poison') execute function poison()",
        ],
    };
    run(home, statements).await;
}

async fn run(home: &Home, statements: &[&'static str]) {
    let mut tx = home.store.begin().await.unwrap();
    for sql in statements {
        tx.query(sql).execute().await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn poison(broker: &Memory, id: &str, before: Option<&str>) {
    let event = before.map_or_else(|| foreign(id), |before| following(id, before));
    let json = String::from_utf8(event.build().unwrap().to_json()).unwrap();
    broker.inject(TOPIC, json.replace("note.taken", "note.poison"));
}

async fn one_that_cannot_be_stored_does_not_hold_up_its_batch(database: Database) {
    let backend = database.backend();
    let (broker, home, depot) = depot(database, items()).await;
    refuse_poison(&home, backend).await;
    inject(&broker, foreign("a"));
    poison(&broker, "bad", None);
    inject(&broker, foreign("b"));
    eventually(PATIENCE, async || ids(&home.store).await == ["a", "b"]).await;
    eventually(PATIENCE, async || broker.is_idle()).await;
    assert!(aside(&depot).await[0].reason.contains("refuses it"));

    // One that waits must not be laid to the charge of the one it waits for.
    poison(&broker, "worse", Some("c"));
    let waiting = "select count(*) as n from platform_received";
    eventually(PATIENCE, async || count(&home.store, waiting).await == 1).await;
    inject(&broker, foreign("c"));
    eventually(PATIENCE, async || ids(&home.store).await == ["a", "b", "c"]).await;
    eventually(PATIENCE, async || aside(&depot).await.len() == 2).await;
    assert_eq!(aside(&depot).await[1].event_id.as_deref(), Some("worse"));
    depot.stop().await;
}

async fn a_full_quarantine_pauses_receiving_until_there_is_room(database: Database) {
    let (broker, home, depot) = depot(database, items().with_quarantine_max(2)).await;
    for id in ["a", "b", "c"] {
        inject(&broker, foreign(id).extension("sentat", "yesterday"));
        let is_idle = async || broker.is_idle() || id == "c";
        eventually(PATIENCE, is_idle).await;
    }
    let is_paused = async || {
        let reasons = depot.service().health().reasons;
        reasons.iter().any(|why| why.contains("quarantine is full"))
    };
    eventually(PATIENCE, is_paused).await;
    inject(&broker, foreign("good"));
    assert!(ids(&home.store).await.is_empty());
    let receiving = depot.service().receiving();
    let first = aside(&depot).await[0].id;
    assert_eq!(receiving.remove(&[first]).await.unwrap(), 1);
    eventually(PATIENCE, async || ids(&home.store).await == ["good"]).await;
    eventually(PATIENCE, async || !is_paused().await).await;
    let kept = aside(&depot).await;
    let kept: Vec<_> = kept
        .iter()
        .filter_map(|kept| kept.event_id.as_deref())
        .collect();
    assert_eq!(kept, ["b", "c"]);
    depot.stop().await;
}

/// A store that refuses everything is not the fault of what was delivered.
async fn a_store_that_refuses_everything_puts_nothing_aside(database: Database) {
    let backend = database.backend();
    let (broker, home, depot) = depot(database, items()).await;
    let (make, mend): (&[&'static str], &'static str) = match backend {
        Backend::Sqlite => (
            &[
                "create trigger shut before insert on platform_log begin select raise(abort, 'shut'); end",
            ],
            "drop trigger shut",
        ),
        Backend::Postgres => (
            &[
                "create function shut() returns trigger language plpgsql as
                    $$ begin raise exception 'shut'; end $$",
                "create trigger shut before insert on platform_log for each row execute function shut()",
            ],
            "create or replace function shut() returns trigger language plpgsql as
                $$ begin return new; end $$",
        ),
    };
    run(&home, make).await;
    for id in ["a", "b", "c"] {
        inject(&broker, foreign(id));
    }
    let is_held = async || {
        let reasons = depot.service().health().reasons;
        reasons
            .iter()
            .any(|why| why.contains("the store refuses a batch"))
    };
    eventually(PATIENCE, is_held).await;
    run(&home, &[mend]).await;
    eventually(PATIENCE, async || ids(&home.store).await.len() == 3).await;
    eventually(PATIENCE, async || broker.is_idle() && !is_held().await).await;
    assert!(aside(&depot).await.is_empty());
    depot.stop().await;
}

each_backend!(
    a_store_that_refuses_everything_puts_nothing_aside,
    a_full_quarantine_pauses_receiving_until_there_is_room,
    every_bad_delivery_is_kept_with_its_reason,
    other_content_under_a_known_id_is_kept_beside_the_first,
    one_that_cannot_be_stored_does_not_hold_up_its_batch,
);
