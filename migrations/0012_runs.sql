-- Runs read back: filters and orders over their configuration and summary, and a way to stop them.

alter table runs add column config_index jsonb not null default '{}';
comment on column runs.config_index is
    'The configuration for filters and orders: the values without what describes them; what jsonb can''t hold is left out.';

alter table runs add column summary_index jsonb not null default '{}';
comment on column runs.summary_index is 'The summary for filters and orders; what jsonb can''t hold is left out.';

alter table runs add column stop_requested boolean not null default false;
comment on column runs.stop_requested is 'Whether somebody asked it to stop and it has not ended since.';

-- Lists in these orders, page by page.
create index runs_created on runs (project_id, created_at, id);
create index runs_heartbeat on runs (project_id, heartbeat_at, id);

-- Runs that are there already. One whose text jsonb doesn't take is found by filters when its client next writes it.
do $$
declare
    run record;
begin
    for run in select id, config, summary from runs loop
        begin
            update runs set summary_index = run.summary::jsonb, config_index = (
                select coalesce(jsonb_object_agg(key, case when value ? 'value' and jsonb_typeof(value) = 'object'
                    then value -> 'value' else value end), '{}')
                from jsonb_each(run.config::jsonb))
            where id = run.id;
        exception when data_exception or program_limit_exceeded or syntax_error_or_access_rule_violation then
            null;
        end;
    end loop;
end
$$;
