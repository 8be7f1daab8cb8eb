-- What a stage says of itself, as JSON; null from workers that are too old to say it.
alter table stage add column traits text;
