-- Fails when it runs twice; two statements, so that half of it would show.
create table counter (name text primary key, value bigint not null);
insert into counter (name, value) values ('a;b', 1);
