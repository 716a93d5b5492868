-- History that can be read and proved: whose history an event is part of, and its place in a chain of hashes.

alter table audit_events add column project_id bigint;
alter table audit_events add column collection_id bigint;
alter table audit_events add column position bigint check (position > 0);
alter table audit_events add column hash bytea check (octet_length(hash) = 32);
-- Years of four digits, so that every reader can say when it was.
alter table audit_events add constraint audit_events_at check (at between '0001-01-01' and '9999-12-31');
alter table audit_events add constraint audit_events_sealed check ((position is null) = (hash is null));
comment on column audit_events.project_id is 'The project or registry that it happened in; null for people, teams and organizations.';
comment on column audit_events.collection_id is 'The collection that it happened in, or to; null for everything else.';
comment on column audit_events.position is 'Its place in the chain of its organization, from 1 without a gap; null until it is sealed.';
comment on column audit_events.hash is 'SHA-256 over the hash before and everything else in this row, as docs/audit.md says; null until it is sealed.';

-- The two columns follow from what an event tells, as long as what it tells of is there: they are asked for while it is written.
create function audit_collection(subject text, before jsonb, after jsonb) returns bigint language sql stable as $$
    select case split_part(subject, ':', 1)
        when 'Collection' then split_part(subject, ':', 2)::bigint
        when 'Version' then coalesce((after ->> 'collection')::bigint, (before ->> 'collection')::bigint,
            (select collection_id from versions where id = split_part(subject, ':', 2)::bigint))
    end
$$;
create function audit_project(subject text, before jsonb, after jsonb) returns bigint language sql stable as $$
    select case split_part(subject, ':', 1)
        when 'Project' then split_part(subject, ':', 2)::bigint
        else (select project_id from collections where id = audit_collection(subject, before, after))
    end
$$;

update audit_events set collection_id = audit_collection(subject, before, after), project_id = audit_project(subject, before, after)
    where subject like 'Collection:%' or subject like 'Version:%' or subject like 'Project:%';
-- Collections that are gone by now have told where they were.
update audit_events e set project_id = gone.project_id
    from (
        select collection_id, max(coalesce(after ->> 'project', before ->> 'project')::bigint) as project_id from audit_events
        where kind in ('collection.created', 'collection.deleted') group by collection_id
    ) gone
    where e.project_id is null and e.collection_id = gone.collection_id;

create index audit_events_project on audit_events (project_id, id);
create index audit_events_collection on audit_events (collection_id, id);
create index audit_events_subject on audit_events (subject, id);
create index audit_events_unsealed on audit_events (id) where position is null;
create unique index audit_events_position on audit_events (coalesce(organization_id, 0), position) where position is not null;

create table audit_chains (
    id bigint primary key,
    position bigint not null check (position > 0),
    hash bytea not null check (octet_length(hash) = 32),
    sealed_at timestamptz not null default clock_timestamp()
);
comment on table audit_chains is 'The end of each chain of events. No foreign keys: a chain outlives its organization.';
comment on column audit_chains.id is 'The organization; 0 for the chain of the installation, of the events that belong to none.';
comment on column audit_chains.position is 'The position of its last event.';
comment on column audit_chains.hash is 'The hash of its last event.';
comment on column audit_chains.sealed_at is 'When that was sealed.';

-- Where an alias pointed, from the newest on.
create index aliases_history on aliases (collection_id, alias, lower(valid));
