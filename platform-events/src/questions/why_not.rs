//! Why a handler has not handled an event, or that it has.

use std::fmt;

use platform_core::store::Row;
use serde::Serialize;

use super::not_found;
use crate::blocked::Cause;
use crate::log::{LogRow, Position};
use crate::retention::TRIMMED;
use crate::status::{Outcome, Run};
use crate::subscription::Subscription;
use crate::{Error, Service};

/// What a handler has made of an event, or what keeps it from it. `Display` says it in a sentence.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "answer", content = "detail", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhyNot {
    /// It has handled it: the last run that covered it, unless runs of that age are gone.
    Handled(Option<Box<Run>>),
    /// Its patterns do not ask for this type.
    NotAsked {
        /// What they ask for.
        patterns: Vec<String>,
    },
    /// It was registered to start after it.
    BeforeStart {
        /// The position after which it started.
        start: i64,
    },
    /// A release that asked for less passed over it; a replay can make up for it.
    PassedOver,
    /// It has not come that far.
    NotRead {
        /// The last position that its lane has passed.
        position: i64,
        /// The process that holds the lane.
        holder: Option<String>,
        /// Why a process has paused the handler.
        paused: Option<String>,
    },
    /// It failed and waits for its next attempt.
    Waiting {
        /// How many attempts were made.
        attempts: i64,
        /// What the last one said.
        reason: String,
    },
    /// It waits behind an earlier event of its key.
    Behind {
        /// That event's position.
        head: i64,
        /// Whether that one is parked; else it waits for an attempt.
        is_parked: bool,
    },
    /// It is parked.
    Parked {
        /// Why.
        cause: Cause,
        /// What the last attempt said.
        reason: String,
    },
    /// Somebody gave it up.
    Discarded,
    /// It has left the log.
    Trimmed,
}

impl Service {
    /// Answers why a handler has not handled the event at `position`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for an unknown handler, and for a position that no event
    /// has; the store's.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn why_not(&self, handler: &str, position: i64) -> Result<WhyNot, Error> {
        let query = self.store().query(GROUP).bind(self.parts.service.as_str());
        let Some(group) = query.bind(handler).fetch_optional().await? else {
            return Err(not_found(&format!("no handler is called `{handler}`")));
        };
        let Some(event) = self.parts.log.at(position).await? else {
            return self.no_event(position).await;
        };
        let asked = Subscription::parse(&group.get::<String>("subscription")?)?;
        if !asked.matches(&event.kind) {
            let patterns = asked.patterns().iter().map(ToString::to_string).collect();
            return Ok(WhyNot::NotAsked { patterns });
        }
        if let Some(answer) = self.held(&group, &event).await? {
            return Ok(answer);
        }
        self.passed(&group, &event).await
    }

    async fn no_event(&self, position: Position) -> Result<WhyNot, Error> {
        let row = self.store().query(TRIMMED).fetch_one().await?;
        let trimmed: String = row.get("value")?;
        if trimmed
            .parse()
            .is_ok_and(|trimmed: Position| position <= trimmed)
        {
            return Ok(WhyNot::Trimmed);
        }
        let message = format!("no event stands at position {position}: numbers have holes");
        Err(not_found(&message))
    }

    /// What the key of the event says, if it is blocked.
    async fn held(&self, group: &Row, event: &LogRow) -> Result<Option<WhyNot>, Error> {
        let query = self.store().query(BLOCKED).bind(group.get::<i64>("id")?);
        let row = query
            .bind(event.key)
            .bind(event.seq)
            .bind(event.tenant.as_str());
        let Some(row) = row.fetch_optional().await? else {
            return Ok(None);
        };
        let (head, state): (i64, String) = (row.get("head")?, row.get("state")?);
        let reason = super::text(&row, "reason")?;
        Ok(Some(match state.as_str() {
            state if head < event.seq => WhyNot::Behind {
                head,
                is_parked: state == "parked",
            },
            "parked" => WhyNot::Parked {
                cause: Cause::parse(&row.get::<String>("cause")?)?,
                reason,
            },
            "discarded" => WhyNot::Discarded,
            _ => WhyNot::Waiting {
                attempts: row.get("attempts")?,
                reason,
            },
        }))
    }

    /// What the lane of the event says.
    async fn passed(&self, group: &Row, event: &LogRow) -> Result<WhyNot, Error> {
        let id: i64 = group.get("id")?;
        let start: i64 = group.get("start_position")?;
        if event.seq <= start {
            return Ok(WhyNot::BeforeStart { start });
        }
        let lane = self.store().query(LANE).bind(id).bind(event.seq);
        let lane = lane.fetch_one().await?;
        if event.seq > lane.get("frontier")? {
            return Ok(WhyNot::NotRead {
                position: lane.get("position")?,
                holder: lane.get("holder")?,
                paused: group.get("paused")?,
            });
        }
        let narrowed = self.store().query(NARROWED).bind(id).bind(event.seq);
        for row in narrowed.fetch_all().await? {
            let missed = Subscription::parse(&row.get::<String>("subscription")?)?;
            if missed.matches(&event.kind) {
                return Ok(WhyNot::PassedOver);
            }
        }
        let name: String = group.get("name")?;
        let runs = self.runs().of_event(event.seq).await?;
        let run = runs.into_iter().find(|run| run.handler == name);
        let is_done = run.as_ref().is_some_and(|run| run.outcome == Outcome::Done);
        let given_up = self.store().query(DISCARDED).bind(id).bind(event.seq);
        if !is_done && given_up.fetch_optional().await?.is_some() {
            return Ok(WhyNot::Discarded);
        }
        Ok(WhyNot::Handled(run.map(Box::new)))
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handled(Some(run)) => {
                write!(f, "it has: run {} ended {}", run.id, run.outcome.as_str())
            }
            Self::Handled(None) => f.write_str("it has; the runs of that time are gone"),
            Self::NotAsked { patterns } => {
                write!(f, "it asks for {} alone", patterns.join(", "))
            }
            Self::BeforeStart { start } => write!(f, "it started after position {start}"),
            Self::PassedOver => f.write_str(
                "a release that asked for less passed over it; replay it to make up for that",
            ),
            Self::NotRead {
                position,
                holder,
                paused,
            } => {
                let holder = holder.as_deref().unwrap_or("nobody");
                write!(f, "its lane stands at {position}, held by {holder}")?;
                paused
                    .iter()
                    .try_for_each(|why| write!(f, "; paused: {why}"))
            }
            Self::Waiting { attempts, reason } => {
                write!(f, "it waits after {attempts} attempts: {reason}")
            }
            Self::Behind { head, is_parked } => {
                let state = if *is_parked { "is parked" } else { "waits" };
                write!(f, "an earlier event of its key, at {head}, {state}")
            }
            Self::Parked { cause, reason } => write!(f, "it is parked ({cause}): {reason}"),
            Self::Discarded => f.write_str("somebody gave it up"),
            Self::Trimmed => f.write_str("it has left the log"),
        }
    }
}

const GROUP: &str = "select g.id, g.name, g.subscription, g.start_position,
        (select min(m.pause_reason) from platform_member m where m.group_id = g.id) as paused
    from platform_group g where g.service = $1 and g.name = $2";
const BLOCKED: &str = "select head, state, cause, reason, attempts from platform_blocked
    where group_id = $1 and key = $2 and head <= $3 and tenant = $4";
const LANE: &str = "select l.position,
        case when l.resume_at > l.position then l.resume_at else l.position end as frontier,
        (select p.name from platform_process p
            where p.id = l.process and p.expires_at > (select now from platform_time)) as holder
    from platform_lane l
    where l.group_id = $1 and l.lane in (-1, (select lane from platform_log where seq = $2))";
const NARROWED: &str = "select n.subscription from platform_narrowed n
    where n.group_id = $1 and n.lane in (-1, (select lane from platform_log where seq = $2))
      and n.from_position < $2 and (n.to_position is null or n.to_position >= $2)";
const DISCARDED: &str = "select id from platform_decision
    where group_id = $1 and head = $2 and action = 'discard' limit 1";
