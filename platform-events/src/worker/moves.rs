//! Positions that move past what no handler asked for, collected over all groups and committed together.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform_core::store::Dialect;
use tokio::sync::Notify;

use super::Worker;
use super::group::{Group, Lane, locked};
use crate::Error;
use crate::log::Position;

/// Between two commits while lanes have more to read within the same second.
const EVERY: Duration = Duration::from_millis(100);

/// The moves that wait to be committed.
#[derive(Debug, Default)]
pub(super) struct Moves {
    waiting: Mutex<Vec<Move>>,
    hurry: Notify,
}

#[derive(Debug)]
struct Move {
    group: Arc<Group>,
    lane: Arc<Lane>,
    to: Position,
}

impl Moves {
    /// Takes a move of a lane that stays busy until it is committed. `is_full` says that the lane has more to
    /// read.
    pub(super) fn push(&self, group: &Arc<Group>, lane: &Arc<Lane>, to: Position, is_full: bool) {
        let entry = Move {
            group: Arc::clone(group),
            lane: Arc::clone(lane),
            to,
        };
        locked(&self.waiting).push(entry);
        if is_full {
            self.hurry.notify_one();
        }
    }
}

impl Worker {
    /// Commits collected moves until the worker stops.
    pub(super) async fn flush_moves(self: Arc<Self>) {
        loop {
            let is_last = tokio::select! {
                () = self.stop.cancelled() => true,
                () = self.moves.hurry.notified() => false,
                () = tokio::time::sleep(EVERY) => false,
            };
            let moves = std::mem::take(&mut *locked(&self.moves.waiting));
            if !moves.is_empty() {
                self.flush(moves).await;
            }
            if is_last {
                return;
            }
        }
    }

    async fn flush(&self, moves: Vec<Move>) {
        let moved = match self.commit_moves(&moves).await {
            Ok(moved) => moved,
            Err(error) => {
                tracing::warn!(error = crate::outcome::chain(&error), "moving positions");
                Vec::new()
            }
        };
        for entry in moves {
            let place = moved.iter().find(|(group, lane, _)| {
                *group == entry.group.id && *lane == i64::from(entry.lane.number)
            });
            match place {
                Some((.., place)) => entry.lane.moved(entry.to, place.clone()),
                // Lost, or uncertain: the database says which.
                None => self.take_again(&entry.group, &entry.lane).await,
            }
            entry
                .lane
                .is_busy
                .store(false, std::sync::atomic::Ordering::Release);
            entry.group.wake.notify_one();
        }
    }

    /// Commits the moves, and returns the group, lane and new place of each that was made.
    async fn commit_moves(&self, moves: &[Move]) -> Result<Vec<(i64, i64, String)>, Error> {
        let rows: Vec<_> = moves
            .iter()
            .map(|entry| {
                serde_json::json!({
                    "group_id": entry.group.id,
                    "lane": entry.lane.number,
                    "token": entry.lane.token,
                    "seen": entry.lane.position(),
                    "position": entry.to,
                })
            })
            .collect();
        let mut tx = self.store().begin().await?;
        let sql = match tx.dialect() {
            Dialect::Sqlite => MOVE_SQLITE,
            Dialect::Postgres => MOVE_POSTGRES,
        };
        let moved = tx
            .query(sql)
            .bind(serde_json::json!(rows).to_string())
            .fetch_all()
            .await?;
        tx.commit().await?;
        moved
            .iter()
            .map(|row| Ok((row.get("group_id")?, row.get("lane")?, row.get("place")?)))
            .collect()
    }
}

const MOVE_SQLITE: &str = "update platform_lane set position = m.position
    from (select value ->> 'group_id' as group_id, value ->> 'lane' as lane, value ->> 'token' as token,
            value ->> 'seen' as seen, value ->> 'position' as position from json_each($1)) m
    where platform_lane.group_id = m.group_id and platform_lane.lane = m.lane
      and platform_lane.token = m.token and platform_lane.position = m.seen
    returning group_id, lane, '' as place";
const MOVE_POSTGRES: &str = "update platform_lane l set position = m.position
    from json_to_recordset($1::json)
        as m(group_id integer, lane smallint, token bigint, seen bigint, position bigint)
    where l.group_id = m.group_id and l.lane = m.lane and l.token = m.token and l.position = m.seen
    returning l.group_id, l.lane, l.ctid::text as place";
