create table platform_clock (offset_us bigint not null);
insert into platform_clock values (0);
create view platform_time as
    select clock_timestamp() + (select offset_us from platform_clock) * interval '1 microsecond' as now;
