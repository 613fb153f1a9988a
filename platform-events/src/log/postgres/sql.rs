//! The statements of the log on PostgreSQL. `{…}` is filled in once, when the log is opened.

pub(super) const PLACE: &str = "select current_schema()::text, 'platform_log_seq'::regclass::oid::bigint,
    (select value from platform_meta where name = 'partition_rows'), last_value from platform_log_seq";
pub(super) const PARTITION: &str = "select platform_log_partition($1)";
/// Registers the floor of this transaction unless it has one, and bounds how long the transaction may idle.
pub(super) const FLOOR: &str = "f as materialized (
        select case when coalesce(current_setting('platform.floor_{oid}', true), '') = '' then
                set_config('platform.floor_{oid}', (last_value - (not is_called)::int)::text
                    || pg_advisory_xact_lock_shared({lock},
                        ((last_value - (not is_called)::int) & 2147483647)::int)::text, true) end,
            case when current_setting('idle_in_transaction_session_timeout') = '0' then
                set_config('idle_in_transaction_session_timeout', '60000', true) end
        from {schema}.platform_log_seq)";
/// One statement, in this order: the floor (once per transaction), the numbers in the author's order, the ids
/// sorted so that two publishers never wait for each other in a circle, the rows whose id is new.
pub(super) const APPEND: &str = "with {floor},
    n as materialized (
        select nextval('{schema}.platform_log_seq') as seq, s.* from (
            select e.* from f, unnest($1::uuid[], $2::bytea[], $3::smallint[], $4::uuid[], $5::text[],
                $6::text[], $7::text[], $8::text[], $9::timestamptz[], $10::smallint[], $11::boolean[],
                $12::text[], $13::bytea[], $14::text[], $15::boolean[]) with ordinality
                as e(id_key, content_hash, lane, key, type, tenant, correlation_id, causation_id,
                    occurred_at, depth, muted, attributes, data, origin, late, o)
            order by e.o) s),
    ids as (
        insert into {schema}.platform_log_id (id_key, seq, content_hash)
        select id_key, seq, content_hash from n order by id_key, seq
        on conflict do nothing returning id_key, seq)
    insert into {schema}.platform_log (seq, lane, key, id_key, type, tenant, correlation_id, causation_id,
        occurred_at, recorded_at, depth, muted, attributes, data, origin, late)
    select n.seq, n.lane, n.key, n.id_key, n.type, n.tenant, n.correlation_id, n.causation_id,
        n.occurred_at, (select now from {schema}.platform_time), n.depth, n.muted, n.attributes, n.data,
        n.origin, n.late
    from n join ids on ids.id_key = n.id_key and ids.seq = n.seq
    returning seq, id_key";
/// The same for one record, the usual case: no sort, no join (7 % more commits a second at 8 clients).
pub(super) const APPEND_ONE: &str = "with {floor},
    ids as (
        insert into {schema}.platform_log_id (id_key, seq, content_hash)
        select $1, nextval('{schema}.platform_log_seq'), $2 from f
        on conflict do nothing returning id_key, seq)
    insert into {schema}.platform_log (seq, lane, key, id_key, type, tenant, correlation_id, causation_id,
        occurred_at, recorded_at, depth, muted, attributes, data, origin, late)
    select seq, $3, $4, id_key, $5, $6, $7, $8, $9, (select now from {schema}.platform_time), $10, $11, $12, $13,
        $14, $15
    from ids returning seq, id_key";
pub(super) const KNOWN: &str =
    "select id_key, seq, content_hash from {schema}.platform_log_id where id_key = any($1)";
pub(super) const LAST: &str = "select s.last_value - (not s.is_called)::int,
    (select coalesce(max(seq), 0) from platform_log),
    (select coalesce(max(position), 0) from platform_lane),
    pg_is_in_recovery(), current_setting('transaction_isolation')
    from platform_log_seq s";
pub(super) const FLOORS: &str = "select objid::bigint, pid from pg_locks
    where locktype = 'advisory' and classid = $1::bigint::oid and objsubid = 2 and mode = 'ShareLock'
      and database = (select oid from pg_database where datname = current_database())";
pub(super) const HOLDER: &str =
    "select coalesce(application_name, ''), xact_start from pg_stat_activity where pid = $1
    union all
    select gid, prepared from pg_prepared_xacts where $1 is null and database = current_database()
    limit 1";
/// The row comparison leaves only the index over (lane, seq) to read by, and `limit 1` keeps the fetch of each row
/// a look-up, whatever the planner knows of the tables.
pub(super) const READ_LANES: &str = "select c.*, l.* from (
        select b.*, lead(seq) over (partition by cursor_lane order by seq) is null as is_last from (
            select w.lane as cursor_lane, r.seq, r.is_wanted,
                sum(r.size) over (partition by w.lane order by r.seq
                    rows between unbounded preceding and 1 preceding) as bytes_before
            from unnest($1::smallint[], $2::bigint[]) as w(lane, position)
            cross join lateral (
                select seq, type like any($5) as is_wanted,
                    case when type like any($5) then octet_length(data) else 0 end as size
                from platform_log
                where (lane, seq) > (w.lane, w.position) and (lane, seq) <= (w.lane, $3) and seq > w.position
                  and (select last_value from platform_log_seq) >= $3
                order by lane, seq limit $4) r) b
        where coalesce(bytes_before, 0) < $6) c
    cross join lateral (select case when c.is_wanted then attributes end as attributes,
            case when c.is_wanted then data end as data, type, tenant, origin, muted, recorded_at, key
        from platform_log where seq = c.seq limit 1) l
    where c.is_wanted or c.is_last order by cursor_lane, c.seq";
/// The bound stands outside the limit, where it spoils no estimate.
pub(super) const READ_WHOLE: &str = "select c.*, l.* from (
        select b.*, lead(seq) over (order by seq) is null as is_last from (
            select w.lane as cursor_lane, r.seq, r.is_wanted,
                sum(r.size) over (order by r.seq rows between unbounded preceding and 1 preceding) as bytes_before
            from unnest($1::smallint[], $2::bigint[]) as w(lane, position)
            cross join lateral (
                select seq, type like any($5) as is_wanted,
                    case when type like any($5) then octet_length(data) else 0 end as size
                from platform_log where seq > w.position order by seq limit $4) r
            where r.seq <= $3 and (select last_value from platform_log_seq) >= $3) b
        where coalesce(bytes_before, 0) < $6) c
    cross join lateral (select case when c.is_wanted then attributes end as attributes,
            case when c.is_wanted then data end as data, type, tenant, origin, muted, recorded_at, key
        from platform_log where seq = c.seq limit 1) l
    where c.is_wanted or c.is_last order by cursor_lane, c.seq";
pub(super) const FOLLOWERS: &str = "select seq, type from platform_log
    where key = $1 and seq > $2 and seq <= $3 order by seq limit 1000";
pub(super) const AT: &str =
    "select seq, lane, key, type, tenant, origin, muted, recorded_at, attributes, data
    from platform_log where seq = $1";
