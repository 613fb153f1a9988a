//! One lease a process, and the lanes it holds by it.
//!
//! All times are the database's. A lane is free when no process holds it or the holder's lease has run out;
//! taking it raises its token, so that whatever the old holder still writes is fenced off.

use std::time::Duration;

use platform_core::store::Dialect;
use platform_core::{Key, Store};

use crate::Error;
use crate::log::Position;
use crate::replay::Redo;

/// The presence of one process.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    store: Store,
    pub(crate) process: Key,
    length: Duration,
}

/// A lane that was taken, as the take-over's own statement returned it.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) lane: i16,
    pub(crate) token: i64,
    pub(crate) position: Position,
    pub(crate) crashes: i64,
    pub(crate) in_hand: Option<Position>,
    pub(crate) redo: Option<Redo>,
    pub(crate) place: String,
}

/// How the lanes of one group are shared right now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Share {
    pub(crate) members: i64,
    pub(crate) lanes: i64,
    pub(crate) free: i64,
}

impl Share {
    /// The most lanes that one process should hold.
    pub(crate) fn fair(&self) -> i64 {
        let members = self.members.max(1);
        (self.lanes + members - 1) / members
    }
}

impl Lease {
    pub(crate) fn new(store: &Store, length: Duration) -> Self {
        Self {
            store: store.clone(),
            process: Key::unique(),
            length,
        }
    }

    /// Renews the lease and the membership in every group, or begins them.
    pub(crate) async fn renew(&self, service: &str, groups: &[(i64, &str)]) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        tx.query(RENEW)
            .bind(self.process)
            .bind(service)
            .bind(format!("process {}", std::process::id()))
            .bind(self.length)
            .execute()
            .await?;
        for (group, subscription) in groups {
            tx.query(JOIN)
                .bind(self.process)
                .bind(*group)
                .bind(*subscription)
                .execute()
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Says, or takes back, that the kill switch of a group is open in this process.
    pub(crate) async fn pause(&self, group: i64, reason: Option<&str>) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        tx.query(PAUSE)
            .bind(self.process)
            .bind(group)
            .bind(reason)
            .execute()
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Looks how a group is shared.
    pub(crate) async fn share(&self, group: i64) -> Result<Share, Error> {
        let row = self.store.query(SHARE).bind(group).fetch_one().await?;
        Ok(Share {
            members: row.get("members")?,
            lanes: row.get("lanes")?,
            free: row.get("free")?,
        })
    }

    /// Takes up to `most` free lanes of a group.
    pub(crate) async fn take(&self, group: i64, most: i64) -> Result<Vec<Taken>, Error> {
        let mut tx = self.store.begin().await?;
        let sql = match tx.dialect() {
            Dialect::Sqlite => TAKE_SQLITE,
            Dialect::Postgres => TAKE_POSTGRES,
        };
        let rows = tx
            .query(sql)
            .bind(self.process)
            .bind(group)
            .bind(most)
            .fetch_all()
            .await?;
        let taken = rows.iter().map(taken).collect::<Result<_, Error>>()?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Takes a lane of this process again, under a new token. It waits for whatever this process still has in
    /// flight there, so that what it returns is the truth. Nothing when another process holds the lane.
    pub(crate) async fn take_again(&self, group: i64, lane: i16) -> Result<Option<Taken>, Error> {
        let mut tx = self.store.begin().await?;
        let sql = match tx.dialect() {
            Dialect::Sqlite => AGAIN_SQLITE,
            Dialect::Postgres => AGAIN_POSTGRES,
        };
        let row = tx
            .query(sql)
            .bind(self.process)
            .bind(group)
            .bind(lane)
            .fetch_optional()
            .await?;
        let taken = row.as_ref().map(taken).transpose()?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Lists the lanes of a group that the database says this process holds, with their tokens.
    pub(crate) async fn held(&self, group: i64) -> Result<Vec<(i16, i64)>, Error> {
        let rows = self
            .store
            .query(HELD)
            .bind(self.process)
            .bind(group)
            .fetch_all()
            .await?;
        rows.iter()
            .map(|row| Ok((row.get("lane")?, row.get("token")?)))
            .collect()
    }

    /// Answers whether this process still holds a lane under `token`.
    pub(crate) async fn holds(&self, group: i64, lane: i16, token: i64) -> Result<bool, Error> {
        Ok(self.held(group).await?.contains(&(lane, token)))
    }

    /// Gives a lane back in good order.
    pub(crate) async fn release(&self, group: i64, lane: i16, token: i64) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        tx.query(RELEASE)
            .bind(group)
            .bind(lane)
            .bind(token)
            .execute()
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends the presence of this process. It may meet another one that tidies it away, and then tries again.
    pub(crate) async fn leave(&self) -> Result<(), Error> {
        for _ in 1..LEAVE_TRIES {
            match self.try_leave().await {
                Err(error) if error.is_transient() => tokio::time::sleep(LEAVE_WAIT).await,
                left => return left,
            }
        }
        self.try_leave().await
    }

    async fn try_leave(&self) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        // In the order in which a renewal locks them.
        for sql in [LEAVE, LEAVE_GROUPS, RELEASE_ALL] {
            tx.query(sql).bind(self.process).execute().await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Removes what dead processes left, and old runs.
    pub(crate) async fn tidy(&self, keep_runs: Duration) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        tx.query(TIDY_PROCESSES).execute().await?;
        tx.query(TIDY_MEMBERS).execute().await?;
        tx.commit().await?;
        // In small steps, so that the writer of SQLite is never held for long.
        for _ in 0..TIDY_STEPS {
            let mut tx = self.store.begin().await?;
            let removed = tx.query(TIDY_RUNS).bind(keep_runs).execute().await?;
            tx.commit().await?;
            if removed < 1_000 {
                break;
            }
        }
        Ok(())
    }
}

/// How often a process tries to say that it leaves, and how long it waits between.
const LEAVE_TRIES: usize = 5;
const LEAVE_WAIT: Duration = Duration::from_millis(50);
/// The most steps of 1,000 runs that one tidying removes.
const TIDY_STEPS: usize = 500;

fn taken(row: &platform_core::store::Row) -> Result<Taken, Error> {
    Ok(Taken {
        lane: row.get("lane")?,
        token: row.get("token")?,
        position: row.get("position")?,
        crashes: row.get("crashes")?,
        in_hand: row.get("in_hand")?,
        redo: Redo::read(row)?,
        place: row.get("place")?,
    })
}

const RENEW: &str = "insert into platform_process (id, service, name, started_at, renewed_at, expires_at)
    values ($1, $2, $3, (select now from platform_time), (select now from platform_time),
        (select now from platform_time) + $4)
    on conflict (id) do update set renewed_at = excluded.renewed_at, expires_at = excluded.expires_at";
const JOIN: &str =
    "insert into platform_member (process, group_id, subscription) values ($1, $2, $3)
    on conflict (process, group_id) do nothing";
const PAUSE: &str = "update platform_member set pause_reason = $3,
        paused_at = case when $3 is null then null else (select now from platform_time) end
    where process = $1 and group_id = $2";
const SHARE: &str = "select
    (select count(*) from platform_member m join platform_process p on p.id = m.process
        join platform_group g on g.id = m.group_id and g.subscription = m.subscription
        where m.group_id = $1 and p.expires_at > (select now from platform_time)) as members,
    (select count(*) from platform_lane where group_id = $1) as lanes,
    (select count(*) from platform_lane l where l.group_id = $1 and (l.process is null or not exists (
        select 1 from platform_process p
        where p.id = l.process and p.expires_at > (select now from platform_time)))) as free";
/// A process that dies while a lane has nothing to read says nothing about that lane's events. The first death
/// makes them suspects, which run alone and counted; later ones count only with an event in hand.
const TAKE_SQLITE: &str = "update platform_lane set token = token + 1,
        crashes = case
            when process is null or not exists (select 1 from platform_log e
                where (platform_lane.lane < 0 or e.lane = platform_lane.lane)
                  and e.seq > platform_lane.position) then crashes
            when crashes = 0 or in_hand is not null then crashes + 1
            else crashes end,
        process = $1, taken_at = (select now from platform_time)
    where (group_id, lane) in (
        select w.group_id, w.lane from platform_lane w
        where w.group_id = $2 and (w.process is null or not exists (select 1 from platform_process p
            where p.id = w.process and p.expires_at > (select now from platform_time)))
        order by w.lane limit $3)
    returning lane, token, position, crashes, in_hand, replay, muted_until, resume_at,
        (select is_publishing from platform_replay r where r.id = replay) as is_publishing, '' as place";
const TAKE_POSTGRES: &str = "update platform_lane set token = token + 1,
        crashes = case
            when process is null or not exists (select 1 from platform_log e
                where (platform_lane.lane < 0 or e.lane = platform_lane.lane)
                  and e.seq > platform_lane.position) then crashes
            when crashes = 0 or in_hand is not null then crashes + 1
            else crashes end,
        process = $1, taken_at = (select now from platform_time)
    where (group_id, lane) in (
        select w.group_id, w.lane from platform_lane w
        where w.group_id = $2 and (w.process is null or not exists (select 1 from platform_process p
            where p.id = w.process and p.expires_at > (select now from platform_time)))
        order by w.lane limit $3 for update skip locked)
    returning lane, token, position, crashes, in_hand, replay, muted_until, resume_at,
        (select is_publishing from platform_replay r where r.id = replay) as is_publishing, ctid::text as place";
const AGAIN_SQLITE: &str = "update platform_lane set token = token + 1
    where process = $1 and group_id = $2 and lane = $3
    returning lane, token, position, crashes, in_hand, replay, muted_until, resume_at,
        (select is_publishing from platform_replay r where r.id = replay) as is_publishing, '' as place";
const AGAIN_POSTGRES: &str = "update platform_lane set token = token + 1
    where process = $1 and group_id = $2 and lane = $3
    returning lane, token, position, crashes, in_hand, replay, muted_until, resume_at,
        (select is_publishing from platform_replay r where r.id = replay) as is_publishing, ctid::text as place";
const HELD: &str = "select lane, token from platform_lane where process = $1 and group_id = $2";
const RELEASE: &str = "update platform_lane set process = null
    where group_id = $1 and lane = $2 and token = $3";
const RELEASE_ALL: &str = "update platform_lane set process = null where process = $1";
const LEAVE_GROUPS: &str = "delete from platform_member where process = $1";
const LEAVE: &str = "delete from platform_process where id = $1";
const TIDY_MEMBERS: &str = "delete from platform_member where process not in (
    select id from platform_process where expires_at > (select now from platform_time))";
const TIDY_PROCESSES: &str = "delete from platform_process
    where expires_at <= (select now from platform_time)
      and id not in (select process from platform_lane where process is not null)";
const TIDY_RUNS: &str = "delete from platform_run where id in (select id from platform_run
    where started_at < (select now from platform_time) - $1 order by started_at limit 1000)";
