-- Why a watched place cannot be looked at as a whole, and since when; empty when it can.
alter table pipeline_trigger add column trouble text not null default '';
alter table pipeline_trigger add column trouble_since bigint;

-- Which writing of a blob it is, as its service says; empty for files, which are told apart by size and time.
alter table watched_file add column etag text not null default '';

-- Notices that were sent or given up are forgotten in time.
create index notice_by_age on notice (ended_at) where state <> 'waiting';
