-- Who submitted a run and what for, where they say so.
alter table run add column submitted_by text not null default '';
alter table run add column reason text not null default '';

-- What the steps of a run were expected to cost when it was submitted, as JSON.
create table run_estimate (
    run_id text primary key,
    body text not null
);
