create table platform_meta (name text primary key, value text not null);
insert into platform_meta values
    ('secret', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')),
    ('generation', '1'), ('trimmed_to', '0'), ('partition_rows', '1000000');

-- One number at a time: a cache would hand out numbers below a bound that somebody read.
create sequence platform_log_seq as bigint cache 1;

-- Append-only, partitioned by position so that retention drops whole partitions.
create table platform_log (
    seq bigint not null,
    generation smallint not null default 1,
    lane smallint not null,
    key uuid not null,
    id_key uuid not null,
    type text not null,
    tenant text not null,
    origin text not null default '',
    correlation_id text not null,
    causation_id text,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    depth smallint not null default 0,
    muted boolean not null default false,
    late boolean not null default false,
    attributes text not null,
    data bytea not null,
    sealed_by text,
    primary key (seq)
) partition by range (seq);
create index platform_log_lane on platform_log (lane, seq);
create index platform_log_key on platform_log (key, seq);

-- Makes the partition that holds position `at`, in a transaction of its own.
create function platform_log_partition(at bigint) returns void language plpgsql as $$
declare
    rows bigint := (select value::bigint from platform_meta where name = 'partition_rows');
    low bigint := at / rows * rows;
    part text := 'platform_log_' || low;
begin
    perform pg_advisory_xact_lock(hashtextextended('platform_log_partition', 0));
    if to_regclass(part) is not null then return; end if;
    execute format('create table %I (like platform_log including defaults including constraints)', part);
    execute format('alter table platform_log attach partition %I for values from (%s) to (%s)',
        part, low, low + rows);
end $$;
select platform_log_partition(0), platform_log_partition(1000000);

create table platform_log_id (
    id_key uuid primary key,
    seq bigint not null,
    content_hash bytea
);

create table platform_group (
    id integer generated always as identity primary key,
    service text not null,
    name text not null unique,
    lanes smallint not null,
    start_at text not null,
    start_position bigint not null,
    subscription text not null,
    registered_at timestamptz not null,
    seen_at timestamptz not null,
    retired_at timestamptz
);

create table platform_group_name (
    name text primary key,
    group_id integer not null,
    recorded_at timestamptz not null
);

-- One lease a process.
create table platform_process (
    id uuid primary key,
    service text not null,
    name text not null,
    started_at timestamptz not null,
    renewed_at timestamptz not null,
    expires_at timestamptz not null
) with (fillfactor = 50);

create table platform_member (
    process uuid not null,
    group_id integer not null,
    subscription text not null,
    paused_at timestamptz,
    pause_reason text,
    primary key (process, group_id)
);

create table platform_lane (
    group_id integer not null,
    lane smallint not null,
    token bigint not null default 0,
    position bigint not null,
    handled bigint not null default 0,
    process uuid,
    taken_at timestamptz,
    crashes smallint not null default 0,
    in_hand bigint,
    muted_until bigint,
    resume_at bigint,
    primary key (group_id, lane)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

create table platform_blocked (
    group_id integer not null,
    key uuid not null,
    lane smallint not null,
    tenant text not null,
    head bigint not null,
    type text not null,
    state text not null check (state in ('waiting', 'parked', 'discarded')),
    cause text,
    reason text,
    attempts integer not null default 0,
    reasons text not null default '[]',
    first_failed_at timestamptz not null,
    due timestamptz not null,
    revision bigint not null default 1,
    edited bytea,
    updated_at timestamptz not null,
    primary key (group_id, key)
);
create index platform_blocked_due on platform_blocked (state, due);

-- What people decided about parked events, kept for ever.
create table platform_decision (
    id bigint generated always as identity primary key,
    group_id integer not null,
    key uuid not null,
    tenant text not null,
    head bigint not null,
    action text not null,
    actor text not null,
    reason text not null,
    recorded_at timestamptz not null
);

create table platform_run (
    id bigint generated always as identity primary key,
    group_id integer not null,
    lane smallint not null,
    seq_from bigint not null,
    seq_to bigint not null,
    events integer not null,
    attempt integer not null,
    outcome text not null,
    reason text,
    produced integer not null default 0,
    started_at timestamptz not null,
    duration_us bigint not null
);
create index platform_run_seq on platform_run (group_id, seq_to);
create index platform_run_started on platform_run (started_at);
