//! A group as its process sees it: the lanes it holds, what they have in hand, and the kill switch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use platform_core::Key;
use platform_core::clock::Stopwatch;
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore};

use super::Lanes;
use super::switch::Switch;
use crate::Error;
use crate::fence::{Fence, Step};
use crate::lease::Taken;
use crate::log::{LogRow, Position};
use crate::pattern::Pattern;
use crate::registry::{Erased, Registration, Spec};
use crate::replay::Redo;
use crate::subscription::Subscription;

/// How many events run alone after their process has died with them ahead. A killer further on costs another
/// death; the price of a larger number is paid by every process that is killed for no fault of an event.
const SUSPECTS: usize = 64;
/// The most events of which a lane remembers how often they lost their connection.
const LOSSES_KEPT: usize = 1_000;
/// How many retries of different keys of one group run at the same time.
const RETRIES_MAX: usize = 8;

/// One handler with everything that its process knows of it.
pub(crate) struct Group {
    pub(crate) id: i64,
    pub(crate) spec: Spec,
    pub(crate) handler: Arc<dyn Erased>,
    pub(crate) subscription: Subscription,
    pub(super) like: Vec<String>,
    lanes: Mutex<Lanes>,
    pub(super) switch: Mutex<Switch>,
    pub(super) wake: Notify,
    pub(super) retries: Arc<Semaphore>,
    /// Held while lanes are taken, taken again or compared with the database.
    pub(super) seating: AsyncMutex<()>,
}

/// A lane that this process holds.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) number: i16,
    pub(crate) token: i64,
    seat: Mutex<Seat>,
    blocked: Mutex<HashMap<Key, Position>>,
    /// Held from the last look at blocked keys and position until they are committed.
    pub(super) commit: AsyncMutex<()>,
    pub(super) is_busy: AtomicBool,
    pub(super) is_lost: AtomicBool,
    pub(super) is_leaving: AtomicBool,
    /// How many of the next events are handled one by one, after their connection was lost.
    pub(super) careful: AtomicUsize,
    /// How far the log was seen to hold nothing for this lane; a hint, never a position.
    pub(super) seen: AtomicI64,
    in_hand: Mutex<Option<InHand>>,
    losses: Mutex<HashMap<Position, u32>>,
    /// How many of the next events run alone in this process and stay counted: one of them has killed it.
    pub(super) suspects: AtomicUsize,
    /// The keys whose retries are in hand, with the position of the event and since when.
    retrying: Mutex<HashMap<Key, InHand>>,
}

/// The position of an event that is being handled, and since when.
type InHand = (Position, Stopwatch);

#[derive(Debug, Clone)]
struct Seat {
    position: Position,
    place: String,
    crashes: i64,
    in_hand: Option<Position>,
    redo: Option<Redo>,
}

impl Group {
    pub(super) fn new(id: i64, registration: Registration) -> Result<Self, Error> {
        let Registration { spec, handler } = registration;
        let subscription = Subscription::of(&spec.patterns)?;
        Ok(Self {
            id,
            like: subscription.patterns().iter().map(Pattern::like).collect(),
            subscription,
            spec,
            handler,
            lanes: Mutex::default(),
            switch: Mutex::default(),
            wake: Notify::new(),
            retries: Arc::new(Semaphore::new(RETRIES_MAX)),
            seating: AsyncMutex::default(),
        })
    }

    /// Answers whether a row is asked for: by its type, and by its origin where received events go no further.
    pub(super) fn matches(&self, row: &LogRow) -> bool {
        let is_ours = row.origin.is_empty() || !self.spec.is_relay;
        is_ours && self.matches_type(&row.kind)
    }

    /// Answers whether an event type is asked for.
    pub(super) fn matches_type(&self, kind: &str) -> bool {
        self.subscription.matches(kind)
    }

    pub(crate) fn lanes(&self) -> Vec<Arc<Lane>> {
        locked(&self.lanes).values().cloned().collect()
    }

    pub(super) fn lane(&self, number: i16) -> Option<Arc<Lane>> {
        locked(&self.lanes).get(&number).cloned()
    }

    pub(super) fn seat(&self, lane: Lane) {
        locked(&self.lanes).insert(lane.number, Arc::new(lane));
        self.wake.notify_one();
    }

    pub(super) fn unseat(&self, lane: &Lane) {
        lane.is_lost.store(true, Ordering::Release);
        let mut lanes = locked(&self.lanes);
        if lanes
            .get(&lane.number)
            .is_some_and(|held| held.token == lane.token)
        {
            lanes.remove(&lane.number);
        }
    }

    pub(super) fn blocked_count(&self) -> usize {
        locked(&self.lanes)
            .values()
            .map(|lane| locked(&lane.blocked).len())
            .sum()
    }

    pub(super) fn switch(&self) -> MutexGuard<'_, Switch> {
        locked(&self.switch)
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group")
            .field("id", &self.id)
            .field("name", &self.spec.name)
            .finish()
    }
}

impl Lane {
    pub(super) fn new(taken: &Taken, blocked: Vec<(Key, Position)>) -> Self {
        Self {
            number: taken.lane,
            token: taken.token,
            seat: Mutex::new(Seat {
                position: taken.position,
                place: taken.place.clone(),
                crashes: taken.crashes,
                in_hand: taken.in_hand,
                redo: taken.redo,
            }),
            blocked: Mutex::new(blocked.into_iter().collect()),
            commit: AsyncMutex::default(),
            is_busy: AtomicBool::new(false),
            is_lost: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            careful: AtomicUsize::new(0),
            seen: AtomicI64::new(taken.position),
            in_hand: Mutex::default(),
            losses: Mutex::default(),
            suspects: AtomicUsize::new(if taken.crashes > 0 { SUSPECTS } else { 0 }),
            retrying: Mutex::default(),
        }
    }

    /// A lane taken again by the process that holds it: what was learnt about its next events stays.
    pub(super) fn again(taken: &Taken, blocked: Vec<(Key, Position)>, old: Option<&Self>) -> Self {
        let lane = Self::new(taken, blocked);
        if let Some(old) = old {
            lane.careful
                .store(old.careful.load(Ordering::Acquire), Ordering::Release);
            (*locked(&lane.losses)).clone_from(&locked(&old.losses));
        }
        lane
    }

    pub(super) fn position(&self) -> Position {
        locked(&self.seat).position
    }

    pub(super) fn crashes(&self) -> i64 {
        locked(&self.seat).crashes
    }

    /// The event that was in hand when the last owner died, if it had been counted.
    pub(super) fn suspect(&self) -> Option<Position> {
        locked(&self.seat).in_hand
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    pub(super) fn fence(&self, group: i64) -> Fence {
        let place = locked(&self.seat).place.clone();
        Fence {
            group,
            lane: self.number,
            token: self.token,
            place,
        }
    }

    /// Remembers what a commit made true.
    pub(super) fn committed(&self, step: Step, place: String) {
        let mut seat = locked(&self.seat);
        seat.place = place;
        if let Some(position) = step.to {
            seat.position = position;
            seat.in_hand = None;
            self.seen.fetch_max(position, Ordering::AcqRel);
        }
        if step.is_calm {
            seat.crashes = 0;
        }
    }

    /// Remembers a move past what nobody asked for; it proves nothing about crashes.
    pub(super) fn moved(&self, position: Position, place: String) {
        let mut seat = locked(&self.seat);
        seat.position = position;
        seat.place = place;
        self.seen.fetch_max(position, Ordering::AcqRel);
    }

    pub(super) fn block(&self, key: Key, head: Position) {
        locked(&self.blocked).insert(key, head);
    }

    pub(super) fn free(&self, key: Key) {
        locked(&self.blocked).remove(&key);
    }

    /// Answers whether an event waits behind the head of its key. One before it is only met by a replay.
    pub(super) fn is_blocked(&self, key: Key, position: Position) -> bool {
        let blocked = locked(&self.blocked);
        blocked.get(&key).is_some_and(|head| *head <= position)
    }

    /// The stretch that is handled again, if a replay was asked for; it may be over.
    pub(super) fn redo(&self) -> Option<Redo> {
        locked(&self.seat).redo
    }

    /// How far the lane has ever come.
    pub(super) fn frontier(&self) -> Position {
        let seat = locked(&self.seat);
        let resume_at = seat.redo.map_or(0, |redo| redo.resume_at);
        seat.position.max(resume_at)
    }

    /// Answers whether a replay meets an event that the lane has been through before.
    pub(super) fn has_been_through(&self, position: Position) -> bool {
        self.redo().is_some_and(|redo| position <= redo.resume_at)
    }

    pub(super) fn took_in_hand(&self, position: Option<Position>) {
        *locked(&self.in_hand) = position.map(|position| (position, Stopwatch::start()));
    }

    /// Notes that the retry of a key is in hand, or is over.
    pub(super) fn retries(&self, key: Key, position: Option<Position>) {
        let mut retrying = locked(&self.retrying);
        match position {
            Some(position) => retrying.insert(key, (position, Stopwatch::start())),
            None => retrying.remove(&key),
        };
    }

    pub(super) fn is_retrying(&self) -> bool {
        !locked(&self.retrying).is_empty()
    }

    /// What the lane has had in hand for the longest time, and for how long.
    pub(crate) fn in_hand(&self) -> Option<(Position, std::time::Duration)> {
        let reading = *locked(&self.in_hand);
        let retrying: Vec<InHand> = locked(&self.retrying).values().copied().collect();
        let all = reading.into_iter().chain(retrying);
        all.map(|(position, since)| (position, since.elapsed()))
            .max_by_key(|(_, elapsed)| *elapsed)
    }

    /// Notes that the connection was lost while this event was handled by itself, and counts how often that was
    /// so while nothing else ran in this process.
    pub(super) fn lost_connection(&self, position: Position, was_alone: bool) -> u32 {
        let mut losses = locked(&self.losses);
        if losses.len() >= LOSSES_KEPT {
            losses.clear();
        }
        let count = losses.entry(position).or_default();
        *count += u32::from(was_alone);
        *count
    }

    /// Answers whether this event has lost its connection before: then it runs while nothing else does.
    pub(super) fn has_lost(&self, position: Position) -> bool {
        locked(&self.losses).contains_key(&position)
    }
}

/// Locks what no panic can leave half-changed: every holder only reads or replaces values.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
