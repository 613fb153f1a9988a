//! The relay: a group that sends on what this service originated, one for each topic.
//!
//! It is run by the worker like any handler, so lanes, blocked keys, fence and runs are the same. Of its own it
//! has the stamp: each event names the event of its key that was sent before, from a record that is written in
//! the commit that moves the position. It knows nothing of receivers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use platform_core::clock::Stopwatch;
use platform_core::store::{Dialect, Row};
use platform_core::{Key, RetryPolicy, Store, Tx};

use crate::context::Unit;
use crate::envelope::Envelope;
use crate::handler::{Effects, Lanes, Registration, Start};
use crate::input::Stored;
use crate::outcome::{HandlerError, Reject, Verdict};
use crate::registry::{Erased, Spec};
use crate::transport::{Outgoing, Predecessor, Stamp, Transport, TransportError};
use crate::{Error, invoke};

/// How long one call of the transport may take; then it counts as failed for now.
const CALL_MAX: Duration = Duration::from_secs(10);
/// How long a batch may be sent before what is confirmed is committed first.
const SEND_FOR: Duration = Duration::from_secs(5);

/// What a time on the wire can tell apart.
const TICK: TimeDelta = TimeDelta::microseconds(1);

/// Sends on to one topic.
struct Relay {
    name: &'static str,
    topic: String,
    transport: Arc<dyn Transport>,
    store: Store,
}

/// What is known of a batch before it is sent.
struct Sent {
    now: DateTime<Utc>,
    since: Stopwatch,
    last: HashMap<Key, Predecessor>,
}

type Failure = (Option<usize>, HandlerError);

/// The name of the group that relays to `topic`.
pub(crate) fn group_name(topic: &str) -> &'static str {
    let word = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() { c } else { '-' }
    };
    lasting(format!(
        "relay-{}",
        topic.chars().map(word).collect::<String>()
    ))
}

/// Keeps a name for as long as the process lives, each once.
pub(crate) fn lasting(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}

/// Makes the group that relays to `topic`.
pub(crate) fn registration(
    topic: &str,
    transport: Arc<dyn Transport>,
    store: &Store,
) -> Registration {
    let name = group_name(topic);
    let spec = Spec {
        name,
        formerly: &[],
        effects: Effects::External,
        lanes: Lanes::Parallel,
        timeout: SEND_FOR + 2 * CALL_MAX,
        retry: RetryPolicy::DEFAULT,
        patterns: vec!["**".to_owned()],
        start: Start::Now,
        is_batch: true,
        identity: name.into(),
        is_relay: true,
    };
    let relay = Relay {
        name,
        topic: topic.to_owned(),
        transport,
        store: store.clone(),
    };
    Registration {
        spec,
        handler: Arc::new(relay),
    }
}

#[async_trait]
impl Erased for Relay {
    fn concerns(&self, _envelope: &Envelope) -> bool {
        true
    }

    async fn handle(&self, spec: &Spec, events: &[Stored], unit: &mut Unit) -> Result<(), Failure> {
        let mut at = None;
        let mut last = BTreeMap::new();
        let work = async {
            match self.send(events).await {
                Ok(sent) => last = sent,
                Err((index, error)) => {
                    at = index;
                    return Err(error);
                }
            }
            Ok(())
        };
        let sent = invoke::guarded(spec.timeout, work).await;
        sent.map_err(|error| (at, error))?;
        if !last.is_empty() {
            let record = self.record(unit, &last).await;
            record.map_err(|error| (None, HandlerError::from(error)))?;
        }
        Ok(())
    }

    /// What was sent cannot be taken back.
    async fn reset(&self, _tx: &mut Tx) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl Relay {
    /// Sends a batch, each event after its predecessor was confirmed, and returns the last one of each key. No
    /// transaction is open meanwhile.
    async fn send(&self, events: &[Stored]) -> Result<BTreeMap<Key, Predecessor>, Failure> {
        let unreadable = |(at, event): (usize, &Stored)| Some((at, event.fault.clone()?));
        if let Some((at, fault)) = events.iter().enumerate().find_map(unreadable) {
            return Err((Some(at), fault.reject()));
        }
        let mut sent = self.look_up(events).await.map_err(|e| (None, e.into()))?;
        let mut last = BTreeMap::new();
        let rounds = self.rounds(events);
        for (nth, round) in rounds.iter().enumerate() {
            if nth > 0 && sent.since.elapsed() > SEND_FOR {
                let at = rounds[nth..].iter().flatten().min().copied();
                let reason = "the transport is slow; what is confirmed is committed first";
                return Err((at, HandlerError::new(Verdict::Hold, reason)));
            }
            self.send_round(events, round, &mut sent).await?;
            for &at in round.iter().filter(|at| is_keyed(&events[**at])) {
                let key = events[at].key;
                last.extend(sent.last.get(&key).map(|sent| (key, sent.clone())));
            }
        }
        Ok(last)
    }

    /// Splits a batch so that no round holds two events of one key, unless the transport keeps them in order.
    fn rounds(&self, events: &[Stored]) -> Vec<Vec<usize>> {
        if self.transport.capabilities().keeps_order_per_key {
            return vec![(0..events.len()).collect()];
        }
        let mut counts: HashMap<Key, usize> = HashMap::new();
        let mut rounds: Vec<Vec<usize>> = Vec::new();
        for (at, event) in events.iter().enumerate() {
            let nth = counts.entry(event.key).or_default();
            if rounds.len() == *nth {
                rounds.push(Vec::new());
            }
            rounds[*nth].push(at);
            *nth += 1;
        }
        rounds
    }

    async fn send_round(
        &self,
        events: &[Stored],
        round: &[usize],
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let mut batch = Vec::with_capacity(round.len());
        for &at in round {
            let stamped = sent.stamp(&events[at]);
            batch.push(stamped.map_err(|error| (Some(at), error))?);
        }
        let call = self.transport.publish(&self.topic, &batch);
        let answers = tokio::time::timeout(CALL_MAX, call)
            .await
            .unwrap_or_default();
        let answer = |nth: usize| match answers.get(nth) {
            Some(answer) => answer.clone(),
            None => Err(TransportError::transient("the transport did not answer")),
        };
        let failed = round.iter().enumerate();
        let first = failed
            .filter_map(|(nth, &at)| Some((at, answer(nth).err()?)))
            .min_by_key(|(at, _)| *at);
        first.map_or(Ok(()), |(at, error)| Err((Some(at), verdict(&error))))
    }

    /// Asks what was sent of these keys before, and what time it is where the other times come from.
    async fn look_up(&self, events: &[Stored]) -> Result<Sent, Error> {
        let since = Stopwatch::start();
        let keys: BTreeSet<String> = events
            .iter()
            .filter(|event| is_keyed(event))
            .map(|event| event.key.as_uuid().simple().to_string())
            .collect();
        let sql = match self.store.dialect() {
            Dialect::Sqlite => LAST_SQLITE,
            Dialect::Postgres => LAST_POSTGRES,
        };
        let rows = self
            .store
            .query(sql)
            .bind(self.name)
            .bind(self.topic.as_str())
            .bind(serde_json::json!(keys).to_string())
            .fetch_all()
            .await?;
        let now = rows.first().map(|row| row.get("now")).transpose()?;
        let last = rows.iter().filter_map(|row| known(row).transpose());
        Ok(Sent {
            now: now.unwrap_or_default(),
            since,
            last: last.collect::<Result<_, Error>>()?,
        })
    }

    /// Writes down what was sent last of each key, in the transaction that moves the position.
    async fn record(
        &self,
        unit: &mut Unit,
        last: &BTreeMap<Key, Predecessor>,
    ) -> Result<(), Error> {
        let row = |(key, sent): (&Key, &Predecessor)| {
            serde_json::json!({
                "key": key.as_uuid().simple().to_string(),
                "last_id": sent.id,
                "sent_us": sent.sent_at.timestamp_micros(),
            })
        };
        let rows: Vec<_> = last.iter().map(row).collect();
        let tx = unit.tx().await?;
        let sql = match tx.dialect() {
            Dialect::Sqlite => RECORD_SQLITE,
            Dialect::Postgres => RECORD_POSTGRES,
        };
        tx.query(sql)
            .bind(self.name)
            .bind(self.topic.as_str())
            .bind(serde_json::json!(rows).to_string())
            .execute()
            .await?;
        Ok(())
    }
}

impl Sent {
    /// Stamps an event and remembers it as the last of its key.
    fn stamp(&mut self, event: &Stored) -> Result<Outgoing, HandlerError> {
        let predecessor = self.last.get(&event.key).cloned();
        let now = self.now + self.since.elapsed();
        // Of one key each is sent later than the one before, whatever the clock does.
        let least = predecessor.as_ref().map(|before| before.sent_at + TICK);
        let sent_at = least.map_or(now, |least| now.max(least));
        let stamp = Stamp {
            sent_at,
            predecessor,
        };
        let envelope = stamp.put(event.envelope.as_ref().clone()).map_err(|e| {
            let error = Error::invalid("the event cannot be stamped").with_source(e);
            crate::outcome::chain(&error).reject()
        })?;
        if is_keyed(event) {
            let id = event.envelope.id().to_owned();
            self.last.insert(event.key, Predecessor { id, sent_at });
        }
        Ok(Outgoing::new(envelope))
    }
}

/// An event without a key is in order with nothing, and leaves no record.
fn is_keyed(event: &Stored) -> bool {
    event.envelope.partitionkey().is_some()
}

fn verdict(error: &TransportError) -> HandlerError {
    if error.is_transient() {
        return HandlerError::new(Verdict::Hold, error.reason());
    }
    format!("the transport refuses it: {}", error.reason()).reject()
}

fn known(row: &Row) -> Result<Option<(Key, Predecessor)>, Error> {
    let Some(key) = row.get::<Option<Key>>("key")? else {
        return Ok(None);
    };
    let sent = Predecessor {
        id: row.get("last_id")?,
        sent_at: row.get("sent_at")?,
    };
    Ok(Some((key, sent)))
}

const LAST_SQLITE: &str = "select t.now, r.key, r.last_id, r.sent_at from platform_time t
    left join platform_relayed r on r.relay = $1 and r.topic = $2
        and r.key in (select unhex(value) from json_each($3))";
const LAST_POSTGRES: &str = "select t.now, r.key, r.last_id, r.sent_at from platform_time t
    left join platform_relayed r on r.relay = $1 and r.topic = $2
        and r.key = any(array(select value::uuid from json_array_elements_text($3::json)))";
const RECORD_SQLITE: &str = "insert into platform_relayed (relay, topic, key, last_id, sent_at)
    select $1, $2, unhex(value ->> 'key'), value ->> 'last_id', value ->> 'sent_us' from json_each($3)
    where true
    on conflict (relay, topic, key) do update set last_id = excluded.last_id, sent_at = excluded.sent_at";
const RECORD_POSTGRES: &str = "insert into platform_relayed (relay, topic, key, last_id, sent_at)
    select $1, $2, key, last_id, timestamptz 'epoch' + sent_us * interval '1 microsecond'
    from json_to_recordset($3::json) as r(key uuid, last_id text, sent_us bigint)
    on conflict (relay, topic, key) do update set last_id = excluded.last_id, sent_at = excluded.sent_at";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_names_of_relays_never_change() {
        for (topic, name) in [
            ("items", "relay-items"),
            ("Shop.Orders_v1", "relay-shop-orders-v1"),
        ] {
            assert_eq!(group_name(topic), name);
        }
    }

    #[test]
    fn a_lasting_name_is_kept_once() {
        let (first, second) = (lasting("name".to_owned()), lasting("name".to_owned()));
        assert!(std::ptr::eq(first, second));
    }
}
