-- Blobs because of which a step that had ended well was done again, as JSON: once for each, so that a disk that damages everything ends a run.
alter table step add column lost text;
