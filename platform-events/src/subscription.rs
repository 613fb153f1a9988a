//! What a group asks for, as its row says it, while processes of several releases come and go.
//!
//! A process may take lanes if its own subscription covers the stored one. One that covers more widens the row and
//! takes the lanes of those that do not. One that covers less waits until no covering process has been seen for a
//! while; then it narrows the row, and what is passed over from then on is kept as a range.

use std::time::Duration;

use platform_core::store::Dialect;
use platform_core::{Key, Store, Tx};
use uuid::Uuid;

use crate::Error;
use crate::pattern::Pattern;

/// How often a covering process says that it is there.
const SEEN_EVERY: Duration = Duration::from_secs(30);
/// How long after the last word of a covering process the row is narrowed.
const NARROWED_AFTER: Duration = Duration::from_secs(120);

/// The patterns of a group, as a sorted JSON list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    patterns: Vec<Pattern>,
    text: String,
}

/// Whether a process may take lanes of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admission {
    Admitted,
    /// The group asks for more than this process; another release is, or was lately, at work.
    Waits,
}

impl Subscription {
    pub(crate) fn of(patterns: &[String]) -> Result<Self, Error> {
        let mut sorted = patterns.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let parsed = sorted.iter().map(|text| Pattern::parse(text));
        Ok(Self {
            patterns: parsed.collect::<Result<_, _>>()?,
            text: serde_json::json!(sorted).to_string(),
        })
    }

    /// Reads the stored form.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let patterns: Vec<String> = serde_json::from_str(text).map_err(|error| {
            Error::damaged("platform_group holds a subscription that is no list").with_source(error)
        })?;
        Self::of(&patterns)
    }

    /// Returns the stored form.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Answers whether it asks for events of type `kind`.
    pub(crate) fn matches(&self, kind: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(kind))
    }

    /// Answers whether it asks for everything that `other` asks for.
    fn covers(&self, other: &Self) -> bool {
        let is_covered = |pattern: &Pattern| self.patterns.iter().any(|mine| mine.covers(pattern));
        other.patterns.iter().all(is_covered)
    }

    /// Widens the row of a known group when a release that asks for more is built: before it can publish what only
    /// it asks for, so that no process of the release before moves past that.
    pub(crate) async fn announce(
        &self,
        tx: &mut Tx,
        group: i64,
        stored: &str,
    ) -> Result<(), Error> {
        let stored = Self::parse(stored)?;
        if self != &stored && self.covers(&stored) {
            self.widen(tx, group, &stored, Uuid::nil().into()).await?;
        }
        Ok(())
    }

    /// Decides whether `process` may take lanes of `group`, and brings the row in line.
    pub(crate) async fn admit(
        &self,
        store: &Store,
        group: i64,
        process: Key,
    ) -> Result<Admission, Error> {
        let query = store.query(STORED).bind(group);
        let row = query
            .bind(SEEN_EVERY)
            .bind(patience(store))
            .fetch_one()
            .await?;
        let stored = Self::parse(&row.get::<String>("subscription")?)?;
        let (is_fresh, is_left) = (row.get("is_fresh")?, row.get("is_left")?);
        let change = match (self == &stored, self.covers(&stored)) {
            (true, _) if is_fresh => return Ok(Admission::Admitted),
            (true, _) => Change::Seen,
            (false, true) => Change::Widen,
            (false, false) if is_left => Change::Narrow,
            (false, false) => return Ok(Admission::Waits),
        };
        let mut tx = store.begin().await?;
        let is_made = match change {
            Change::Seen => self.say(&mut tx, group, &stored).await?,
            Change::Widen => self.widen(&mut tx, group, &stored, process).await?,
            Change::Narrow => self.narrow(&mut tx, group, &stored).await?,
        };
        tx.commit().await?;
        // Another process was quicker: what it has made of the row is seen at the next look.
        Ok(if is_made {
            Admission::Admitted
        } else {
            Admission::Waits
        })
    }

    /// Writes into the row what this release asks for, if it still says what was read.
    async fn say(&self, tx: &mut Tx, group: i64, stored: &Self) -> Result<bool, Error> {
        let changed = tx
            .query(SAY)
            .bind(group)
            .bind(self.as_str())
            .bind(stored.as_str())
            .execute()
            .await?;
        if changed == 1 && self != stored {
            let (before, now) = (stored.as_str(), self.as_str());
            tracing::warn!(group, before, now, "a group asks for other events");
        }
        Ok(changed == 1)
    }

    /// Takes the lanes of everybody who asks for less, and notes where what they passed over ends.
    async fn widen(
        &self,
        tx: &mut Tx,
        group: i64,
        stored: &Self,
        process: Key,
    ) -> Result<bool, Error> {
        let is_made = self.say(tx, group, stored).await?;
        if is_made {
            tx.query(EVICT).bind(group).bind(process).execute().await?;
            tx.query(CLOSE).bind(group).execute().await?;
        }
        Ok(is_made)
    }

    /// Notes from where on what the release before asked for is passed over.
    async fn narrow(&self, tx: &mut Tx, group: i64, stored: &Self) -> Result<bool, Error> {
        let is_made = self.say(tx, group, stored).await?;
        if is_made {
            let query = tx.query(NARROW).bind(group);
            query.bind(stored.as_str()).execute().await?;
        }
        Ok(is_made)
    }
}

/// What a process does to the row of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Says that a covering process is there.
    Seen,
    Widen,
    Narrow,
}

/// On one machine there is no other release to wait for.
fn patience(store: &Store) -> Duration {
    match store.dialect() {
        Dialect::Sqlite => Duration::ZERO,
        Dialect::Postgres => NARROWED_AFTER + SEEN_EVERY,
    }
}

const STORED: &str =
    "select g.subscription, g.seen_at > (select now from platform_time) - $2 as is_fresh,
        g.seen_at <= (select now from platform_time) - $3 and not exists (
            select 1 from platform_member m join platform_process p on p.id = m.process
            where m.group_id = g.id and m.subscription = g.subscription
              and p.expires_at > (select now from platform_time)) as is_left
    from platform_group g where g.id = $1";
const SAY: &str =
    "update platform_group set subscription = $2, seen_at = (select now from platform_time)
    where id = $1 and subscription = $3";
const NARROW: &str = "insert into platform_narrowed (group_id, lane, subscription, from_position, recorded_at)
    select group_id, lane, $2, position, (select now from platform_time) from platform_lane where group_id = $1
    on conflict do nothing";
const CLOSE: &str = "update platform_narrowed set to_position = (
        select position from platform_lane l
        where l.group_id = platform_narrowed.group_id and l.lane = platform_narrowed.lane)
    where group_id = $1 and to_position is null";
/// Whoever reads for less would move past what the group now asks for.
const EVICT: &str = "update platform_lane set token = token + 1, process = null
    where group_id = $1 and process is not null and process <> $2";
