//! A broker inside the process, shared by the services of one test, with faults drawn from a seed.
//!
//! It is as bad as brokers are allowed to be: it delivers twice, late, in another order, fails parts of a batch
//! after it has taken them, and loses for good if it is told to. Nothing here runs by itself: time passes for it
//! when it is asked.

mod faults;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use faults::Faults;

use super::{Acknowledge, Capabilities, Deliveries, Delivery, Outgoing, Transport, TransportError};
use crate::envelope::RECEIVE_MAX;

/// The broker. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Memory {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wake: Notify,
    redelivery_after: Duration,
}

#[derive(Debug, Default)]
struct State {
    random: u64,
    faults: Faults,
    is_out: bool,
    refused: HashSet<String>,
    queues: BTreeMap<(String, String), Queue>,
    /// The ids that were lost for good, in the order in which they were published.
    lost: Vec<String>,
    published: u64,
    next_tag: u64,
}

/// What waits for the receivers of one consumer.
#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Entry>,
    in_flight: HashMap<u64, (Entry, Instant)>,
}

#[derive(Debug, Clone)]
struct Entry {
    content: Bytes,
    due: Instant,
}

/// Unless it is told otherwise; above it, receiving may wait for a gap.
const REDELIVERY_AFTER: Duration = Duration::from_millis(150);
/// How far an entry may be moved in its queue.
const REORDER_SPAN: u64 = 16;

impl Memory {
    /// Makes a broker without faults that delivers again after 150 ms.
    pub fn new() -> Self {
        Self::with_redelivery(REDELIVERY_AFTER)
    }

    /// Makes a broker without faults that delivers again after `redelivery_after`.
    pub fn with_redelivery(redelivery_after: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                wake: Notify::new(),
                redelivery_after,
            }),
        }
    }

    /// Changes what goes wrong from now on, drawn from `seed`.
    pub fn disturb(&self, seed: u64, faults: Faults) {
        let mut state = self.state();
        state.random = seed;
        state.faults = faults;
    }

    /// Ends or begins an outage: nothing can be published and every stream ends.
    pub fn outage(&self, is_out: bool) {
        self.state().is_out = is_out;
        self.shared.wake.notify_waiters();
    }

    /// Refuses the events of a partition key for good.
    pub fn refuse(&self, key: &str) {
        self.state().refused.insert(key.to_owned());
    }

    /// Takes the events of a partition key again.
    pub fn admit(&self, key: &str) {
        self.state().refused.remove(key);
    }

    /// Delivers raw bytes to whoever is subscribed, as a foreign producer would.
    pub fn inject(&self, topic: &str, content: impl Into<Bytes>) {
        let entry = Entry {
            content: content.into(),
            due: Instant::now(),
        };
        for queue in self.state().queues_of(topic) {
            queue.waiting.push(entry.clone());
        }
        self.shared.wake.notify_waiters();
    }

    /// Answers whether a consumer of this name has subscribed.
    pub fn is_subscribed(&self, topic: &str, consumer: &str) -> bool {
        let place = (topic.to_owned(), consumer.to_owned());
        self.state().queues.contains_key(&place)
    }

    /// Answers whether nothing waits to be delivered or acknowledged.
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        let mut queues = state.queues.values();
        queues.all(|queue| queue.waiting.is_empty() && queue.in_flight.is_empty())
    }

    /// Returns the ids that were lost for good.
    pub fn lost(&self) -> Vec<String> {
        self.state().lost.clone()
    }

    /// Counts the entries that were confirmed.
    pub fn published(&self) -> u64 {
        self.state().published
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.locked()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queues_of(&mut self, topic: &str) -> impl Iterator<Item = &mut Queue> {
        let queues = self.queues.iter_mut();
        queues.filter_map(move |((name, _), queue)| (name == topic).then_some(queue))
    }

    /// Draws a number below `bound` (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    fn happens(&mut self, percent: u8) -> bool {
        percent > 0 && self.below(100) < u64::from(percent)
    }

    fn publish(
        &mut self,
        (topic, redelivery_after): (&str, Duration),
        entry: &Outgoing,
    ) -> Result<(), TransportError> {
        if self.is_out {
            return Err(TransportError::transient("the broker is away"));
        }
        if entry.key().is_some_and(|key| self.refused.contains(key)) {
            return Err(TransportError::permanent(
                "the broker refuses events of this key",
            ));
        }
        let faults = self.faults;
        if self.happens(faults.failures) {
            if self.below(2) == 0 {
                self.take((topic, redelivery_after), entry);
            }
            return Err(TransportError::transient("the broker is busy"));
        }
        self.published += 1;
        if self.happens(faults.losses) {
            self.lost.push(entry.envelope().id().to_owned());
            return Ok(());
        }
        self.take((topic, redelivery_after), entry);
        Ok(())
    }

    fn take(&mut self, (topic, redelivery_after): (&str, Duration), entry: &Outgoing) {
        let faults = self.faults;
        let content = Bytes::from(entry.envelope().to_json());
        let copies = 1 + usize::from(self.happens(faults.duplicates));
        for _ in 0..copies {
            let mut due = Instant::now();
            if self.happens(faults.delays) {
                let most = u64::try_from(faults.delay.as_millis()).unwrap_or(u64::MAX);
                due += Duration::from_millis(self.below(most + 1));
            }
            if self.happens(faults.drops) {
                due += redelivery_after;
            }
            let back = if self.happens(faults.reorders) {
                self.below(REORDER_SPAN)
            } else {
                0
            };
            let back = usize::try_from(back).unwrap_or(0);
            for queue in self.queues_of(topic) {
                let entry = Entry {
                    content: content.clone(),
                    due,
                };
                let at = queue.waiting.len().saturating_sub(back);
                queue.waiting.insert(at, entry);
            }
        }
    }
}

impl Queue {
    /// Puts back what was not acknowledged in time.
    fn expire(&mut self, now: Instant) {
        let late: Vec<u64> = self
            .in_flight
            .iter()
            .filter(|(_, (_, until))| *until <= now)
            .map(|(tag, _)| *tag)
            .collect();
        for tag in late {
            self.waiting
                .extend(self.in_flight.remove(&tag).map(|(entry, _)| entry));
        }
    }

    /// When there may be something to deliver.
    fn next_at(&self) -> Option<Instant> {
        let waiting = self.waiting.iter().map(|entry| entry.due);
        waiting
            .chain(self.in_flight.values().map(|(_, until)| *until))
            .min()
    }
}

#[async_trait]
impl Transport for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(RECEIVE_MAX, self.shared.redelivery_after)
    }

    async fn publish(&self, topic: &str, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        // As over a network: what is dropped here has not been handed over.
        tokio::task::yield_now().await;
        let answers = {
            let mut state = self.state();
            let way = (topic, self.shared.redelivery_after);
            batch
                .iter()
                .map(|entry| state.publish(way, entry))
                .collect()
        };
        self.shared.wake.notify_waiters();
        tokio::task::yield_now().await;
        answers
    }

    async fn subscribe(
        &self,
        topic: &str,
        consumer: &str,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        let place = (topic.to_owned(), consumer.to_owned());
        let mut state = self.state();
        if state.is_out {
            return Err(TransportError::transient("the broker is away"));
        }
        state.queues.entry(place.clone()).or_default();
        Ok(Box::new(Stream {
            shared: Arc::clone(&self.shared),
            place,
        }))
    }
}

/// One receiver among those of its consumer.
#[derive(Debug)]
struct Stream {
    shared: Arc<Shared>,
    place: (String, String),
}

/// What asking a queue brought.
enum Found {
    Entry(u64, Bytes),
    Later(Option<Instant>),
    Ended,
}

impl Stream {
    fn take(&self) -> Found {
        let mut state = self.shared.locked();
        if state.is_out {
            return Found::Ended;
        }
        state.next_tag += 1;
        let tag = state.next_tag;
        let Some(queue) = state.queues.get_mut(&self.place) else {
            return Found::Ended;
        };
        let now = Instant::now();
        queue.expire(now);
        let Some(at) = queue.waiting.iter().position(|entry| entry.due <= now) else {
            return Found::Later(queue.next_at());
        };
        let entry = queue.waiting.remove(at);
        let content = entry.content.clone();
        queue
            .in_flight
            .insert(tag, (entry, now + self.shared.redelivery_after));
        Found::Entry(tag, content)
    }
}

#[async_trait]
impl Deliveries for Stream {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let woken = self.shared.wake.notified();
            tokio::pin!(woken);
            // From here on nothing that is published is missed.
            woken.as_mut().enable();
            match self.take() {
                Found::Ended => return None,
                Found::Entry(tag, content) => {
                    let receipt = Receipt {
                        shared: Arc::clone(&self.shared),
                        place: self.place.clone(),
                        tag,
                    };
                    return Some(Delivery::new(content, receipt));
                }
                Found::Later(Some(at)) => {
                    tokio::select! {
                        () = woken => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                Found::Later(None) => woken.await,
            }
        }
    }
}

struct Receipt {
    shared: Arc<Shared>,
    place: (String, String),
    tag: u64,
}

#[async_trait]
impl Acknowledge for Receipt {
    async fn acknowledge(self: Box<Self>) -> Result<(), TransportError> {
        let mut state = self.shared.locked();
        if state.is_out {
            return Err(TransportError::transient("the broker is away"));
        }
        if let Some(queue) = state.queues.get_mut(&self.place) {
            queue.in_flight.remove(&self.tag);
        }
        Ok(())
    }
}
