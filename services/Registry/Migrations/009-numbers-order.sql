-- Clocks jump, so times only label: what came first is told by numbers that are given out within the change itself.
-- Of a model, 'latest' is the newest version that exists and 'numbered' the last number that was given out, since no number is given out twice.
alter table registry_model add column number    bigint  not null default 0;
alter table registry_model add column changed   bigint  not null default 0;
alter table registry_model add column numbered  integer not null default 0;
update registry_model set
  numbered = latest,
  latest   = (select coalesce(max(v.version), 0) from registry_version v where v.name = registry_model.name),
  number   = o.number,
  changed  = o.changed
from (select name, row_number() over (order by created_at, name) as number, row_number() over (order by updated_at, name) as changed from registry_model) o
where o.name = registry_model.name;
insert into registry_counter(name, value) select 'change', coalesce(max(changed), 0) from registry_model;
drop index registry_model_updated;
drop index registry_model_created;
create index registry_model_changed on registry_model(changed, name);
create index registry_model_number on registry_model(number, name);

-- Events have always been numbered, and a move has the time of its event: their order is that of the moves.
create index registry_event_label on registry_event(kind, model, created_at);
create table registry_numbered_move (
  number    $identity$,
  name      text    not null,
  alias     text    not null,
  version   integer not null,
  previous  integer,
  actor     text    not null,
  reason    text    not null,
  moved_at  text    not null,
  kind      text    not null
);
insert into registry_numbered_move(name, alias, version, previous, actor, reason, moved_at, kind)
  select m.name, m.alias, m.version, m.previous, m.actor, m.reason, m.moved_at, m.kind from registry_alias_move m
  order by coalesce((select max(e.id) from registry_event e where e.kind = 'alias.moved' and e.model = m.name and e.created_at = m.moved_at), 0), m.moved_at;
drop index registry_event_label;
drop table registry_alias_move;
alter table registry_numbered_move rename to registry_alias_move;
create index registry_alias_move_name on registry_alias_move(name, alias, number);
create index registry_alias_move_model on registry_alias_move(name, number);

create table registry_numbered_decision (
  number      $identity$,
  name        text    not null,
  alias       text    not null,
  version     integer not null,
  allowed     integer not null,
  rule        text    not null,
  failed      text    not null,
  approvals   integer not null,
  actor       text    not null,
  decided_at  text    not null
);
insert into registry_numbered_decision(name, alias, version, allowed, rule, failed, approvals, actor, decided_at)
  select name, alias, version, allowed, rule, failed, approvals, actor, decided_at from registry_decision order by decided_at;
drop table registry_decision;
alter table registry_numbered_decision rename to registry_decision;
create index registry_decision_model on registry_decision(name, number);

alter table registry_approval add column number bigint not null default 0;
update registry_approval set number = o.number
from (select name, version, alias, actor, row_number() over (order by created_at, actor) as number from registry_approval) o
where o.name = registry_approval.name and o.version = registry_approval.version and o.alias = registry_approval.alias and o.actor = registry_approval.actor;
alter table registry_signature add column number bigint not null default 0;
update registry_signature set number = o.number
from (select root, key_id, row_number() over (order by created_at, key_id) as number from registry_signature) o
where o.root = registry_signature.root and o.key_id = registry_signature.key_id;

-- An index entry of PostgreSQL has at most 2,704 bytes, and the value of a tag may be longer: its beginning is enough to find it by.
drop index registry_tag_value;
create index registry_tag_value on registry_tag(tag, substr(value, 1, 200), version_id);
drop index registry_tag_version;
create index registry_tag_version on registry_tag(version_id, tag);
