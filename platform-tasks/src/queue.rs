//! The table of tasks: enqueued by the handler, claimed and ended by the runner.
//!
//! A claim is a row lock: it lasts as long as the claiming transaction, so a process that dies gives its task
//! back by dying. Times are compared in the database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use platform_core::store::Dialect;
use platform_core::{Error, Key, Store, TenantId, Tx};
use platform_events::Received;

use crate::rule::{Planned, Rule};

/// A task on its way into the table, made from its event alone.
pub(crate) struct Enqueued {
    id: Key,
    tenant: TenantId,
    key: String,
    correlation_id: String,
    causation_id: Option<String>,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    event_id: String,
    rule: &'static str,
    kind: &'static str,
    payload: String,
    due: DateTime<Utc>,
    is_muted: bool,
}

impl Enqueued {
    pub(crate) fn id(&self) -> Key {
        self.id
    }

    pub(crate) fn of<T>(
        event: &Received<T>,
        rule: &Rule,
        planned: Planned,
    ) -> Result<Self, String> {
        let envelope = event.envelope();
        let tenant = event.tenant();
        let recorded_at = event.recorded_at();
        let wait = chrono::Duration::from_std(planned.wait).ok();
        let due = wait.and_then(|wait| recorded_at.checked_add_signed(wait));
        let due = due.ok_or_else(|| format!("the wait of {} has no end", rule.task))?;
        Ok(Self {
            id: task_id(tenant, event.identity(), (rule.pattern, rule.task)),
            key: event.key().to_owned(),
            correlation_id: event.correlation_id().to_owned(),
            causation_id: event.causation_id().map(str::to_owned),
            occurred_at: event.occurred_at(),
            recorded_at,
            event_id: envelope.id().to_owned(),
            rule: rule.pattern,
            kind: rule.task,
            payload: planned.payload,
            due,
            is_muted: event.is_muted(),
            tenant: tenant.clone(),
        })
    }
}

fn task_id(tenant: &TenantId, event: Key, (rule, kind): (&str, &str)) -> Key {
    let fields = [
        tenant.as_str().as_bytes(),
        event.as_bytes(),
        rule.as_bytes(),
        kind.as_bytes(),
    ];
    Key::of("task", &fields)
}

/// A task in hand.
pub(crate) struct Claimed {
    pub(crate) id: Key,
    pub(crate) tenant: TenantId,
    pub(crate) correlation_id: String,
    pub(crate) event_id: String,
    pub(crate) kind: String,
    pub(crate) payload: String,
    /// Attempts that failed before.
    pub(crate) attempts: u32,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt after the wait, with so many counted as failed.
    Again { attempts: u32, wait: Duration },
    /// No further attempt, for the reason that the code names.
    Failed { attempts: u32, code: &'static str },
}

/// Adds a task; one that is there already stays as it is.
pub(crate) async fn enqueue(tx: &mut Tx, task: &Enqueued) -> Result<(), Error> {
    let (state, code) = if task.is_muted {
        ("skipped", Some("muted"))
    } else {
        ("waiting", None)
    };
    tx.query(ENQUEUE)
        .bind(task.id)
        .bind(&task.tenant)
        .bind(&task.key)
        .bind(&task.correlation_id)
        .bind(task.causation_id.clone())
        .bind(task.occurred_at)
        .bind(task.recorded_at)
        .bind(&task.event_id)
        .bind(task.rule)
        .bind(task.kind)
        .bind(&task.payload)
        .bind(task.due)
        .bind(state)
        .bind(code)
        .execute()
        .await
        .map(drop)
}

/// Takes the task that has been due for longest, if any, until the transaction ends. `kinds` is each known kind
/// between commas.
pub(crate) async fn claim(tx: &mut Tx, kinds: &str) -> Result<Option<Claimed>, Error> {
    let statement = match tx.dialect() {
        // One writer at a time: the transaction itself is the lock.
        Dialect::Sqlite => CLAIM,
        Dialect::Postgres => CLAIM_LOCKED,
    };
    let Some(row) = tx.query(statement).bind(kinds).fetch_optional().await? else {
        return Ok(None);
    };
    let attempts: i64 = row.get("attempts")?;
    Ok(Some(Claimed {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        correlation_id: row.get("correlation_id")?,
        event_id: row.get("event_id")?,
        kind: row.get("kind")?,
        payload: row.get("payload")?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
    }))
}

/// Ends a task in the transaction that claimed it.
pub(crate) async fn finish(tx: &mut Tx, task: &Claimed) -> Result<(), Error> {
    tx.query(FINISH)
        .bind(task.id)
        .bind(&task.tenant)
        .bind(task.attempts.saturating_add(1))
        .execute()
        .await
        .map(drop)
}

/// Writes down a failed attempt, unless somebody has taken the task up again meanwhile.
pub(crate) async fn fail(
    tx: &mut Tx,
    task: &Claimed,
    next: Next,
    reason: &str,
) -> Result<(), Error> {
    let (state, code, attempts, wait) = match next {
        Next::Again { attempts, wait } => ("waiting", None, attempts, wait),
        Next::Failed { attempts, code } => ("failed", Some(code), attempts, Duration::ZERO),
    };
    tx.query(FAIL)
        .bind(task.id)
        .bind(&task.tenant)
        .bind(task.attempts)
        .bind(state)
        .bind(code)
        .bind(attempts)
        .bind(reason)
        .bind(wait)
        .execute()
        .await
        .map(drop)
}

/// Counts the tasks of known kinds that are due now.
pub(crate) async fn due(store: &Store, kinds: &str) -> Result<i64, Error> {
    store.query(DUE).bind(kinds).fetch_one().await?.get("due")
}

const ENQUEUE: &str = "insert into platform_task (id, tenant, key, correlation_id, causation_id,
        occurred_at, recorded_at, event_id, rule, kind, payload, due, state, code)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    on conflict (id) do nothing";
const CLAIM: &str = "select id, tenant, correlation_id, event_id, kind, payload, attempts from platform_task
    where state = 'waiting' and due <= (select now from platform_time) and $1 like '%,' || kind || ',%'
    order by due, id limit 1";
const CLAIM_LOCKED: &str =
    "select id, tenant, correlation_id, event_id, kind, payload, attempts from platform_task
    where state = 'waiting' and due <= (select now from platform_time) and $1 like '%,' || kind || ',%'
    order by due, id limit 1 for update skip locked";
const FINISH: &str = "update platform_task set state = 'done', attempts = $3, reason = null
    where id = $1 and tenant = $2";
const FAIL: &str = "update platform_task set state = $4, code = $5, attempts = $6, reason = $7,
        due = (select now from platform_time) + $8
    where id = $1 and tenant = $2 and attempts = $3 and state = 'waiting'";
const DUE: &str = "select count(*) as due from platform_task -- all tenants: the runner serves every tenant
    where state = 'waiting' and due <= (select now from platform_time) and $1 like '%,' || kind || ',%'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_task_never_changes() {
        let event = Key::of("event-id", &["", "shop", "1"].map(str::as_bytes));
        let id = task_id(
            &TenantId::default(),
            event,
            ("order.shipped", "send-survey"),
        );
        assert_eq!(id.to_string(), "dea46351-ce41-8632-857d-9fb0ee9f90be");
    }
}
