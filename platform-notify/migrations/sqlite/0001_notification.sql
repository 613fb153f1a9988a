-- Who was told what: one row for each recipient and channel of a rule that an event met.
create table platform_notification (
    id blob primary key,
    tenant text not null,
    key text not null,
    correlation_id text not null,
    causation_id text,
    occurred_at integer not null,
    recorded_at integer not null,
    event_id text not null,
    rule text not null,
    recipient text not null,
    channel text not null,
    state text not null check (state in ('sent', 'skipped')),
    code text check (code in ('muted'))
) without rowid;
-- Asked by `why`.
create index platform_notification_event on platform_notification (event_id);
