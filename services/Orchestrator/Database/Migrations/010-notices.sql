-- Whom a run tells of its end, by the names of settings.
create table run_notice (
    run_id text not null,
    run_state text not null,
    target text not null,
    primary key (run_id, run_state, target)
);

-- What is told, and what became of it. A run that is resumed ends again, and tells again.
create table notice (
    id $identity$,
    run_id text not null,
    run_state text not null,
    target text not null,
    message text not null,
    ended_at bigint not null,
    state text not null default 'waiting',
    attempts integer not null default 0,
    next_at bigint not null,
    error text not null default ''
);
create index notice_due on notice (next_at) where state = 'waiting';
create index notice_by_run on notice (run_id);
