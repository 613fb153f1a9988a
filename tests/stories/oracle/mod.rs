//! Any sequence of publishes, duplicates, failures, redrives and discards has the effects that a
//! model in memory says it has.

mod model;
mod service;

use model::{Fault, Model};
use platform_core::{Actor, Store, TenantId};
use platform_events::parking::Filter;
use platform_events::{ErrorKind, Event, Published, Publisher};
use platform_tests::{Database, Round, each_backend, seeds};
use service::{Plan, deliveries};

use crate::running::settle;
use crate::world::{moved, note, open};

const CASES: u64 = 30;
const STEPS: u64 = 12;
const ITEMS: u64 = 3;

/// One case: its items are its own, so that all cases may share a database.
struct Case {
    store: Store,
    plan: Plan,
    model: Model,
    round: Round,
    said: Vec<String>,
}

async fn every_sequence_has_the_effects_that_the_model_says(database: Database) {
    let store = open(&database).await;
    for (at, round) in seeds(CASES).enumerate() {
        let plan = Plan::default();
        let names: Vec<String> = (0..ITEMS).map(|item| format!("case-{at}-{item}")).collect();
        let model = Model::of(names);
        let mut case = Case {
            store: store.clone(),
            plan,
            model,
            round,
            said: Vec::new(),
        };
        case.tell().await;
    }
}

impl Case {
    async fn tell(&mut self) {
        for _ in 0..STEPS {
            self.step().await;
        }
        self.work().await;
        // Whatever is parked goes, so that the next case begins with an empty lot.
        while self.model.parked() > 0 {
            self.discard().await;
            self.work().await;
        }
    }

    async fn step(&mut self) {
        match self.round.below(100) {
            0..40 => self.publish().await,
            40..50 => self.duplicate().await,
            50..75 => self.work().await,
            75..90 => self.redrive().await,
            _ => self.discard().await,
        }
    }

    async fn publisher(&self) -> Publisher {
        service::post(&self.store, &self.plan).await.publisher()
    }

    fn item(&mut self) -> usize {
        usize::try_from(self.round.below(ITEMS)).unwrap_or_default()
    }

    /// Publishes the next few versions of an item, some of which will fail.
    async fn publish(&mut self) {
        let publisher = self.publisher().await;
        let item = self.item();
        for _ in 0..=self.round.below(3) {
            let (id, version) = self.model.next(item);
            let fault = self.fault();
            if let Some(fault) = fault {
                self.plan.set(&id, version, fault);
            }
            self.said.push(format!("publish {id}/{version} {fault:?}"));
            let change = moved(&TenantId::default(), &id, version);
            let published = if self.round.chance(20) {
                // A batch with a duplicate in front of it.
                let batch = [note(&id, "same").keyed(&id), note(&id, "same").keyed(&id)];
                publisher.publish(batch.to_vec()).await.unwrap();
                publisher.publish(change).await.unwrap()
            } else {
                publisher.publish(change).await.unwrap()
            };
            assert!(
                matches!(published[..], [Published::New(_)]),
                "{:?}",
                self.said
            );
            self.model.published(item, fault);
        }
    }

    fn fault(&mut self) -> Option<Fault> {
        let times = u32::try_from(1 + self.round.below(2)).unwrap_or(1);
        match self.round.below(20) {
            0 | 1 => Some(Fault::Fails(times)),
            2 => Some(Fault::Panics(times)),
            3 => Some(Fault::Snoozes(times)),
            4 | 5 => Some(Fault::AlwaysFails),
            6 | 7 => Some(Fault::Rejects),
            8 => Some(Fault::AlwaysPanics),
            _ => None,
        }
    }

    /// Publishes once more what was published before.
    async fn duplicate(&mut self) {
        let publisher = self.publisher().await;
        let item = self.item();
        let (id, next) = self.model.next(item);
        if next == 1 {
            return;
        }
        let version = 1 + self.round.below(next - 1);
        self.said.push(format!("duplicate {id}/{version}"));
        let again = publisher
            .publish(moved(&TenantId::default(), &id, version))
            .await;
        assert_eq!(
            again.unwrap_err().kind(),
            ErrorKind::VersionReused,
            "{:?}",
            self.said
        );
    }

    async fn redrive(&mut self) {
        let is_mended = self.round.chance(60);
        self.said.push(format!("redrive, mended: {is_mended}"));
        if is_mended {
            for (id, version) in self.model.heads() {
                self.plan.mend(&id, version);
            }
        }
        let service = service::post(&self.store, &self.plan).await;
        let by = Actor::user("ada");
        let answer = service
            .parking()
            .redrive(&Filter::all(), &by, "again")
            .await;
        self.decided(answer);
        self.model.redrive(is_mended);
    }

    async fn discard(&mut self) {
        self.said.push("discard".to_owned());
        let service = service::post(&self.store, &self.plan).await;
        let by = Actor::user("ada");
        let answer = service.parking().discard(&Filter::all(), &by, "gone").await;
        self.decided(answer);
        self.model.discard();
    }

    fn decided(&self, answer: Result<u64, platform_events::Error>) {
        match self.model.parked() {
            0 => assert_eq!(
                answer.unwrap_err().kind(),
                ErrorKind::NotFound,
                "{:?}",
                self.said
            ),
            parked => assert_eq!(answer.unwrap(), parked, "{:?}", self.said),
        }
    }

    /// Lets the service work, and compares.
    async fn work(&mut self) {
        self.said.push("work".to_owned());
        let service = service::post(&self.store, &self.plan).await;
        settle(&service).await;
        self.model.work();
        for (id, expected) in self.model.effects() {
            for who in ["deliver", "echo"] {
                let found = deliveries(&self.store, who, &id).await;
                assert_eq!(found, expected, "{who} {id} after {:#?}", self.said);
            }
        }
        let overview = service.overview().await.unwrap();
        let parked = i64::try_from(self.model.parked()).unwrap();
        assert_eq!(
            (overview.parked, overview.waiting),
            (parked, 0),
            "{:#?}",
            self.said
        );
        let mut heads: Vec<u64> = Vec::new();
        let parked = service.parking().list(&Filter::all(), None, 200).await;
        for parked in parked.unwrap().items {
            assert_eq!(parked.handler, "deliver", "{:#?}", self.said);
            heads.push(u64::try_from(parked.attempts).unwrap());
        }
        assert_eq!(heads.len() as u64, self.model.parked(), "{:#?}", self.said);
    }
}

each_backend!(every_sequence_has_the_effects_that_the_model_says);
