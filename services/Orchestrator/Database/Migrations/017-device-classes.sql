-- The device classes of a worker as JSON; null of those that are too old to say them, and have the one of the other columns.
alter table worker add column classes text;

-- Offered beside the class that a worker is for, or by one that only pretends to have the device.
alter table stage add column spare integer not null default 0;
