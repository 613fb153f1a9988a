create table platform_meta (name text primary key, value text not null) without rowid;
insert into platform_meta values
    ('secret', lower(hex(randomblob(32)))), ('generation', '1'), ('trimmed_to', '0');

-- Append-only. A bare rowid would start again once retention has emptied the table.
create table platform_log (
    seq integer primary key autoincrement,
    generation integer not null default 1,
    lane integer not null,
    key blob not null,
    id_key blob not null,
    type text not null,
    tenant text not null,
    origin text not null default '',
    correlation_id text not null,
    causation_id text,
    occurred_at integer not null,
    recorded_at integer not null,
    depth integer not null default 0,
    muted integer not null default 0,
    late integer not null default 0,
    attributes text not null,
    data blob not null,
    sealed_by text
);
create index platform_log_lane on platform_log (lane, seq);
create index platform_log_key on platform_log (key, seq);
create index platform_log_correlation on platform_log (correlation_id, seq);

create table platform_log_id (
    id_key blob primary key,
    seq integer not null,
    content_hash blob
) without rowid;

create table platform_group (
    id integer primary key autoincrement,
    service text not null,
    name text not null unique,
    lanes integer not null,
    start_at text not null,
    start_position integer not null,
    subscription text not null,
    registered_at integer not null,
    seen_at integer not null,
    retired_at integer,
    first_name text not null
);

create table platform_group_name (
    name text primary key,
    group_id integer not null,
    recorded_at integer not null
) without rowid;

-- What a group passed over while its subscription was narrower than before. An open end means: still so.
create table platform_narrowed (
    group_id integer not null,
    lane integer not null,
    subscription text not null,
    from_position integer not null,
    to_position integer,
    recorded_at integer not null,
    primary key (group_id, lane, from_position)
) without rowid;

-- One lease a process.
create table platform_process (
    id blob primary key,
    service text not null,
    name text not null,
    started_at integer not null,
    renewed_at integer not null,
    expires_at integer not null
) without rowid;

create table platform_member (
    process blob not null,
    group_id integer not null,
    subscription text not null,
    paused_at integer,
    pause_reason text,
    primary key (process, group_id)
) without rowid;

create table platform_lane (
    group_id integer not null,
    lane integer not null,
    token integer not null default 0,
    position integer not null,
    handled integer not null default 0,
    process blob,
    taken_at integer,
    crashes integer not null default 0,
    in_hand integer,
    replay integer,
    muted_until integer,
    resume_at integer,
    primary key (group_id, lane)
) without rowid;

create table platform_blocked (
    group_id integer not null,
    key blob not null,
    lane integer not null,
    tenant text not null,
    head integer not null,
    type text not null,
    state text not null check (state in ('waiting', 'parked', 'discarded')),
    cause text,
    reason text,
    attempts integer not null default 0,
    reasons text not null default '[]',
    first_failed_at integer not null,
    due integer not null,
    revision integer not null default 1,
    replay integer,
    muted_until integer,
    resume_at integer,
    edited blob,
    updated_at integer not null,
    primary key (group_id, key)
) without rowid;
create index platform_blocked_due on platform_blocked (group_id, lane, due) where state <> 'parked';
create index platform_blocked_parked on platform_blocked (head) where state = 'parked';

-- Stretches of the log that a group was asked to handle again.
create table platform_replay (
    id integer primary key autoincrement,
    group_id integer not null,
    from_position integer not null,
    to_position integer not null,
    is_publishing integer not null,
    actor text not null,
    reason text not null,
    recorded_at integer not null
);

-- What people decided about parked events, kept for ever.
create table platform_decision (
    id integer primary key autoincrement,
    group_id integer not null,
    key blob not null,
    tenant text not null,
    head integer not null,
    action text not null,
    actor text not null,
    reason text not null,
    recorded_at integer not null
);

create table platform_run (
    id integer primary key autoincrement,
    group_id integer not null,
    lane integer not null,
    seq_from integer not null,
    seq_to integer not null,
    events integer not null,
    attempt integer not null,
    outcome text not null,
    reason text,
    produced integer not null default 0,
    started_at integer not null,
    duration_us integer not null
);
create index platform_run_seq on platform_run (group_id, lane, seq_to);
create index platform_run_group on platform_run (group_id, id);
create index platform_run_started on platform_run (started_at);

-- What a relay has sent of each key: the last event that was confirmed, and when it was sent.
create table platform_relayed (
    relay text not null,
    topic text not null,
    key blob not null,
    last_id text not null,
    sent_at integer not null,
    primary key (relay, topic, key)
) without rowid;

-- Where a service receives: SERVICE/TOPIC. Times to wait count only while it is open.
create table platform_subscription (
    name text primary key,
    began_at integer not null,
    open_us integer not null default 0,
    swept_at integer not null,
    own integer not null default 0
);

-- The least of arrival minus sending that was seen of each source: its clock against ours.
create table platform_sender (
    subscription text not null,
    source text not null,
    lag_us integer not null,
    primary key (subscription, source)
) without rowid;

-- What was received before its predecessor, and waits for it.
create table platform_received (
    id_key blob not null,
    subscription text not null,
    scope text not null,
    source text not null,
    event_id text not null,
    predecessor text not null,
    predecessor_key blob not null,
    key blob not null,
    tenant text not null,
    sent_at integer not null,
    received_at integer not null,
    open_us integer not null,
    raw blob not null,
    primary key (id_key, subscription)
);
create index platform_received_predecessor on platform_received (predecessor_key);
create index platform_received_age on platform_received (subscription, open_us);
create index platform_received_key on platform_received (key, sent_at);

-- What was received and must not be appended, as it came.
create table platform_quarantine (
    id integer primary key autoincrement,
    subscription text not null,
    received_at integer not null,
    reason text not null,
    source text,
    event_id text,
    id_key blob,
    raw_key blob not null unique,
    raw blob not null
);
create index platform_quarantine_event on platform_quarantine (id_key) where id_key is not null;
create index platform_quarantine_subscription on platform_quarantine (subscription, id);

-- What was not waited for any longer.
create table platform_gap (
    id integer primary key autoincrement,
    subscription text not null,
    scope text not null,
    source text not null,
    missing_id text not null,
    id_key blob not null unique,
    tenant text not null,
    followed_by text not null,
    passed_at integer not null,
    arrived_at integer
);
create index platform_gap_subscription on platform_gap (subscription, id);
