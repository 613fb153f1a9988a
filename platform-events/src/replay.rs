//! Replay: a group handles a stretch of the log again.
//!
//! The call writes into the lanes' rows and raises their tokens; the owners, whoever they are, do the rest. What is
//! handled again is muted, and what a handler publishes meanwhile is counted and dropped, unless the replay is a
//! publishing one. New events wait until the stretch is through.

use platform_core::{Actor, Store, Tx};

use crate::log::Position;
use crate::registry::Erased;
use crate::{Error, ErrorKind, retention};

/// Which stretch of the log a group shall handle again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a replay does nothing until a service is asked for it"]
pub struct Replay {
    from: i64,
    to: i64,
    is_publishing: bool,
    is_rebuild: bool,
}

/// What a call for a replay has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaying {
    /// Its number, which the ids of what it publishes contain.
    pub number: i64,
    /// How many events of the log lie in the stretch; new ones wait until the lanes are through.
    pub events: i64,
}

impl Replay {
    /// Begins with the event at `position`, and goes on to the last one that the group has handled.
    pub fn from(position: i64) -> Self {
        Self {
            from: position,
            to: i64::MAX,
            is_publishing: false,
            is_rebuild: false,
        }
    }

    /// Begins at the beginning, with the handler [reset](crate::Handler::reset): for a read model that adds up, and
    /// for one whose tables have changed.
    pub fn rebuild() -> Self {
        Self {
            is_rebuild: true,
            ..Self::from(1)
        }
    }

    /// Ends with the event at `position`.
    pub fn to(mut self, position: i64) -> Self {
        self.to = position;
        self
    }

    /// Appends what the handler publishes meanwhile, under ids of its own: other services see it as new.
    pub fn publishing(mut self) -> Self {
        self.is_publishing = true;
        self
    }
}

/// A stretch that a lane, or a blocked key, is handling again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Redo {
    pub(crate) again: Again,
    /// Up to here, inclusive, events are handled again.
    pub(crate) muted_until: Position,
    /// From there on to here, inclusive, they have been handled and stay so.
    pub(crate) resume_at: Position,
}

/// By which replay an event is handled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) number: i64,
    pub(crate) is_publishing: bool,
}

/// What an event is to a lane that may be in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Again(Again),
    Done,
    New,
}

impl Redo {
    pub(crate) fn phase(redo: Option<&Self>, seq: Position) -> Phase {
        match redo {
            Some(redo) if seq <= redo.muted_until => Phase::Again(redo.again),
            Some(redo) if seq <= redo.resume_at => Phase::Done,
            _ => Phase::New,
        }
    }

    /// Reads the columns `replay`, `muted_until`, `resume_at` and `is_publishing`.
    pub(crate) fn read(row: &platform_core::store::Row) -> Result<Option<Self>, Error> {
        let Some(number) = row.get("replay")? else {
            return Ok(None);
        };
        Ok(Some(Self {
            again: Again {
                number,
                is_publishing: row.get::<Option<bool>>("is_publishing")?.unwrap_or(false),
            },
            muted_until: row.get("muted_until")?,
            resume_at: row.get("resume_at")?,
        }))
    }
}

/// Begins a replay of the group `handler`.
pub(crate) async fn begin(
    store: &Store,
    of: (&str, &str),
    handler: Option<&dyn Erased>,
    replay: Replay,
    who: (&Actor, &str),
) -> Result<Replaying, Error> {
    who.0.check()?;
    let mut tx = store.begin().await?;
    let written = async {
        let replaying = write(&mut tx, of, replay, who).await?;
        if replay.is_rebuild {
            reset(&mut tx, of.1, handler).await?;
        }
        Ok(replaying)
    };
    match written.await {
        Ok(replaying) => {
            tx.commit().await?;
            Ok(replaying)
        }
        Err(error) => {
            if let Err(failed) = tx.rollback().await {
                tracing::debug!(%failed, "rolling back");
            }
            Err(error)
        }
    }
}

/// Empties what the handler has built. The lanes are locked by now, so nobody writes beside it.
async fn reset(tx: &mut Tx, name: &str, handler: Option<&dyn Erased>) -> Result<(), Error> {
    let Some(handler) = handler else {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "this build has no handler `{name}`, so it cannot be reset; replay it from a position"
            ),
        ));
    };
    handler.reset(tx).await.map_err(|error| {
        let message = format!("the handler `{name}` cannot be reset: {}", error.reason());
        Error::new(ErrorKind::Store, message)
    })
}

async fn write(
    tx: &mut Tx,
    (service, handler): (&str, &str),
    replay: Replay,
    (by, because): (&Actor, &str),
) -> Result<Replaying, Error> {
    let found = tx.query(GROUP).bind(service).bind(handler);
    let group: i64 = match found.fetch_optional().await? {
        Some(row) => row.get("id")?,
        None => {
            let message = format!("the service {service} has no handler `{handler}`");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
    };
    let reach = tx.query(REACH).bind(group).fetch_one().await?;
    check(replay, &reach)?;
    let number: i64 = tx
        .query(RECORD)
        .bind(group)
        .bind(replay.from)
        .bind(replay.to)
        .bind(replay.is_publishing)
        .bind(by.to_string())
        .bind(because)
        .fetch_one()
        .await?
        .get("id")?;
    tx.query(SET_BACK)
        .bind(group)
        .bind(replay.from)
        .bind(replay.to)
        .bind(number)
        .execute()
        .await?;
    let counted = tx.query(COUNT).bind(replay.from).bind(replay.to);
    let row = counted.bind(group).fetch_one().await?;
    Ok(Replaying {
        number,
        events: row.get("events")?,
    })
}

fn check(replay: Replay, reach: &platform_core::store::Row) -> Result<(), Error> {
    let trimmed: String = reach.get("trimmed_to")?;
    let trimmed = retention::position(&trimmed)?;
    let last: Position = reach.get("last")?;
    if replay.is_rebuild && trimmed > 0 {
        return Err(Error::invalid(format!(
            "the log is trimmed up to {trimmed}, so nothing can be rebuilt from it; replay from {} without a reset",
            trimmed + 1
        )));
    }
    if replay.from <= trimmed {
        return Err(Error::invalid(format!(
            "the log is trimmed up to {trimmed}; a replay can begin at {} at the earliest",
            trimmed + 1
        )));
    }
    if replay.to < replay.from {
        let Replay { from, to, .. } = replay;
        return Err(Error::invalid(format!(
            "a replay from {from} to {to} has no event"
        )));
    }
    if replay.from > last {
        return Err(Error::invalid(format!(
            "the group has handled nothing after {last}, so there is nothing to handle again from {} on",
            replay.from
        )));
    }
    Ok(())
}

const GROUP: &str =
    "select id from platform_group where service = $1 and name = $2 and retired_at is null";
const REACH: &str = "select
    (select value from platform_meta where name = 'trimmed_to') as trimmed_to,
    (select max(case when resume_at > position then resume_at else position end)
        from platform_lane where group_id = $1) as last";
const RECORD: &str = "insert into platform_replay
    (group_id, from_position, to_position, is_publishing, actor, reason, recorded_at)
    values ($1, $2, $3, $4, $5, $6, (select now from platform_time)) returning id";
/// A lane that has not come as far has nothing to handle again. One that is in a replay already had come as far as
/// that one resumes.
const SET_BACK: &str = "update platform_lane set token = token + 1, replay = $4, position = $2 - 1,
        resume_at = case when resume_at > position then resume_at else position end,
        muted_until = case
            when $3 < case when resume_at > position then resume_at else position end then $3
            when resume_at > position then resume_at else position end,
        crashes = 0, in_hand = null
    where group_id = $1 and case when resume_at > position then resume_at else position end >= $2";
const COUNT: &str = "select count(*) as events from platform_log where seq >= $1 and seq <= $2
    and seq <= (select max(muted_until) from platform_lane where group_id = $3)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_has_three_phases() {
        let again = Again {
            number: 1,
            is_publishing: false,
        };
        let redo = Redo {
            again,
            muted_until: 5,
            resume_at: 8,
        };
        let phase = |seq| Redo::phase(Some(&redo), seq);
        assert_eq!(phase(5), Phase::Again(again));
        assert_eq!((phase(6), phase(8)), (Phase::Done, Phase::Done));
        assert_eq!(phase(9), Phase::New);
        assert_eq!(Redo::phase(None, 1), Phase::New);
    }
}
