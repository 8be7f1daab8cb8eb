-- What lists, pages and claims go by in a ledger with very many ended runs. Lists are read from a run on, by number and id.
drop index run_by_number;
create index run_by_number on run (number, id);
create index run_by_state on run (state, number, id);
create index run_by_name on run (name, number, id);
create index run_by_name_and_state on run (name, state, number, id);
create index step_by_state on step (run_id, state);
create index step_put_off on step (run_id, position) where state = 'waiting' and waiting_on = 0 and message <> '';
create index step_offered on step (offer, device, priority desc, id) where state = 'ready';

-- Ended runs that have left the other tables: one row each, with everything about it as compressed JSON. A run that is here counts as
-- gone from the other tables, from which its rows are deleted a few at a time: until they are, archived_at says so.
alter table run add column archived_at bigint;
create index run_to_archive on run (ended_at) where ended_at is not null and archived_at is null;
create index run_archived on run (archived_at) where archived_at is not null;
create table run_archive (
    id text primary key,
    number bigint not null,
    name text not null,
    state text not null,
    archived_at bigint not null,
    summary text not null,
    body bytea not null
);
create index run_archive_by_number on run_archive (number, id);
create index run_archive_by_state on run_archive (state, number, id);
create index run_archive_by_name on run_archive (name, number, id);
create index run_archive_by_name_and_state on run_archive (name, state, number, id);

-- Where runs come from outlives them: an event starts one run of a trigger, and goes on a chain, whether that run is archived or not.
create table run_origin_kept (
    run_id text primary key,
    pipeline text not null,
    version integer not null,
    owner text not null,
    trigger_name text,
    event_id bigint,
    event_kind text,
    chain text not null default '[]',
    concurrency_group text
);
insert into run_origin_kept select run_id, pipeline, version, owner, trigger_name, event_id, event_kind, chain, concurrency_group from run_origin;
drop table run_origin;
alter table run_origin_kept rename to run_origin;
create unique index run_origin_once on run_origin (trigger_name, event_id) where trigger_name is not null;
create index run_origin_by_group on run_origin (concurrency_group) where concurrency_group is not null;

-- Peak memory that a step will need, in bytes, where it is known; and what a worker may use, 0 where it does not say.
alter table step add column memory_bytes bigint;
alter table worker add column memory_bytes bigint not null default 0;
