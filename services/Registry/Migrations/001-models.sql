create table registry_model (
  name        text primary key,
  created_at  text not null
);
create table registry_version (
  name        text   not null references registry_model(name),
  version     integer not null,
  root        text   not null,
  size_bytes  bigint not null,
  step_key    text   not null,
  run_id      text   not null,
  card        text   not null,
  created_at  text   not null,
  primary key (name, version)
);
create unique index registry_version_step on registry_version(name, step_key);
create index registry_version_root on registry_version(root);
create table registry_alias (
  name        text   not null,
  alias       text   not null,
  version     integer not null,
  primary key (name, alias),
  foreign key (name, version) references registry_version(name, version)
);
create table registry_alias_move (
  name        text   not null,
  alias       text   not null,
  version     integer not null,
  previous    integer,
  actor       text   not null,
  reason      text   not null,
  moved_at    text   not null
);
create index registry_alias_move_name on registry_alias_move(name, alias, moved_at);
create table registry_metric (
  name        text   not null,
  version     integer not null,
  metric      text   not null,
  value       double precision not null,
  primary key (name, version, metric),
  foreign key (name, version) references registry_version(name, version)
);
