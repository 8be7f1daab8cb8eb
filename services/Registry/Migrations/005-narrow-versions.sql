-- Cards are long and shown one at a time: in a table of their own they no longer lie between the facts that lists and searches read.
create table registry_card (
  version_id  bigint primary key,
  card        text   not null
);
insert into registry_card(version_id, card) select id, card from registry_version;
alter table registry_version drop column card;

-- Every order and every equality of the search language has its index.
create index registry_version_run on registry_version(run_id, id);
create index registry_version_number on registry_version(version, id);
create index registry_version_layers on registry_version(layers, id);
create index registry_version_experts on registry_version(experts, id);
create index registry_version_top_k on registry_version(experts_per_token, id);
create index registry_version_newest on registry_version(name, version desc);
-- Histories by time, over all aliases of a model.
create index registry_alias_move_time on registry_alias_move(name, moved_at);
create index registry_decision_time on registry_decision(name, decided_at);
create index registry_model_created on registry_model(created_at, name);
