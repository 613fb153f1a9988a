//! One subscription at work: it collects deliveries, appends them, and acknowledges what is committed.
//!
//! What cannot be appended now is held unacknowledged and tried again; the broker gives it to another receiver
//! meanwhile, which does no harm.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platform_core::Key;
use platform_core::clock::Stopwatch;
use tokio_util::sync::CancellationToken;

use super::Subscription;
use super::appending::{Fault, Work};
use super::arrival::{Arrival, Refusal, Sorted};
use super::sweep::EVERY;
use super::waiting::Taken;
use crate::Error;
use crate::health::Vitals;
use crate::log::Log;
use crate::outcome::chain;
use crate::publisher::Publisher;
use crate::relay::lasting;
use crate::signal::Signal;
use crate::transport::{Deliveries, Delivery, Transport};

/// The most deliveries of one batch.
const BATCH_MAX: usize = 100;
/// The most bytes of one batch beyond its first delivery.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// How long a batch is collected after its first delivery.
const COLLECT_FOR: Duration = Duration::from_millis(20);
/// The first wait after a failure; it doubles up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(2);

/// What a receiver shares with the rest of its service.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) service: String,
    pub(crate) log: Log,
    pub(crate) publisher: Publisher,
    pub(crate) signal: Signal,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) transport: Arc<dyn Transport>,
}

/// The receiving of one subscription.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(super) name: &'static str,
    pub(super) service: String,
    pub(super) scope: String,
    pub(super) subscription: Subscription,
    pub(super) log: Log,
    pub(super) publisher: Publisher,
    pub(super) signal: Signal,
    vitals: Arc<Vitals>,
    transport: Arc<dyn Transport>,
    lags: Mutex<HashMap<String, i64>>,
}

/// Deliveries that are appended together.
#[derive(Debug, Default)]
struct Batch {
    deliveries: Vec<Delivery>,
    contents: Contents,
}

/// What the deliveries of a batch are.
#[derive(Debug, Default)]
struct Contents {
    arrivals: Vec<Arrival>,
    refusals: Vec<Refusal>,
    own: usize,
}

/// Whether to go on.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    On,
    Stop,
}

impl Receiver {
    pub(crate) fn new(surroundings: Surroundings, subscription: Subscription) -> Self {
        let Surroundings {
            service,
            log,
            publisher,
            signal,
            vitals,
            transport,
        } = surroundings;
        Self {
            name: lasting(format!("{service}/{}", subscription.topic)),
            scope: subscription
                .scope
                .clone()
                .unwrap_or_else(|| service.clone()),
            service,
            subscription,
            log,
            publisher,
            signal,
            vitals,
            transport,
            lags: Mutex::default(),
        }
    }

    /// Receives until `stop` is cancelled; then finishes what is in hand.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut wait = WAIT_MIN;
        while !stop.is_cancelled() {
            let opened = tokio::select! {
                () = stop.cancelled() => return,
                opened = self.subscribe() => opened,
            };
            match opened {
                Ok(deliveries) => {
                    wait = WAIT_MIN;
                    self.vitals.paused(self.name, None);
                    self.serve(deliveries, stop).await;
                }
                Err(why) => {
                    tracing::warn!(subscription = self.name, why, "cannot subscribe");
                    self.vitals.paused(self.name, Some(&why));
                }
            }
            // A stream that ends at once must not be asked for in a busy loop.
            self.pause(&mut wait, stop).await;
        }
    }

    /// Subscribes. When the subscription began is written down before the first delivery can come.
    async fn subscribe(&self) -> Result<Box<dyn Deliveries>, String> {
        let begin = async {
            let mut tx = self.log.store().begin().await?;
            tx.query(BEGIN).bind(self.name).execute().await?;
            tx.commit().await
        };
        begin.await.map_err(|error| chain(&error))?;
        let stream = self
            .transport
            .subscribe(&self.subscription.topic, &self.service);
        stream.await.map_err(|error| chain(&error))
    }

    /// Takes deliveries until the stream ends or the service stops.
    async fn serve(&self, mut deliveries: Box<dyn Deliveries>, stop: &CancellationToken) {
        let mut swept = Stopwatch::start();
        loop {
            let sweep_in = EVERY.saturating_sub(swept.elapsed());
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(sweep_in) => {
                    if let Err(error) = self.sweep(swept.elapsed()).await {
                        tracing::warn!(subscription = self.name, ?error, "sweeping");
                    }
                    swept = Stopwatch::start();
                }
                next = deliveries.next() => {
                    let Some(first) = next else { return };
                    let batch = self.collect(first, deliveries.as_mut()).await;
                    if self.take(batch, stop).await == Next::Stop {
                        return;
                    }
                }
            }
        }
    }

    async fn collect(&self, first: Delivery, deliveries: &mut dyn Deliveries) -> Batch {
        let mut bytes = 0;
        let mut batch = Batch::default();
        self.add(&mut batch, first);
        let since = Stopwatch::start();
        while batch.deliveries.len() < BATCH_MAX && bytes < BATCH_BYTES {
            let left = COLLECT_FOR.saturating_sub(since.elapsed());
            match tokio::time::timeout(left, deliveries.next()).await {
                Ok(Some(delivery)) => {
                    bytes += delivery.content().len();
                    self.add(&mut batch, delivery);
                }
                // A stream that has ended says so again.
                Ok(None) | Err(_) => break,
            }
        }
        batch
    }

    fn add(&self, batch: &mut Batch, delivery: Delivery) {
        match self.sort(delivery.content()) {
            Sorted::Arrival(arrival) => batch.contents.arrivals.push(*arrival),
            Sorted::Refusal(refusal) => batch.contents.refusals.push(*refusal),
            Sorted::Own => batch.contents.own += 1,
        }
        batch.deliveries.push(delivery);
    }

    /// Appends a batch and acknowledges it.
    async fn take(&self, batch: Batch, stop: &CancellationToken) -> Next {
        let Batch {
            deliveries,
            contents,
        } = batch;
        if self.append(&contents, stop).await == Next::Stop {
            return Next::Stop;
        }
        crate::failpoint::reached("acknowledging");
        for delivery in deliveries {
            if let Err(error) = delivery.ack().await {
                // It comes again, and is known then.
                tracing::debug!(subscription = self.name, %error, "acknowledging");
            }
        }
        Next::On
    }

    /// Appends a batch. One that the store refuses is appended one by one, unless the store refuses everything.
    async fn append(&self, contents: &Contents, stop: &CancellationToken) -> Next {
        let keys: Vec<Key> = contents.arrivals.iter().map(|a| a.record.id_key).collect();
        let work = Work {
            arrivals: &contents.arrivals,
            refusals: &contents.refusals,
            own: contents.own,
            taken: Taken::Around(&keys),
        };
        let mut wait = WAIT_MIN;
        loop {
            let error = match self.insist(&work, stop).await {
                Ok(next) => return next,
                Err(error) => error,
            };
            let why = format!("the store refuses a batch: {}", chain(&error));
            tracing::warn!(subscription = self.name, why);
            self.vitals.paused(self.name, Some(&why));
            let next = if self.takes_others().await {
                self.take_singly(contents, stop).await
            } else {
                // No delivery is to blame.
                match self.pause(&mut wait, stop).await {
                    Next::On => continue,
                    Next::Stop => Next::Stop,
                }
            };
            self.vitals.paused(self.name, None);
            return next;
        }
    }

    /// Appends each delivery by itself; what the store refuses even then is put aside.
    async fn take_singly(&self, contents: &Contents, stop: &CancellationToken) -> Next {
        if self.put(&contents.refusals, contents.own, stop).await == Next::Stop {
            return Next::Stop;
        }
        for arrival in &contents.arrivals {
            let key = [arrival.record.id_key];
            let work = Work {
                arrivals: std::slice::from_ref(arrival),
                refusals: &[],
                own: 0,
                taken: Taken::Rows(&key),
            };
            let next = match self.insist(&work, stop).await {
                Ok(next) => next,
                Err(error) => {
                    let why = format!("the store refuses it: {}", chain(&error));
                    self.put(&[arrival.refused(why)], 0, stop).await
                }
            };
            if next == Next::Stop {
                return Next::Stop;
            }
        }
        Next::On
    }

    /// Puts aside; what the store refuses even there is held, since nothing may be lost.
    async fn put(&self, refusals: &[Refusal], own: usize, stop: &CancellationToken) -> Next {
        let work = Work {
            arrivals: &[],
            refusals,
            own,
            taken: Taken::Rows(&[]),
        };
        let mut wait = WAIT_MIN;
        loop {
            match self.insist(&work, stop).await {
                Ok(next) => return next,
                Err(error) => {
                    let why = format!("the store refuses what is put aside: {}", chain(&error));
                    tracing::error!(subscription = self.name, why);
                    self.vitals.paused(self.name, Some(&why));
                }
            }
            if self.pause(&mut wait, stop).await == Next::Stop {
                return Next::Stop;
            }
        }
    }

    /// Commits `work` however long the store is away or the quarantine is full; an error is the store's refusal.
    async fn insist(&self, work: &Work<'_>, stop: &CancellationToken) -> Result<Next, Error> {
        let mut wait = WAIT_MIN;
        loop {
            let why = match self.commit(work).await {
                Ok(_) => {
                    self.vitals.paused(self.name, None);
                    return Ok(Next::On);
                }
                Err(Fault::Store(error)) if !error.is_transient() => return Err(error),
                Err(Fault::Store(error)) => chain(&error),
                Err(Fault::Repeat) => "other receivers are in the way".to_owned(),
                Err(Fault::Full) => "its quarantine is full; look at it and make room".to_owned(),
            };
            tracing::warn!(subscription = self.name, why, "deliveries are held");
            self.vitals.paused(self.name, Some(&why));
            if self.pause(&mut wait, stop).await == Next::Stop {
                return Ok(Next::Stop);
            }
        }
    }

    async fn pause(&self, wait: &mut Duration, stop: &CancellationToken) -> Next {
        let length = *wait;
        *wait = (length * 2).min(WAIT_MAX);
        tokio::select! {
            () = stop.cancelled() => Next::Stop,
            () = tokio::time::sleep(length) => Next::On,
        }
    }

    /// The least of arrival minus sending that is known of a source, in microseconds.
    pub(super) fn lag_of(&self, source: &str) -> Option<i64> {
        self.lags().get(source).copied()
    }

    pub(super) fn learn_lag(&self, source: &str, lag: i64) {
        self.lags().insert(source.to_owned(), lag);
    }

    fn lags(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const BEGIN: &str = "insert into platform_subscription (name, began_at, swept_at)
    values ($1, (select now from platform_time), (select now from platform_time)) on conflict (name) do nothing";
