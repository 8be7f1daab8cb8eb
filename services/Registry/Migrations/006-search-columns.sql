-- Tags and aliases by the version's id, so that what they are looked up for is in their own index.
alter table registry_tag add column version_id bigint not null default 0;
update registry_tag set version_id = coalesce((select v.id from registry_version v where v.name = registry_tag.name and v.version = registry_tag.version), 0);
drop index registry_tag_value;
create index registry_tag_value on registry_tag(tag, value, version_id);
create index registry_tag_version on registry_tag(version_id, tag, value);
alter table registry_alias add column version_id bigint not null default 0;
update registry_alias set version_id = coalesce((select v.id from registry_version v where v.name = registry_alias.name and v.version = registry_alias.version), 0);
drop index registry_alias_word;
create index registry_alias_word on registry_alias(alias, version_id);
create index registry_alias_of on registry_alias(version_id, alias);

-- The metrics that nearly every search asks for, beside the facts of the configuration: a search that finds little reads this one index.
alter table registry_version add column loss          double precision;
alter table registry_version add column perplexity    double precision;
alter table registry_version add column bits_per_byte double precision;
alter table registry_version add column accuracy      double precision;
update registry_version set
  loss          = (select f.value from registry_fact f where f.version_id = registry_version.id and f.metric = 'loss'),
  perplexity    = (select f.value from registry_fact f where f.version_id = registry_version.id and f.metric = 'perplexity'),
  bits_per_byte = (select f.value from registry_fact f where f.version_id = registry_version.id and f.metric = 'bits-per-byte'),
  accuracy      = (select f.value from registry_fact f where f.version_id = registry_version.id and f.metric = 'accuracy');
drop index registry_version_facts;
create index registry_version_facts on registry_version(
  id, total_parameters, active_parameters, size_bytes, new_bytes, layers, experts, experts_per_token, signatures, family, loss, perplexity, bits_per_byte, accuracy);
