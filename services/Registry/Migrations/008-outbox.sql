-- Events stay, for whoever follows them; what the bus has not got yet is in a table of its own, where registries claim it.
create table registry_outbox (
  id           $identity$,
  destination  text    not null,
  type         text    not null,
  body         text    not null,
  not_before   bigint  not null,
  attempts     integer not null default 0
);
create index registry_outbox_due on registry_outbox(not_before, id);
insert into registry_outbox(destination, type, body, not_before)
  select '', kind, body, 0 from registry_event where published = 0 order by id;

-- Deliveries are made with the event now, not when the bus has it.
insert into registry_delivery(id, webhook, event, attempts, state, next_at, status, error, updated_at)
  select w.id || '-' || e.id, w.id, e.id, 0, 'waiting', e.created_at, 0, '', e.created_at
  from registry_event e join registry_webhook w on ' ' || w.events || ' ' like '% ' || e.kind || ' %' and (w.model = '' or w.model = e.model)
  where e.published = 0
  on conflict (id) do nothing;

drop index registry_event_published;
alter table registry_event drop column published;
