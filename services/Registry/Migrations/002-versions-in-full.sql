-- Ids are handed out under the lock of the counter's row, so that they are in the order in which they become visible.
create table registry_counter (
  name   text   primary key,
  value  bigint not null
);

alter table registry_model add column description text    not null default '';
alter table registry_model add column updated_at  text    not null default '';
alter table registry_model add column latest      integer not null default 0;
alter table registry_model add column versions    integer not null default 0;
update registry_model set
  latest     = (select coalesce(max(v.version), 0) from registry_version v where v.name = registry_model.name),
  versions   = (select count(*) from registry_version v where v.name = registry_model.name),
  updated_at = (select coalesce(max(v.created_at), registry_model.created_at) from registry_version v where v.name = registry_model.name);
create index registry_model_updated on registry_model(updated_at, name);

alter table registry_version add column id                bigint  not null default 0;
alter table registry_version add column step              text    not null default '';
alter table registry_version add column stage             text    not null default '';
alter table registry_version add column origin            text    not null default '';
alter table registry_version add column description       text    not null default '';
alter table registry_version add column family            text    not null default '';
alter table registry_version add column total_parameters  bigint  not null default 0;
alter table registry_version add column active_parameters bigint  not null default 0;
alter table registry_version add column new_bytes         bigint  not null default 0;
alter table registry_version add column layers            integer not null default 0;
alter table registry_version add column experts           integer not null default 0;
alter table registry_version add column experts_per_token integer not null default 0;
alter table registry_version add column signatures        integer not null default 0;
update registry_version set
  new_bytes = size_bytes,
  id = (select count(*) from registry_version o
        where o.created_at < registry_version.created_at
           or o.created_at = registry_version.created_at and (o.name < registry_version.name or o.name = registry_version.name and o.version <= registry_version.version));
insert into registry_counter(name, value) values ('version', (select coalesce(max(id), 0) from registry_version)), ('event', 0);
create unique index registry_version_id on registry_version(id);
create index registry_version_created on registry_version(created_at, id);
create index registry_version_bytes on registry_version(size_bytes, id);
create index registry_version_new_bytes on registry_version(new_bytes, id);
create index registry_version_total on registry_version(total_parameters, id);
create index registry_version_active on registry_version(active_parameters, id);

-- Metrics with their intervals, by the version's id.
create table registry_fact (
  version_id  bigint not null,
  metric      text   not null,
  value       double precision not null,
  low         double precision,
  high        double precision,
  primary key (version_id, metric)
);
insert into registry_fact(version_id, metric, value, low, high)
  select v.id, m.metric, m.value,
    (select l.value from registry_metric l where l.name = m.name and l.version = m.version and l.metric = m.metric || '-low'),
    (select h.value from registry_metric h where h.name = m.name and h.version = m.version and h.metric = m.metric || '-high')
  from registry_metric m join registry_version v on v.name = m.name and v.version = m.version
  where not exists (select 1 from registry_metric b where b.name = m.name and b.version = m.version
                    and (b.metric || '-low' = m.metric or b.metric || '-high' = m.metric));
create index registry_fact_metric on registry_fact(metric, value, version_id);
drop table registry_metric;

-- Tags of models (version 0) and of versions.
create table registry_tag (
  name     text    not null references registry_model(name),
  version  integer not null,
  tag      text    not null,
  value    text    not null,
  primary key (name, version, tag)
);
create index registry_tag_value on registry_tag(tag, value);

create index registry_alias_version on registry_alias(name, version);
-- A move is a move, a revert or a removal; a removal leads to version 0.
alter table registry_alias_move add column kind text not null default 'moved';

-- What versions were made from: every artifact of their ancestry with the facts of its receipt.
create table registry_artifact (
  root      text   primary key,
  kind      text   not null,
  step_key  text   not null,
  run_id    text   not null,
  step      text   not null,
  stage     text   not null,
  method    text   not null,
  seconds   double precision
);
create table registry_edge (
  child     text not null,
  parent    text not null,
  relation  text not null,
  primary key (child, parent, relation)
);
create index registry_edge_parent on registry_edge(parent);

-- Evaluation reports that were among the inputs of a registration.
create table registry_report (
  version_id  bigint not null,
  root        text   not null,
  primary key (version_id, root)
);

-- Outbox: written with what happened, published afterwards.
create table registry_event (
  id          bigint  primary key,
  kind        text    not null,
  model       text    not null,
  body        text    not null,
  created_at  text    not null,
  published   integer not null default 0
);
create index registry_event_published on registry_event(published, id);

-- Comparisons of two versions' weights, which never change.
create table registry_comparison (
  left_root   text not null,
  right_root  text not null,
  body        text not null,
  primary key (left_root, right_root)
);
