-- Parts of names and origins are looked for in the same index as numbers are.
drop index registry_version_facts;
create index registry_version_facts on registry_version(
  id, name, total_parameters, active_parameters, size_bytes, new_bytes, layers, experts, experts_per_token, signatures, family, step, stage, origin, loss, perplexity, bits_per_byte, accuracy);
