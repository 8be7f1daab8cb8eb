-- The key that the settings give was named 'settings', and the first of all 'first': names of nobody, which stood beside every alias that was moved.
-- A key that somebody had named 'administrator' steps aside: the settings replace the key of that name.
update api_key set name = 'administrator-2' where name = 'administrator';
update pipeline_version set owner = 'administrator-2' where owner = 'administrator';
update run_origin set owner = 'administrator-2' where owner = 'administrator';
update api_key set name = 'administrator' where name in ('settings', 'first') and role = 'admin';
update pipeline_version set owner = 'administrator' where owner in ('settings', 'first');
update run_origin set owner = 'administrator' where owner in ('settings', 'first');
