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
create index platform_log_correlation on platform_log (correlation_id, seq);

-- Makes partitions, named by their ends, until one reaches beyond `wanted`; returns where the last one ends.
create function platform_log_partition(wanted bigint) returns bigint language plpgsql as $$
declare
    rows bigint := (select value::bigint from platform_meta where name = 'partition_rows');
    high bigint;
    part text;
begin
    perform pg_advisory_xact_lock(hashtextextended('platform_log_partition', 0));
    select coalesce(max(substring(inhrelid::regclass::text from '_([0-9]+)"?$')::bigint), 0) into high
        from pg_inherits where inhparent = 'platform_log'::regclass;
    while high <= wanted loop
        part := 'platform_log_' || high || '_' || high + rows;
        execute format('create table %I (like platform_log including defaults including constraints)', part);
        execute format('alter table platform_log attach partition %I for values from (%s) to (%s)',
            part, high, high + rows);
        high := high + rows;
    end loop;
    return high;
end $$;
select platform_log_partition(0);

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
    retired_at timestamptz,
    first_name text not null
);

create table platform_group_name (
    name text primary key,
    group_id integer not null,
    recorded_at timestamptz not null
);

-- What a group passed over while its subscription was narrower than before. An open end means: still so.
create table platform_narrowed (
    group_id integer not null,
    lane smallint not null,
    subscription text not null,
    from_position bigint not null,
    to_position bigint,
    recorded_at timestamptz not null,
    primary key (group_id, lane, from_position)
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
    replay bigint,
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
    replay bigint,
    muted_until bigint,
    resume_at bigint,
    edited bytea,
    updated_at timestamptz not null,
    primary key (group_id, key)
);
create index platform_blocked_due on platform_blocked (group_id, lane, due) where state <> 'parked';
create index platform_blocked_parked on platform_blocked (head) where state = 'parked';

-- Stretches of the log that a group was asked to handle again.
create table platform_replay (
    id bigint generated always as identity primary key,
    group_id integer not null,
    from_position bigint not null,
    to_position bigint not null,
    is_publishing boolean not null,
    actor text not null,
    reason text not null,
    recorded_at timestamptz not null
);

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
create index platform_run_seq on platform_run (group_id, lane, seq_to);
create index platform_run_group on platform_run (group_id, id);
create index platform_run_started on platform_run (started_at);

-- The key of Key::of, for programs in other languages.
create function platform_key(purpose text, variadic fields bytea[]) returns uuid
language sql immutable as $$
    select encode(set_byte(set_byte(d, 6, (get_byte(d, 6) & 15) | 128),
        8, (get_byte(d, 8) & 63) | 128), 'hex')::uuid
    from (select substring(sha256('\x01'::bytea || int8send(octet_length(convert_to(purpose, 'UTF8')))
        || convert_to(purpose, 'UTF8') || (
            select coalesce(string_agg(int8send(octet_length(f)) || f, ''::bytea order by o), ''::bytea)
            from unnest(fields) with ordinality as u(f, o))) from 1 for 16) as d) digest
$$;

-- Appends one event of this service in the caller's transaction, for programs in other languages. Returns its
-- position, or null when the idempotency key was published before. `payload` is JSON text.
create function platform_append(
    source text, event_type text, tenant text, partition_key text, idempotency_key text, payload text
) returns bigint language plpgsql set search_path from current as $$
declare
    sequence regclass := 'platform_log_seq'::regclass;
    setting text := 'platform.floor_' || sequence::oid;
    floor bigint;
    id uuid := platform_key('keyed-event', convert_to(tenant, 'UTF8'), convert_to(source, 'UTF8'),
        convert_to(idempotency_key, 'UTF8'));
    key_of_id uuid := platform_key('event-id', ''::bytea, convert_to(source, 'UTF8'),
        convert_to(id::text, 'UTF8'));
    key_of_lane uuid := key_of_id;
    position bigint;
    time timestamptz := (select now from platform_time);
begin
    if octet_length(payload) > 262144 then raise exception 'the payload is larger than 256 KiB'; end if;
    perform payload::json;
    if coalesce(current_setting(setting, true), '') = '' then
        floor := (select last_value - (not is_called)::int from platform_log_seq);
        perform pg_advisory_xact_lock_shared(
            (case when sequence::oid::bigint >= 2147483648 then sequence::oid::bigint - 4294967296
                else sequence::oid::bigint end)::int, (floor & 2147483647)::int);
        perform set_config(setting, floor::text, true);
    end if;
    if partition_key is not null then
        key_of_lane := platform_key('lane', ''::bytea, convert_to(tenant, 'UTF8'),
            convert_to(partition_key, 'UTF8'));
    end if;
    position := nextval('platform_log_seq');
    insert into platform_log_id (id_key, seq) values (key_of_id, position) on conflict do nothing;
    if not found then return null; end if;
    insert into platform_log (seq, lane, key, id_key, type, tenant, correlation_id, occurred_at,
        recorded_at, attributes, data)
    values (position, get_byte(uuid_send(key_of_lane), 15) % 16, key_of_lane, key_of_id, event_type,
        tenant, id::text, time, time,
        json_strip_nulls(json_build_object('specversion', '1.0', 'id', id, 'source', source,
            'type', event_type,
            'time', to_char(time at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'datacontenttype', 'application/json', 'correlationid', id, 'partitionkey', partition_key,
            'tenantid', tenant))::text,
        convert_to(payload, 'UTF8'));
    return position;
end $$;

-- What a relay has sent of each key: the last event that was confirmed, and when it was sent.
create table platform_relayed (
    relay text not null,
    topic text not null,
    key uuid not null,
    last_id text not null,
    sent_at timestamptz not null,
    primary key (relay, topic, key)
) with (fillfactor = 80);

-- Where a service receives: SERVICE/TOPIC. Times to wait count only while it is open.
create table platform_subscription (
    name text primary key,
    began_at timestamptz not null,
    open_us bigint not null default 0,
    swept_at timestamptz not null,
    own bigint not null default 0
);

-- The least of arrival minus sending that was seen of each source: its clock against ours.
create table platform_sender (
    subscription text not null,
    source text not null,
    lag_us bigint not null,
    primary key (subscription, source)
);

-- What was received before its predecessor, and waits for it.
create table platform_received (
    id_key uuid not null,
    subscription text not null,
    scope text not null,
    source text not null,
    event_id text not null,
    predecessor text not null,
    predecessor_key uuid not null,
    key uuid not null,
    tenant text not null,
    sent_at timestamptz not null,
    received_at timestamptz not null,
    open_us bigint not null,
    raw bytea not null,
    primary key (id_key, subscription)
);
create index platform_received_predecessor on platform_received (predecessor_key);
create index platform_received_age on platform_received (subscription, open_us);
create index platform_received_key on platform_received (key, sent_at);

-- What was received and must not be appended, as it came.
create table platform_quarantine (
    id bigint generated always as identity primary key,
    subscription text not null,
    received_at timestamptz not null,
    reason text not null,
    source text,
    event_id text,
    id_key uuid,
    raw_key uuid not null unique,
    raw bytea not null
);
create index platform_quarantine_event on platform_quarantine (id_key) where id_key is not null;
create index platform_quarantine_subscription on platform_quarantine (subscription, id);

-- What was not waited for any longer.
create table platform_gap (
    id bigint generated always as identity primary key,
    subscription text not null,
    scope text not null,
    source text not null,
    missing_id text not null,
    id_key uuid not null unique,
    tenant text not null,
    followed_by text not null,
    passed_at timestamptz not null,
    arrived_at timestamptz
);
create index platform_gap_subscription on platform_gap (subscription, id);
