-- How often a message was taken to be sent: the longer it fails, the longer it waits.
alter table outbox add column attempts integer not null default 0;
