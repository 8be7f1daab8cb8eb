-- Clocks jump, so times only label: what came first is told by numbers. Steps have been numbered in the order of their runs all along.
alter table run add column number bigint not null default 0;
update run set number = o.number
from (select id, row_number() over (order by created_at, id) as number from run) o where o.id = run.id;
drop index run_by_age;
create index run_by_number on run (number);

alter table stage add column number bigint not null default 0;
update stage set number = o.number
from (select kind, device, version, numerics_class, row_number() over (order by first_seen_at, version, numerics_class) as number from stage) o
where o.kind = stage.kind and o.device = stage.device and o.version = stage.version and o.numerics_class = stage.numerics_class;

alter table api_key add column number bigint not null default 0;
update api_key set number = o.number
from (select hash, row_number() over (order by created_at, hash) as number from api_key) o where o.hash = api_key.hash;

drop index step_claimable;
create index step_claimable on step (priority desc, id) where state = 'ready';
drop index step_to_prepare;
create index step_to_prepare on step (id) where state = 'waiting' and waiting_on = 0 and same_as is null;
