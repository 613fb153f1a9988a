//! What a mistake is answered with: one error that says what was wrong, where, and how to mend it.
//! A refusal loses nothing and writes nothing.

use std::error::Error as StdError;
use std::time::Duration;

use platform_core::{Actor, Change, Store, TenantId, clock};
use platform_events::envelope::Envelope;
use platform_events::event::Draft;
use platform_events::handler::Registration;
use platform_events::parking::Filter;
use platform_events::{Context, Effects, Event, Handler, HandlerError, Received, Start};
use platform_tests::{Backend, Database, each_backend};

use crate::running::settle;
use crate::world::{Track, count, item, item_of, note, open, post, seen, send, watching};

const EVENTS: &str = "select count(*) as n from platform_log";

/// An error and everything below it, in one text.
fn told(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

/// Collects what is wrong with the answers, so that one gap does not hide another.
#[derive(Default)]
struct Table(Vec<String>);

impl Table {
    fn check<T, E: StdError + 'static>(
        &mut self,
        mistake: &str,
        answer: Result<T, E>,
        words: &[&str],
    ) {
        let Err(error) = answer else {
            return self.0.push(format!("{mistake}: nothing was said"));
        };
        let text = told(&error);
        for word in words.iter().filter(|word| !text.contains(**word)) {
            self.0
                .push(format!("{mistake}: {text:?} does not say {word:?}"));
        }
    }

    fn assert_clear(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_which_and_why() {
    let mut table = Table::default();
    let cases: [(&str, &[&str]); 6] = [
        (
            "mysql://db/orders",
            &["mysql://db/orders", "sqlite://", "postgres://"],
        ),
        ("orders.db", &["orders.db", "sqlite://", "postgres://"]),
        ("", &["sqlite://", "postgres://"]),
        ("sqlite://:memory:", &[":memory:", "sqlite://service.db"]),
        (
            "sqlite:///no/such/folder/a.db",
            &["/no/such/folder/a.db", "folder"],
        ),
        (
            "postgres://me:secret@127.0.0.1:1/orders",
            &["me:***@127.0.0.1:1/orders", "runs"],
        ),
    ];
    for (url, words) in cases {
        let opened = Store::open(url).await;
        if let Err(error) = &opened {
            assert!(!told(error).contains("secret"), "{error}");
        }
        table.check(&format!("the store URL {url:?}"), opened, words);
    }
    table.assert_clear();
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named() {
    let database = Backend::Postgres.fresh().await;
    let (server, _) = database
        .url()
        .rsplit_once('/')
        .map(|(a, b)| (a.to_owned(), b.len()))
        .unwrap();
    let mut table = Table::default();
    let nowhere = Store::open(&format!("{server}/nowhere")).await;
    table.check(
        "a database that is not there",
        nowhere,
        &["nowhere", "does not exist"],
    );
    table.assert_clear();
}

async fn a_schema_that_no_longer_admits_this_library_is_refused(database: Database) {
    let store = open(&database).await;
    let service = watching(&store).await;
    send(&service.publisher(), "a", 1, 3).await;
    let mut tx = store.begin().await.unwrap();
    let step = "insert into platform_migration (set_name, version, name, admits, checksum)
        select set_name, 99, 'later', 99, checksum from platform_migration
        where set_name = 'platform-events' and version = 1";
    assert_eq!(tx.query(step).execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
    let mut table = Table::default();
    let words = ["platform-events", "99", "deploy a newer release"];
    table.check("a newer schema", post(&store, []).await, &words);
    table.assert_clear();
    assert_eq!(count(&store, EVENTS).await, 3);
}

/// A handler whose patterns are what a test says.
struct Asks(&'static [&'static str]);

impl Handler for Asks {
    const NAME: &'static str = "asks";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = Envelope;

    fn patterns(&self) -> Vec<String> {
        self.0.iter().map(|pattern| (*pattern).to_owned()).collect()
    }

    async fn handle(
        &self,
        _event: Received<Envelope>,
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        Ok(())
    }
}

/// A handler with a name that cannot be one.
struct Shouts;

impl Handler for Shouts {
    const NAME: &'static str = "Shouts Loudly";
    const EFFECTS: Effects = Effects::Transactional;
    type Event = Envelope;

    async fn handle(
        &self,
        _event: Received<Envelope>,
        _cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        Ok(())
    }
}

async fn wrong_wiring_is_found_before_the_first_event(database: Database) {
    let store = open(&database).await;
    let asks = |patterns| Asks(patterns).from(Start::Now);
    let cases: Vec<(&str, Vec<Registration>, &[&str])> = vec![
        (
            "two handlers of one name",
            vec![Track.from(Start::Now), Track.from(Start::Beginning)],
            &["`track`", "rename"],
        ),
        (
            "a capital in a pattern",
            vec![asks(&["Item.*"])],
            &["`asks`", "`Item.*`", "order.*"],
        ),
        (
            "an empty pattern",
            vec![asks(&[""])],
            &["`asks`", "order.*"],
        ),
        (
            "half a segment",
            vec![asks(&["item.cre*"])],
            &["`asks`", "`item.cre*`", "order.*"],
        ),
        ("no pattern", vec![asks(&[])], &["`asks`", "no event type"]),
        (
            "a wrong name",
            vec![Shouts.from(Start::Now)],
            &["`Shouts Loudly`", "a to z"],
        ),
        (
            "a start beyond the log",
            vec![Track.from(Start::Position(1_000))],
            &["1000", "from 0 to 0"],
        ),
        (
            "a start before the log",
            vec![Track.from(Start::Position(-1))],
            &["-1", "from 0 to 0"],
        ),
    ];
    let mut table = Table::default();
    for (mistake, handlers, words) in cases {
        table.check(mistake, post(&store, handlers).await, words);
    }
    let named = platform_events::Service::builder("Post Office", store.clone())
        .build()
        .await;
    table.check("a wrong service name", named, &["`Post Office`", "a to z"]);
    let lease = platform_events::Service::builder("post", store.clone())
        .with_lease(Duration::from_millis(10))
        .build();
    table.check("a lease of 10 ms", lease.await, &["lease", "1 s"]);
    table.assert_clear();
}

/// Drafts that break a rule, each with what its refusal has to say.
fn broken_drafts() -> Vec<(&'static str, Draft, &'static [&'static str])> {
    let future = clock::now() + Duration::from_secs(3 * 24 * 3_600);
    let large = "x".repeat(300 * 1_024);
    let long = "k".repeat(5_000);
    vec![
        (
            "a payload of 300 KiB",
            note("a", &large).keyed("1"),
            &["note.taken", "limit", "262144"],
        ),
        (
            "an event with a future time",
            note("a", "x").keyed("2").at(future),
            &["note.taken", "time"],
        ),
        (
            "an empty idempotency key",
            note("a", "x").keyed(""),
            &["note.taken", "empty"],
        ),
        (
            "an endless idempotency key",
            note("a", "x").keyed(&long),
            &["note.taken", "5000"],
        ),
        (
            "an empty key",
            note("", "x").keyed("3"),
            &["note.taken", "empty"],
        ),
        (
            "an endless key",
            note(&long, "x").keyed("4"),
            &["note.taken", "1024", "shorten"],
        ),
        (
            "an actor without an id",
            note("a", "x").keyed("5").by(Actor::user("")),
            &["actor", "empty"],
        ),
        (
            "an endless reason",
            note("a", "x").keyed("6").because(long),
            &["reason", "1024", "shorten"],
        ),
    ]
}

async fn an_event_that_breaks_a_rule_is_refused_and_nothing_is_written(database: Database) {
    let store = open(&database).await;
    let service = watching(&store).await;
    let publisher = service.publisher();
    let mut table = Table::default();
    let mut written = Vec::new();
    for (mistake, draft, words) in broken_drafts() {
        let before = count(&store, EVENTS).await;
        // Beside a sound event, which must not be written either.
        let answer = publisher
            .publish([note("sound", "x").unkeyed(), draft])
            .await;
        let is_refused = answer.is_err();
        table.check(mistake, answer, words);
        if is_refused && count(&store, EVENTS).await != before {
            written.push(mistake);
        }
    }
    assert!(
        written.is_empty(),
        "refused and written all the same: {written:?}"
    );
    table.assert_clear();
}

#[test]
fn an_entity_with_an_impossible_id_makes_no_change() {
    let mut table = Table::default();
    let endless = "x".repeat(257);
    let cases: [(&str, &[&str]); 3] = [
        ("", &["item", "empty"]),
        (&endless, &["item", "257", "256"]),
        ("a\nb", &["item", "control character"]),
    ];
    for (id, words) in cases {
        table.check(
            &format!("the id {id:?}"),
            Change::created(&item(id, 1)),
            words,
        );
    }
    for (text, words) in [
        ("", ["tenant", "empty"]),
        (&"t".repeat(129), ["129", "128"]),
    ] {
        table.check("a tenant", TenantId::parse(text), &words);
    }
    let same = Change::updated(&item("a", 1), &item_of(&TenantId::default(), "b", 2));
    table.check(
        "an update of another entity",
        same,
        &["item", "\"a\"", "\"b\""],
    );
    table.assert_clear();
}

async fn a_decision_about_an_event_that_is_not_parked_is_refused(database: Database) {
    let store = open(&database).await;
    let service = watching(&store).await;
    send(&service.publisher(), "a", 1, 3).await;
    settle(&service).await;
    let parking = service.parking();
    let by = Actor::user("ada");
    let mut table = Table::default();
    let words = ["no parked event", "list"];
    for filter in [
        Filter::all(),
        Filter::all().position(2),
        Filter::all().position(99),
    ] {
        table.check(
            "a redrive",
            parking.redrive(&filter, &by, "why").await,
            &words,
        );
        table.check(
            "a discard",
            parking.discard(&filter, &by, "why").await,
            &words,
        );
    }
    table.assert_clear();
    assert_eq!(seen(&store, "track").await.len(), 3);
    let decisions = "select count(*) as n from platform_decision";
    assert_eq!(count(&store, decisions).await, 0);
}

each_backend!(
    a_schema_that_no_longer_admits_this_library_is_refused,
    wrong_wiring_is_found_before_the_first_event,
    an_event_that_breaks_a_rule_is_refused_and_nothing_is_written,
    a_decision_about_an_event_that_is_not_parked_is_refused,
);
