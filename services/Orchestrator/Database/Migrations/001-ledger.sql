-- Times are milliseconds since 1970 UTC; ids and digests are text; documents are JSON text. $identity$ differs by dialect.

create table run (
    id text primary key,
    name text not null,
    file_name text not null,
    pipeline text not null,
    parameters text not null,
    state text not null,
    message text not null default '',
    open_steps integer not null,
    created_at bigint not null,
    started_at bigint,
    ended_at bigint,
    cancel_until bigint
);
create index run_by_age on run (created_at);
create index run_cancelling on run (cancel_until) where cancel_until is not null;

create table step (
    id $identity$,
    run_id text not null references run (id),
    name text not null,
    position integer not null,
    kind text not null,
    device text not null,
    priority integer not null,
    run_created_at bigint not null,
    plan text not null,
    state text not null,
    waiting_on integer not null,
    same_as text,
    offer text,
    attempt integer not null default 0,
    failures integer not null default 0,
    crashes integer not null default 0,
    losses integer not null default 0,
    worker text,
    lease_until bigint,
    not_before bigint not null default 0,
    ready_at bigint,
    started_at bigint,
    ended_at bigint,
    timeout_ms bigint,
    deadline_at bigint,
    step_key text,
    inputs text,
    outputs text,
    metrics text,
    done bigint not null default 0,
    total bigint not null default 0,
    failure text,
    message text not null default '',
    unique (run_id, name)
);
create index step_claimable on step (priority desc, run_created_at, position) where state = 'ready';
create index step_leased on step (lease_until) where state = 'running';
create index step_to_prepare on step (run_created_at, position) where state = 'waiting' and waiting_on = 0 and same_as is null;
create index step_under_way on step (step_key) where state in ('ready', 'running');
create index step_same_as on step (same_as) where same_as is not null;

create table step_need (
    run_id text not null,
    name text not null,
    needs text not null,
    primary key (run_id, name, needs)
);
create index step_need_by_need on step_need (run_id, needs);

create table outbox (
    id $identity$,
    destination text not null,
    type text not null,
    body text not null,
    not_before bigint not null
);
create index outbox_due on outbox (not_before, id);

create table stage (
    kind text not null,
    device text not null,
    version text not null,
    numerics_class text not null,
    schema text not null,
    first_seen_at bigint not null,
    advertised_at bigint not null,
    primary key (kind, device, version, numerics_class)
);

create table event (
    id $identity$,
    run_id text not null,
    at bigint not null,
    type text not null,
    step text not null default '',
    body text not null
);
create index event_by_run on event (run_id, id);

create table api_key (
    hash text primary key,
    name text not null,
    role text not null,
    created_at bigint not null
);
