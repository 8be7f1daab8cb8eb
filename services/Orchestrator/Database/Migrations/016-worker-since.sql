-- Since when a worker asks for work; 0 of those that asked before this was noted.
alter table worker add column since bigint not null default 0;
