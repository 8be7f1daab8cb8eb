-- A slot of a worker is held by exactly the steps that run in its name: there is no count that could drift.
create table worker (
    name text primary key,
    device text not null,
    slots integer not null,
    seen_at bigint not null
);

-- Attempts that ran out of memory; each doubles the number of parts that the next one splits its work into.
alter table step add column shrinks integer not null default 0;
