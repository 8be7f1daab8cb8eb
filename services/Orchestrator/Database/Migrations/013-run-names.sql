-- Runs are called after their pipeline, with a number that counts the runs of that name: tiny#12. A run that an older orchestrator
-- writes meanwhile has 0, and is called by its id. The last number of a name outlives its runs.
alter table run add column ordinal bigint not null default 0;
alter table run_archive add column ordinal bigint not null default 0;
update run set ordinal = counted.ordinal
  from (select id, row_number() over (partition by name order by number, id) as ordinal
          from (select id, name, number from run union select id, name, number from run_archive) everyone) counted
 where counted.id = run.id;
update run_archive set ordinal = counted.ordinal
  from (select id, row_number() over (partition by name order by number, id) as ordinal
          from (select id, name, number from run union select id, name, number from run_archive) everyone) counted
 where counted.id = run_archive.id;
create index run_by_name_and_ordinal on run (name, ordinal);
create index run_archive_by_name_and_ordinal on run_archive (name, ordinal);

create table run_name (
    name text primary key,
    last bigint not null
);
insert into run_name
select name, max(ordinal) from (select name, ordinal from run union all select name, ordinal from run_archive) everyone group by name;
