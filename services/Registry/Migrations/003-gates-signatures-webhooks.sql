create table registry_gate (
  name        text    not null references registry_model(name),
  alias       text    not null,
  rule        text    not null,
  approvals   integer not null,
  updated_by  text    not null,
  updated_at  text    not null,
  primary key (name, alias)
);
-- One verdict of each person on each version for each alias; a later one replaces it.
create table registry_approval (
  name        text    not null,
  version     integer not null,
  alias       text    not null,
  actor       text    not null,
  verdict     text    not null,
  reason      text    not null,
  created_at  text    not null,
  primary key (name, version, alias, actor)
);
-- Every time a gate was asked, and what it said.
create table registry_decision (
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
create index registry_decision_alias on registry_decision(name, alias, decided_at);

-- Public keys that signatures are checked with; trusted ones count in verify.
create table registry_signing_key (
  key_id      text primary key,
  name        text not null,
  algorithm   text not null,
  public_key  text not null,
  added_by    text not null,
  added_at    text not null
);
create table registry_signature (
  root        text not null,
  key_id      text not null,
  algorithm   text not null,
  public_key  text not null,
  signature   text not null,
  signer      text not null,
  created_at  text not null,
  primary key (root, key_id)
);

create table registry_webhook (
  id          text    primary key,
  url         text    not null,
  events      text    not null,
  model       text    not null,
  secret      text    not null,
  created_by  text    not null,
  created_at  text    not null
);
create table registry_delivery (
  id          text    primary key,
  webhook     text    not null,
  event       bigint  not null,
  attempts    integer not null,
  state       text    not null,
  next_at     text    not null,
  status      integer not null,
  error       text    not null,
  updated_at  text    not null
);
create index registry_delivery_due on registry_delivery(state, next_at);
create index registry_delivery_webhook on registry_delivery(webhook, event);

-- What each version holds and would free: a snapshot, made again when versions came or went.
create table registry_storage (
  version_id  bigint primary key,
  logical     bigint not null,
  frees       bigint not null
);
create index registry_storage_frees on registry_storage(frees, version_id);
create table registry_storage_total (
  only_row      integer primary key,
  logical       bigint  not null,
  physical      bigint  not null,
  unreferenced  bigint  not null,
  versions      bigint  not null,
  made_at       text    not null
);
