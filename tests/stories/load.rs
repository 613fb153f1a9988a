//! Writers that do what busy services do: change one or two rows and publish each change, with
//! slow commits, rollbacks, savepoints taken back, duplicates, and transactions that own an id long
//! before they append.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use platform_core::clock::Stopwatch;
use platform_core::{Store, Tx};
use platform_events::{Error, Event, Publisher};
use platform_tests::{Round, seeds};

use crate::world::{count, note, raise, versions};

pub(crate) const ITEMS: u64 = 40;

/// What a load looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) writers: usize,
    pub(crate) lasting: Duration,
    /// The isolation levels that writers take in turn; `read committed` for none.
    pub(crate) isolation: &'static [&'static str],
}

/// How many transactions ended in which way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) committed: u64,
    pub(crate) given_up: u64,
    pub(crate) conflicts: u64,
}

#[derive(Clone)]
struct Dice(Arc<Mutex<Round>>);

impl Dice {
    fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn below(&self, bound: u64) -> u64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .below(bound)
    }
}

impl Load {
    /// Lets the writers work, each in a task of its own, and adds up what they did.
    pub(crate) async fn run(self, store: &Store, publisher: &Publisher) -> Vec<Tally> {
        let round = seeds(1).next().unwrap();
        let dice = Dice(Arc::new(Mutex::new(round)));
        let writers: Vec<_> = (0..self.writers)
            .map(|at| {
                let (store, publisher, dice) = (store.clone(), publisher.clone(), dice.clone());
                let isolation = self
                    .isolation
                    .get(at % self.isolation.len().max(1))
                    .copied();
                tokio::spawn(async move {
                    let writer = Writer {
                        store,
                        publisher,
                        dice,
                        isolation,
                    };
                    writer.work(self.lasting).await
                })
            })
            .collect();
        let mut tallies = Vec::new();
        for writer in writers {
            tallies.push(writer.await.unwrap());
        }
        tallies
    }
}

struct Writer {
    store: Store,
    publisher: Publisher,
    dice: Dice,
    isolation: Option<&'static str>,
}

impl Writer {
    async fn work(self, lasting: Duration) -> Tally {
        let since = Stopwatch::start();
        let mut tally = Tally::default();
        while since.elapsed() < lasting {
            let mut tx = self.store.begin().await.unwrap();
            let ended = match self.transaction(&mut tx).await {
                Ok(()) if self.dice.chance(10) => tx.rollback().await.map(|()| false),
                Ok(()) => tx.commit().await.map(|()| true),
                Err(error) => {
                    assert!(error.is_transient(), "only conflicts may happen: {error:?}");
                    tally.conflicts += 1;
                    drop(tx);
                    continue;
                }
            };
            match ended {
                Ok(true) => tally.committed += 1,
                Ok(false) => tally.given_up += 1,
                Err(error) => {
                    assert!(error.is_transient(), "only conflicts may happen: {error:?}");
                    tally.conflicts += 1;
                }
            }
        }
        tally
    }

    async fn transaction(&self, tx: &mut Tx) -> Result<(), Error> {
        if let Some(isolation) = self.isolation {
            tx.query(isolation).execute().await?;
        }
        if self.dice.chance(50) {
            tx.query("insert into audit (note) values ('early')")
                .execute()
                .await?;
            self.linger(tx).await?;
        }
        let mut ids = vec![self.dice.below(ITEMS)];
        if self.dice.chance(50) {
            ids.push(self.dice.below(ITEMS));
        }
        // One order for all, so that two writers never wait for each other in a circle.
        ids.sort_unstable();
        ids.dedup();
        for id in ids.iter().map(|id| format!("item-{id:02}")) {
            if self.dice.chance(15) {
                tx.query("savepoint attempt").execute().await?;
                raise(tx, &self.publisher, &id).await?;
                tx.query("rollback to savepoint attempt").execute().await?;
            }
            raise(tx, &self.publisher, &id).await?;
        }
        if self.dice.chance(20) {
            let id = self.dice.below(50).to_string();
            self.publisher
                .publish_in(&mut *tx, note(&id, "same").keyed(&id))
                .await?;
        }
        self.linger(tx).await
    }

    /// Sometimes takes a few milliseconds, with the transaction open.
    async fn linger(&self, tx: &mut Tx) -> Result<(), Error> {
        if self.dice.chance(70) {
            return Ok(());
        }
        if self.store.postgres().is_some() {
            #[expect(clippy::cast_precision_loss, reason = "at most thirty")]
            let secs = self.dice.below(30) as f64 / 1_000.0;
            tx.query("select 1 as n from pg_sleep($1)")
                .bind(secs)
                .fetch_one()
                .await?;
        } else {
            let rounds = i64::try_from(self.dice.below(5_000)).unwrap_or_default();
            tx.query(COUNT_UP).bind(rounds).fetch_one().await?;
        }
        Ok(())
    }
}

const COUNT_UP: &str =
    "with recursive c(n) as (select 1 union all select n + 1 from c where n < $1)
    select count(*) as n from c";

/// Asserts that `who` saw every committed version of every item once and in order.
pub(crate) async fn assert_exact(store: &Store, who: &str) {
    let seen = versions(store, who).await;
    let rows = store
        .query("select id, version from item order by id")
        .fetch_all()
        .await
        .unwrap();
    for row in rows {
        let (id, version): (String, i64) = (row.get("id").unwrap(), row.get("version").unwrap());
        let empty = Vec::new();
        let found = seen.get(&id).unwrap_or(&empty);
        assert_eq!(*found, (1..=version).collect::<Vec<i64>>(), "{who} {id}");
    }
    let changes = "select count(*) as n from platform_log where type like 'item.%'";
    let committed = count(store, changes).await;
    let handled: usize = seen.values().map(Vec::len).sum();
    assert_eq!(handled, usize::try_from(committed).unwrap(), "{who}");
}
