//! Events that take down whoever handles them: they are parked in the end, and they alone.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use platform_core::{RetryPolicy, Store};
use platform_events::{
    Context, Effects, EntityChanged, Handler, HandlerError, Received, Service, Start,
};
use platform_tests::{Backend, Child, Database, each_backend, eventually, postgres};

use crate::part::{Part, Threads};
use crate::running::{PATIENCE, Running, settle_and_check};
use crate::world::{
    Item, QUICK, Track, assert_exact, count, execute, expire_leases, id_of, names, open, parked,
    post, publish, remember, wire,
};

const DEATHS_MAX: u32 = 12;
const SIGABRT: i32 = 6;

/// Starts a worker again whenever it dies, as a supervisor does, until nothing is left to do, and
/// counts its deaths.
async fn deaths_until_settled(url: &str, service: &Service) -> u32 {
    let mut deaths = 0;
    loop {
        let mut child: Child = Part::worker(url, Threads::Two).start().await;
        let settled = async || service.is_settled().await.unwrap_or(false);
        let status = tokio::select! {
            status = child.ended() => status,
            () = eventually(PATIENCE, settled) => return deaths,
        };
        assert_eq!(
            status.signal(),
            Some(SIGABRT),
            "another death: {}",
            child.output()
        );
        deaths += 1;
        assert!(deaths <= DEATHS_MAX, "it goes on dying");
    }
}

async fn an_event_that_kills_its_process_is_parked_after_three_deaths_with_it_in_hand(
    database: Database,
) {
    let url = database.url();
    let store = open(&url).await;
    let service = post(&store).await;
    // Its first two versions are handled, so that the third stands at the head of its lane.
    let poison = names("deadly", 1);
    publish(&store, &service.publisher(), &poison, 2).await;
    settle_and_check(&store, &[]).await;
    publish(&store, &service.publisher(), &poison, 2).await;
    publish(&store, &service.publisher(), &names("plain", 40), 3).await;
    // The first death only makes it a suspect.
    assert_eq!(deaths_until_settled(&url, &service).await, 4);
    assert_eq!(parked(&service, &store).await, ["crash of deadly-00 3"]);
    assert_exact(&store, "track").await;
}

/// A batch that took its time is committed before it comes to the killer; that is progress, and the
/// deaths are counted anew.
async fn a_killer_in_the_middle_of_a_batch_is_parked_after_a_few_deaths(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    let service = post(&store).await;
    let items = [names("plain", 40), names("deadly", 1), names("flaky", 10)].concat();
    publish(&store, &service.publisher(), &items, 5).await;
    let deaths = deaths_until_settled(&url, &service).await;
    assert!((4..=6).contains(&deaths), "{deaths} deaths");
    assert_eq!(parked(&service, &store).await, ["crash of deadly-00 3"]);
    assert_exact(&store, "track").await;
}

async fn two_killers_are_parked_and_no_innocent_with_them(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    let service = post(&store).await;
    let items = [names("plain", 30), names("deadly", 2)].concat();
    publish(&store, &service.publisher(), &items, 4).await;
    let deaths = deaths_until_settled(&url, &service).await;
    assert!((5..=10).contains(&deaths), "{deaths} deaths");
    let both = ["crash of deadly-00 3", "crash of deadly-01 3"];
    assert_eq!(parked(&service, &store).await, both);
    assert_exact(&store, "track").await;
}

/// A machine that goes down now and then while nothing happens says nothing about later events.
async fn deaths_of_an_idle_worker_are_no_event_s_fault(database: Database) {
    let url = database.url();
    let store = open(&url).await;
    let service = post(&store).await;
    for _ in 0..4 {
        let mut child = Part::worker(&url, Threads::Two).start().await;
        let owned = "select count(*) as n from platform_lane l
            join platform_process p on p.id = l.process and p.expires_at > (select now from platform_time)";
        eventually(PATIENCE, async || count(&store, owned).await == 16).await;
        child.kill9();
        expire_leases(&store).await;
    }
    publish(&store, &service.publisher(), &names("plain", 1), 1).await;
    let part = Part::worker(&url, Threads::Two).stopping_at(Track::PLACE, 1);
    let mut child = part.start().await;
    child.reached(Track::PLACE).await;
    child.kill9();
    expire_leases(&store).await;
    settle_and_check(&store, &[]).await;
}

/// Loses its wits over the items called `poison`.
struct Nervous {
    does: Does,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Panic,
    EndItsConnection,
    CrashTheServer,
}

impl Handler for Nervous {
    const NAME: &'static str = "nervous";
    const EFFECTS: Effects = Effects::Transactional;
    const RETRY: RetryPolicy = RetryPolicy {
        attempts: 4,
        ..QUICK
    };
    type Event = EntityChanged<Item>;

    async fn handle(
        &self,
        event: Received<EntityChanged<Item>>,
        cx: &mut Context<'_>,
    ) -> Result<(), HandlerError> {
        remember(Self::NAME, &event, cx).await?;
        let is_poison = id_of(&event).starts_with("poison") && event.version == 2;
        match self.does {
            Does::Panic if is_poison => panic!("no nerves for this"),
            Does::EndItsConnection if is_poison => {
                end_own_backend(cx).await?;
            }
            Does::CrashTheServer if is_poison => {
                kill_own_backend(cx).await?;
            }
            // Slow enough to be in hand whenever the server goes down.
            Does::CrashTheServer => {
                cx.tx()
                    .await?
                    .query("select 1 as n from pg_sleep(0.05)")
                    .fetch_one()
                    .await?;
            }
            Does::Panic | Does::EndItsConnection => {}
        }
        Ok(())
    }
}

async fn end_own_backend(cx: &mut Context<'_>) -> Result<(), platform_core::Error> {
    let tx = cx.tx().await.map_err(|error| {
        platform_core::Error::new(platform_core::ErrorKind::Unavailable, error.to_string())
    })?;
    tx.query("select pg_terminate_backend(pg_backend_pid())")
        .fetch_one()
        .await?;
    tx.query("select 1 as n").fetch_one().await.map(drop)
}

/// As a fault of the server's own code does: its postmaster ends every session and recovers.
async fn kill_own_backend(cx: &mut Context<'_>) -> Result<(), HandlerError> {
    let tx = cx.tx().await?;
    let row = tx
        .query("select pg_backend_pid()::bigint as pid")
        .fetch_one()
        .await?;
    let pid = row.get::<i64>("pid")?.to_string();
    std::process::Command::new("kill")
        .args(["-KILL", &pid])
        .status()?;
    tx.query("select 1 as n").fetch_one().await?;
    Ok(())
}

async fn nervous(store: &Store, does: Does) -> Running {
    let service = wire(store)
        .handle(Nervous { does }.from(Start::Beginning))
        .build()
        .await;
    Running::start(service.unwrap())
}

/// Everything but the poison and what waits behind it is handled once; it is parked for `cause`.
async fn only_poison_is_parked(store: &Store, does: Does, cause: &str) {
    let running = nervous(store, does).await;
    let publisher = running.service().publisher();
    let items = [names("plain", 20), names("poison", 1)].concat();
    publish(store, &publisher, &items, 3).await;
    running.settled_within(2 * PATIENCE).await;
    let expected = [format!("{cause} of poison-00 2")];
    assert_eq!(parked(running.service(), store).await, expected);
    execute(store, "update item set version = 1 where id = 'poison-00'").await;
    assert_exact(store, Nervous::NAME).await;
    running.stop().await;
}

async fn a_handler_that_panics_is_parked_when_its_attempts_are_spent(database: Database) {
    let store = open(&database.url()).await;
    only_poison_is_parked(&store, Does::Panic, "exhausted").await;
}

#[tokio::test]
async fn an_event_that_ends_its_connection_is_parked_after_three_losses() {
    let database = Backend::Postgres.fresh().await;
    let store = open(&database.url()).await;
    only_poison_is_parked(&store, Does::EndItsConnection, "database").await;
}

#[tokio::test]
async fn an_event_that_crashes_the_server_is_parked_and_no_innocent_with_it() {
    let server = postgres::Server::start();
    let database = server.fresh();
    let store = open(database.url()).await;
    only_poison_is_parked(&store, Does::CrashTheServer, "database").await;
    let bound = Duration::from_secs(5);
    eventually(bound, async || store.ping().await.is_ok()).await;
}

each_backend!(an_event_that_kills_its_process_is_parked_after_three_deaths_with_it_in_hand);
each_backend!(a_killer_in_the_middle_of_a_batch_is_parked_after_a_few_deaths);
each_backend!(two_killers_are_parked_and_no_innocent_with_them);
each_backend!(deaths_of_an_idle_worker_are_no_event_s_fault);
each_backend!(a_handler_that_panics_is_parked_when_its_attempts_are_spent);
