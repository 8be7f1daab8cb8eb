-- Finds what a worker holds, so that a claim whose answer was lost is answered again.
create index step_held on step (worker) where state = 'running';
