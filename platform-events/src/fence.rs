//! The fence around everything an owner of a lane writes.
//!
//! Every transaction of an owner begins with a mark and ends with an update of the lane's row by its token, as
//! the last statement before the commit. Whoever lost the lane meanwhile hits no row and rolls back; a handler
//! that committed by itself has lost the mark.

use std::time::Duration;

use platform_core::Tx;
use platform_core::store::Dialect;

use crate::Error;
use crate::log::Position;

/// The right to write as the owner of one lane.
#[derive(Debug, Clone)]
pub(crate) struct Fence {
    pub(crate) group: i64,
    pub(crate) lane: i16,
    pub(crate) token: i64,
    /// Where PostgreSQL keeps the row (its ctid): found by it, the update stays quick while an old snapshot
    /// keeps dead versions of the row alive (0.05 ms against 3 ms after 100,000 updates).
    pub(crate) place: String,
}

/// Marks a transaction right after its begin. `idle` is how long the server waits for its next statement: below
/// the lease, so that a stalled owner holds no locks when its lanes are taken over.
pub(crate) async fn mark(tx: &mut Tx, token: i64, idle: Duration) -> Result<(), Error> {
    match tx.dialect() {
        Dialect::Sqlite => tx.query("savepoint platform_mark").execute().await?,
        Dialect::Postgres => {
            let idle = idle.as_millis().to_string();
            tx.query(MARK)
                .bind(token.to_string())
                .bind(idle)
                .execute()
                .await?
        }
    };
    Ok(())
}

/// What a commit does to its lane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Where the lane stands then; nothing for a retry, which leaves the reading alone.
    pub(crate) to: Option<Position>,
    /// How many events were handled.
    pub(crate) handled: usize,
    /// Whether it proves that the lane does not kill its process.
    pub(crate) is_calm: bool,
}

impl Fence {
    /// Writes `step` into the lane's row as the last statement of `tx`, and returns where the row is now;
    /// nothing when the lane is lost or the mark is gone.
    pub(crate) async fn close(&self, tx: &mut Tx, step: Step) -> Result<Option<String>, Error> {
        match tx.dialect() {
            Dialect::Sqlite => {
                if tx.query("release platform_mark").execute().await.is_err() {
                    return Ok(None);
                }
                let sql = if step.to.is_some() {
                    READ_SQLITE
                } else {
                    RETRY_SQLITE
                };
                self.update(tx, sql, step).await
            }
            Dialect::Postgres => {
                let by_place = if step.to.is_some() {
                    READ_BY_PLACE
                } else {
                    RETRY_BY_PLACE
                };
                if !self.place.is_empty()
                    && let Some(place) = self.update(tx, by_place, step).await?
                {
                    return Ok(Some(place));
                }
                // The row is elsewhere (another statement of ours moved it), or the lane is lost.
                let sql = if step.to.is_some() {
                    READ_POSTGRES
                } else {
                    RETRY_POSTGRES
                };
                self.update(tx, sql, step).await
            }
        }
    }

    async fn update(
        &self,
        tx: &mut Tx,
        sql: &'static str,
        step: Step,
    ) -> Result<Option<String>, Error> {
        let mut query = tx
            .query(sql)
            .bind(self.group)
            .bind(self.lane)
            .bind(self.token)
            .bind(i64::try_from(step.handled).unwrap_or(i64::MAX));
        if let Some(to) = step.to {
            query = query.bind(to).bind(step.is_calm);
        }
        if [READ_BY_PLACE, RETRY_BY_PLACE].contains(&sql) {
            query = query.bind(self.place.as_str());
        }
        let row = query.fetch_optional().await?;
        Ok(row.map(|row| row.get("place")).transpose()?)
    }
}

const MARK: &str = "select set_config('platform.mark', $1, true),
    set_config('idle_in_transaction_session_timeout', $2, true)";
const READ_SQLITE: &str = "update platform_lane set handled = handled + $4, position = $5,
        crashes = case when $6 then 0 else crashes end, in_hand = null
    where group_id = $1 and lane = $2 and token = $3 and position <= $5 returning '' as place";
const READ_POSTGRES: &str = "update platform_lane set handled = handled + $4, position = $5,
        crashes = case when $6 then 0 else crashes end, in_hand = null
    where group_id = $1 and lane = $2 and token = $3 and position <= $5
      and current_setting('platform.mark', true) = $3::text
    returning ctid::text as place";
const READ_BY_PLACE: &str = "update platform_lane set handled = handled + $4, position = $5,
        crashes = case when $6 then 0 else crashes end, in_hand = null
    where ctid = $7::text::tid and group_id = $1 and lane = $2 and token = $3 and position <= $5
      and current_setting('platform.mark', true) = $3::text
    returning ctid::text as place";
const RETRY_SQLITE: &str = "update platform_lane set handled = handled + $4
    where group_id = $1 and lane = $2 and token = $3 returning '' as place";
const RETRY_POSTGRES: &str = "update platform_lane set handled = handled + $4
    where group_id = $1 and lane = $2 and token = $3 and current_setting('platform.mark', true) = $3::text
    returning ctid::text as place";
const RETRY_BY_PLACE: &str = "update platform_lane set handled = handled + $4
    where ctid = $5::text::tid and group_id = $1 and lane = $2 and token = $3
      and current_setting('platform.mark', true) = $3::text
    returning ctid::text as place";
