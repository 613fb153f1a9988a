-- Tasks: what is to be done later, one row for each rule that an event met. Nothing is ever deleted.
create table platform_task (
    id blob primary key,
    tenant text not null,
    key text not null,
    correlation_id text not null,
    causation_id text,
    occurred_at integer not null,
    recorded_at integer not null,
    event_id text not null,
    rule text not null,
    kind text not null,
    payload text not null,
    -- When the next attempt may begin; of a task that has ended, when it ended or was to begin.
    due integer not null,
    state text not null check (state in ('waiting', 'done', 'skipped', 'failed')),
    code text check (code in ('muted', 'rejected', 'exhausted')),
    attempts integer not null default 0,
    -- What the last attempt that failed said.
    reason text
) without rowid;
create index platform_task_due on platform_task (due, id) where state = 'waiting';
-- Asked by `why`.
create index platform_task_event on platform_task (event_id);
