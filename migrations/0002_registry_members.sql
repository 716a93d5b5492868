-- Members of registries: where a role comes from as rows, so that the role itself is the highest of them; and the aliases that
-- only a registry's admins change.

alter table projects add column protected_aliases text[] not null default '{}'
    check (kind = 'registry' or protected_aliases = '{}');
comment on column projects.protected_aliases is
    'Registries: aliases that only its admins set, move or remove, in any of its collections (rule 32).';

-- Everything that gives a user a role in a project or registry: what it is, the team that it goes through, the level. The one
-- place that knows rules 14 and 23. A site administrator gets nothing by being one.
create function role_sources(project bigint, caller bigint)
returns table (source text, team_id bigint, level smallint) language sql stable as $$
    -- Rule 14: registries.
    select s.source, null::bigint, s.level
    from projects p
    join organization_members m on m.organization_id = p.entity_id and m.user_id = caller
    cross join lateral (values
        ('organization_admin', case when m.role = 'admin' then role_level('admin') end),
        ('organization_member', case when p.visibility = 'organization' then role_level('viewer') end)
    ) s (source, level)
    where p.id = project and p.kind = 'registry' and s.level is not null
    union all
    select 'direct', null, role_level(m.role) from registry_user_members m where m.registry_id = project and m.user_id = caller
    union all
    select 'team', m.team_id, role_level(m.role)
    from registry_team_members m join team_members t on t.team_id = m.team_id
    where m.registry_id = project and t.user_id = caller
    union all
    -- Rule 23: projects.
    select s.source, s.team_id, s.level
    from projects p
    join teams e on e.id = p.entity_id
    join organization_members o on o.organization_id = e.organization_id and o.user_id = caller
    left join team_members t on t.team_id = e.id and t.user_id = caller
    cross join lateral (values
        ('organization_admin', null, case when o.role = 'admin' then role_level('admin') end),
        ('team', t.team_id, case when o.role = 'viewer' then least(role_level(t.role), role_level('viewer')) else role_level(t.role) end)
    ) s (source, team_id, level)
    where p.id = project and p.kind = 'project' and s.level > 0
    union all
    select 'owner', null, role_level('admin') from projects p where p.id = project and p.kind = 'project' and p.entity_id = caller
$$;

-- What a user may do in a project or registry: the highest of what gives a role.
create or replace function access_level(project bigint, caller bigint) returns smallint language sql stable as $$
    select coalesce(max(level), 0)::smallint from role_sources(project, caller)
$$;
