create table platform_clock (offset_us integer not null);
insert into platform_clock values (0);
create view platform_time as
    select cast(round(unixepoch('subsec') * 1000000) as integer)
        + (select offset_us from platform_clock) as now;
