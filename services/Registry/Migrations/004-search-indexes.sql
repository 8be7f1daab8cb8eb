-- Conditions on facts of a configuration are answered by this index alone: it is a twentieth of the table.
create index registry_version_facts on registry_version(id, total_parameters, active_parameters, size_bytes, new_bytes, layers, experts, experts_per_token, signatures, family);
create index registry_alias_word on registry_alias(alias, name, version);
