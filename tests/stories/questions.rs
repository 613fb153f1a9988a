//! An operator asks: why, why not, how far, what is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platform_core::{Actor, CorrelationId, Key, Store, TenantId};
use platform_events::handler::Registration;
use platform_events::parking::Filter;
use platform_events::questions::{Complaint, Subject, WhyNot};
use platform_events::replay::Replay;
use platform_events::{
    Context, Effects, EntityChanged, ErrorKind, Handler, HandlerError, Received, Reject, Service,
    Start,
};
use platform_history::History;
use platform_notify::{Notifications, Notify, Rules};
use platform_tasks::{Task, TaskContext, Tasks, days};
use platform_tests::{Database, each_backend, eventually};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::running::PATIENCE;
use crate::world::{Item, NoteTaken, TABLES, count, moved, note, open};

/// Takes a note of every second stop, until it is told to be picky.
#[derive(Clone, Default)]
struct Scribe(Arc<AtomicBool>);

impl Handler for Scribe {
    const NAME: &'static str = "scribe";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        if self.0.load(Ordering::Acquire) {
            return Err("I am tired".reject());
        }
        let item = event.entity().map(|item| item.id.clone());
        cx.publish(note(&item.unwrap_or_default(), "moved"));
        Ok(())
    }
}

/// Reads the notes.
struct Reader;

impl Handler for Reader {
    const NAME: &'static str = "reader";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = NoteTaken;

    async fn handle(
        &self,
        _: Received<NoteTaken>,
        _: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct AskLater {
    item: String,
}

impl Task for AskLater {
    const KIND: &'static str = "ask-later";

    async fn run(&self, _cx: &mut TaskContext<'_>) -> Result<(), HandlerError> {
        Ok(())
    }
}

/// A service with everything that can follow from an event.
struct World {
    store: Store,
    scribe: Scribe,
    mails: TempDir,
}

impl World {
    async fn of(database: &Database) -> Self {
        Self {
            store: open(database).await,
            scribe: Scribe::default(),
            mails: tempfile::tempdir().unwrap(),
        }
    }

    fn handlers(&self) -> [Registration; 2] {
        [
            self.scribe.clone().from(Start::Now),
            Reader.from(Start::Now),
        ]
    }

    async fn service(&self) -> Service {
        let rules = Rules::new().on("item.created", |item: &Item| {
            let mail = Notify::template("welcome")
                .subject("Hello")
                .text("It is here.");
            mail.to(format!("{}@example.org", item.id))
        });
        let tasks = Tasks::new().on("item.created", |item: &Item| {
            AskLater {
                item: item.id.clone(),
            }
            .after(days(3))
        });
        let builder = Service::builder("post", self.store.clone()).with_migrations(TABLES);
        self.handlers()
            .into_iter()
            .fold(builder, |builder, handler| builder.handle(handler))
            .with(History::of::<Item>())
            .with(Notifications::to_folder(self.mails.path()).with_rules(rules))
            .with(tasks)
            .build()
            .await
            .unwrap()
    }
}

async fn settle(service: &Service) {
    tokio::time::timeout(PATIENCE, service.run_until_settled())
        .await
        .unwrap()
        .unwrap();
}

async fn created(service: &Service, id: &str) -> i64 {
    let change = moved(&TenantId::default(), id, 1)
        .by(Actor::user("ada"))
        .because("it came");
    let published = service.publisher().publish(change).await.unwrap();
    match published[..] {
        [platform_events::Published::New(position)] => position,
        _ => panic!("{published:?}"),
    }
}

async fn why_tells_the_whole_chain_from_wherever_it_is_asked(database: Database) {
    let world = World::of(&database).await;
    let service = world.service().await;
    let position = created(&service, "i").await;
    created(&service, "other").await;
    settle(&service).await;
    let why = service.why(Subject::Position(position)).await.unwrap();
    let types: Vec<&str> = why
        .events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    assert_eq!(types, ["item.created", "note.taken"]);
    let [first, second] = &why.events[..] else {
        panic!("{why}")
    };
    assert_eq!(second.causation_id.as_ref(), Some(&first.id));
    let kinds: Vec<(&str, &str)> = first
        .effects
        .iter()
        .map(|effect| (effect.kind, effect.state.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("entry", "kept"),
            ("notification", "sent"),
            ("task", "waiting")
        ]
    );
    let mut ran: Vec<&str> = first.runs.iter().map(|run| run.handler.as_str()).collect();
    ran.sort_unstable();
    assert_eq!(ran, ["history", "notify", "scribe", "tasks"]);
    assert_eq!(second.runs[0].handler, "reader");
    let said = why.to_string();
    for words in [
        "item.created of i by user:ada because it came",
        "notification",
        "welcome by mail",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("example.org"), "no personal value: {said}");
    let by_id = service.why(Subject::Event(&second.id)).await.unwrap();
    assert_eq!(by_id.correlation_id, why.correlation_id);
    for effect in &first.effects {
        let by_row = service.why(Subject::Effect(effect.id)).await.unwrap();
        assert_eq!(by_row.correlation_id, why.correlation_id, "{effect:?}");
    }
    for nothing in [
        Subject::Position(99),
        Subject::Event("x"),
        Subject::Effect(Key::unique()),
    ] {
        let error = service.why(nothing).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

async fn why_not_names_what_keeps_an_event_from_a_handler(database: Database) {
    let world = World::of(&database).await;
    let service = world.service().await;
    let before = created(&service, "early").await;
    settle(&service).await;
    let answer = async |handler: &str, position: i64| {
        service
            .why_not(handler, position)
            .await
            .unwrap()
            .to_string()
    };
    assert!(matches!(
        service.why_not("scribe", before).await.unwrap(),
        WhyNot::Handled(Some(_))
    ));
    assert!(
        answer("reader", before)
            .await
            .contains("asks for note.taken alone")
    );
    world.scribe.0.store(true, Ordering::Release);
    let parked = created(&service, "i").await;
    assert!(answer("scribe", parked).await.contains("held by nobody"));
    let follower = service
        .publisher()
        .publish(moved(&TenantId::default(), "i", 2))
        .await;
    let platform_events::Published::New(follower) = follower.unwrap()[0] else {
        panic!()
    };
    settle(&service).await;
    assert!(
        answer("scribe", parked)
            .await
            .contains("parked (rejected): I am tired")
    );
    assert_eq!(
        answer("scribe", follower).await,
        format!("an earlier event of its key, at {parked}, is parked")
    );
    let all = Filter::all().handler("scribe");
    let ada = Actor::user("ada");
    service
        .parking()
        .discard(&all, &ada, "never mind")
        .await
        .unwrap();
    assert_eq!(answer("scribe", parked).await, "somebody gave it up");
    settle(&service).await;
    assert_eq!(answer("scribe", parked).await, "somebody gave it up");
    let unknown = service.why_not("nobody", parked).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert!(service.why_not("scribe", 9_999).await.is_err());
}

async fn lag_tells_how_far_every_handler_is(database: Database) {
    let world = World::of(&database).await;
    let service = world.service().await;
    created(&service, "i").await;
    let of = async |handler: &str| {
        let lags = service.lag().await.unwrap();
        lags.into_iter().find(|lag| lag.handler == handler).unwrap()
    };
    let behind = of("scribe").await;
    assert_eq!(behind.lanes.len(), 16);
    assert!(behind.oldest().is_some() && behind.lanes.iter().all(|lane| lane.holder.is_none()));
    assert_eq!(of("reader").await.patterns, ["note.taken"]);
    world.scribe.0.store(true, Ordering::Release);
    // The report of what was parked is an event too.
    eventually(PATIENCE, async || {
        settle(&service).await;
        of("scribe").await.oldest().is_none()
    })
    .await;
    let settled = of("scribe").await;
    assert_eq!((settled.parked, settled.waiting), (1, 0));
    let ada = Actor::user("ada");
    service
        .replay("history", Replay::from(1), &ada, "a look")
        .await
        .unwrap();
    assert!(
        of("history")
            .await
            .lanes
            .iter()
            .any(|lane| lane.replaying_to.is_some())
    );
    assert!(!of("scribe").await.is_orphaned);
    let mut tx = world.store.begin().await.unwrap();
    let days = Duration::from_hours(8 * 24);
    tx.query("update platform_clock set offset_us = $1")
        .bind(i64::try_from(days.as_micros()).unwrap())
        .execute()
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(of("scribe").await.is_orphaned);
}

async fn audit_counts_what_the_rules_ask_for(database: Database) {
    let world = World::of(&database).await;
    let service = world.service().await;
    let first = created(&service, "i").await;
    settle(&service).await;
    let second = created(&service, "j").await;
    let audit = service.audit(1, i64::MAX).await.unwrap();
    assert_eq!(audit.rows, 3);
    assert_eq!(
        audit.complaints.len(),
        3,
        "the second is not handled yet: {audit:?}"
    );
    assert!(audit.complaints.iter().all(|complaint| {
        matches!(complaint, Complaint::Missing { position, because, .. }
            if *position == second && because.contains("held by nobody"))
    }));
    settle(&service).await;
    let audit = service.audit(1, i64::MAX).await.unwrap();
    assert!(audit.complaints.is_empty(), "{:?}", audit.complaints);
    assert_eq!((audit.rows, audit.next), (6, None));

    let mut tx = world.store.begin().await.unwrap();
    let lost = "delete from platform_entry where entity_id = 'i'";
    tx.query(lost).execute().await.unwrap();
    let odd = "update platform_task set event_id = (select event_id from platform_notification
        where event_id <> platform_task.event_id)";
    tx.query(odd).execute().await.unwrap();
    tx.commit().await.unwrap();
    let said: Vec<String> = {
        let audit = service.audit(first, i64::MAX).await.unwrap();
        audit.complaints.iter().map(ToString::to_string).collect()
    };
    let with = |words: &str| said.iter().filter(|said| said.contains(words)).count();
    assert_eq!(with("the row was removed"), 3, "{said:#?}");
    assert_eq!(with("no rule asks for the task"), 2, "{said:#?}");
    assert_eq!(
        count(&world.store, "select count(*) as n from platform_task").await,
        2
    );
}

async fn another_tenant_s_chain_is_not_told(database: Database) {
    let world = World::of(&database).await;
    let service = world.service().await;
    let together = CorrelationId::parse("together").unwrap();
    let mut positions = Vec::new();
    for tenant in ["acme", "beta"] {
        let change = moved(&TenantId::parse(tenant).unwrap(), "i", 1).correlated(together.clone());
        let published = service.publisher().publish(change).await.unwrap();
        if let platform_events::Published::New(position) = published[0] {
            positions.push(position);
        }
    }
    settle(&service).await;
    for position in positions {
        let why = service.why(Subject::Position(position)).await.unwrap();
        assert_eq!(why.events.len(), 2, "the change and its note: {why}");
        assert_eq!(why.events[0].position, position);
    }
}

each_backend!(
    why_tells_the_whole_chain_from_wherever_it_is_asked,
    why_not_names_what_keeps_an_event_from_a_handler,
    lag_tells_how_far_every_handler_is,
    audit_counts_what_the_rules_ask_for,
    another_tenant_s_chain_is_not_told,
);
