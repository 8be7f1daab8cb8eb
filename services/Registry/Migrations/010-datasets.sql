create table registry_dataset (
  name        text primary key,
  numbered    integer not null,
  created_at  text not null
);
create table registry_dataset_version (
  name        text    not null references registry_dataset(name),
  version     integer not null,
  root        text    not null,
  size_bytes  bigint  not null,
  source      text    not null,
  train_bytes bigint  not null,
  step_key    text    not null,
  run_id      text    not null,
  description text    not null,
  created_at  text    not null,
  primary key (name, version)
);
create index registry_dataset_version_root on registry_dataset_version(root);
