create table outbox (
  id           $identity$,
  destination  text    not null,
  type         text    not null,
  body         text    not null,
  not_before   bigint  not null,
  attempts     integer not null default 0
);
create index outbox_due on outbox (not_before, id);
