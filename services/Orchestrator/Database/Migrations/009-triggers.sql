-- Pipelines that have a name and versions. A removed one keeps its versions, so that runs and histories go on naming them.
create table pipeline (
    name text primary key,
    version integer not null,
    removed_at bigint
);
create table pipeline_version (
    name text not null,
    version integer not null,
    file_name text not null,
    yaml text not null,
    owner text not null,
    created_at bigint not null,
    primary key (name, version)
);

-- What starts them. Events up to after_event came before the trigger and are not its own; next_at is when a schedule comes next.
create table pipeline_trigger (
    name text primary key,
    pipeline text not null,
    kind text not null,
    settings text not null,
    is_enabled integer not null default 1,
    paused text not null default '',
    failures integer not null default 0,
    pause_after integer not null,
    after_event bigint not null,
    next_at bigint,
    created_at bigint not null
);
create index pipeline_trigger_by_pipeline on pipeline_trigger (pipeline);
create index pipeline_trigger_by_kind on pipeline_trigger (kind);
create index pipeline_trigger_by_time on pipeline_trigger (next_at) where next_at is not null;

-- What happened, each event once, and the triggers that led to it. Open ones are still to be looked at.
create table trigger_event (
    id $identity$,
    event_key text not null unique,
    kind text not null,
    target text,
    fields text not null,
    chain text not null,
    at bigint not null,
    is_open integer not null
);
create index trigger_event_open on trigger_event (id) where is_open = 1;
create index trigger_event_by_kind on trigger_event (kind, id);
create index trigger_event_by_age on trigger_event (at);

-- What each trigger made of each event: one row for the two, ever.
create table trigger_firing (
    id $identity$,
    trigger_name text not null,
    event_id bigint not null,
    state text not null,
    reason text not null default '',
    parameters text not null default '{}',
    dedupe_key text,
    concurrency_group text,
    is_queued integer not null default 0,
    attempts integer not null default 0,
    not_before bigint not null default 0,
    at bigint not null,
    run_id text,
    unique (trigger_name, event_id)
);
create index trigger_firing_waiting on trigger_firing (id) where state = 'waiting';
create index trigger_firing_by_event on trigger_firing (event_id);
create index trigger_firing_started on trigger_firing (trigger_name, at) where state = 'started';
create index trigger_firing_by_key on trigger_firing (trigger_name, dedupe_key) where dedupe_key is not null;

-- Where a run of a registered pipeline comes from: written with the run, so that one event starts one run of a trigger.
create table run_origin (
    run_id text primary key references run (id),
    pipeline text not null,
    version integer not null,
    owner text not null,
    trigger_name text,
    event_id bigint,
    event_kind text,
    chain text not null default '[]',
    concurrency_group text
);
create unique index run_origin_once on run_origin (trigger_name, event_id) where trigger_name is not null;
create index run_origin_by_group on run_origin (concurrency_group) where concurrency_group is not null;

-- Signed requests to webhooks, so that none is taken twice within its replay window.
create table hook_request (
    signature text primary key,
    at bigint not null
);

-- Files that a watched folder has shown already.
create table watched_file (
    trigger_name text not null,
    path text not null,
    size bigint not null,
    modified bigint not null,
    primary key (trigger_name, path)
);
